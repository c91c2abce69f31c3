"""What a guest sees once signed in: the portal, the log-out page, and what gateways have to say."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from wifidogd.admission import Admission
from wifidogd.directory import Directory
from wifidogd.model import Network, UtcNow
from wifidogd.web import links
from wifidogd.web.exchange import Answer
from wifidogd.web.fields import read_query
from wifidogd.web.pages import Pages
from wifidogd.web.state import ForgedState, FormState


class StayDesk:
    """Shows guests their stay and lets them end it."""

    def __init__(
        self, directory: Directory, admission: Admission, state: FormState, pages: Pages, *, utc_now: UtcNow
    ) -> None:
        self._directory = directory
        self._admission = admission
        self._state = state
        self._pages = pages
        self._utc_now = utc_now

    async def portal(self, query: bytes) -> Answer:
        """
        Welcome a guest; only wifidog-gateway since 2016 says which one it is (its C{src/auth.c}).

        @raise StoreUnavailable: when nobody can say what they have used.
        """
        fields = read_query(query)
        token = fields.get("token", "")
        stay = await self._admission.stay(token) if token else None
        if stay is None or not stay.online:
            return Answer(self._pages.welcome(self._network(fields)))
        return Answer(self._pages.portal(stay, self._state.seal_token(token), self._utc_now()))

    async def log_out(self, form: Mapping[str, str]) -> Answer:
        """
        End the stay whose portal page the form was on.

        The page that answers calls the gateway, which then reports the end
        at once; should that fail, its next regular report ends the stay.

        @raise StoreUnavailable: when the stay goes on because nobody could end it.
        """
        try:
            token = self._state.open_token(form.get("state", ""))
        except ForgedState:
            return Answer(self._pages.stale(None), HTTPStatus.BAD_REQUEST)
        stay = await self._admission.log_out(token)
        images = links.origin_of(stay.gateway) if stay else None
        return Answer(self._pages.offline(stay, token), images=images)

    def message(self, query: bytes) -> Answer:
        """Explain a gateway's message, known or not, or that there was none."""
        fields = read_query(query)
        gateway = self._directory.gateway(fields.get("gw_id", ""))
        login = links.login_of(self._pages.path, links.visitor_of(gateway)) if gateway else None
        return Answer(self._pages.message(fields.get("message"), self._network(fields), login))

    def _network(self, fields: Mapping[str, str]) -> Network | None:
        """Find the network of the gateway that a query claims to come from, if there is one."""
        gateway = self._directory.gateway(fields.get("gw_id", ""))
        return self._directory.network(gateway.network) if gateway else None
