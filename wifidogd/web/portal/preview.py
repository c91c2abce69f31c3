"""Previews: every page of a network with made-up guests, for its operator; nothing on them works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from wifidogd.access.open_session import Refusal, Refused
from wifidogd.access.session_view import SessionView
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.guests import EndNotice, OtherDevice
from wifidogd.domain.plans import Network
from wifidogd.domain.sessions import Octets, Reason, UtcNow
from wifidogd.gateways.registry import Registry
from wifidogd.web.portal.form_state import ForgedState, FormState
from wifidogd.web.portal.http import Answer, not_found
from wifidogd.web.rendering import notices, session_pages, sign_in_pages
from wifidogd.web.rendering.brand import Page, page_of
from wifidogd.web.rendering.session_pages import PortalDetails
from wifidogd.web.server.query import read_query

_MAC, _TABLET = "02:00:00:00:00:01", "02:00:00:00:07:07"
_HOUR = timedelta(hours=1)


class PreviewPages:
    """Shows previews at an address that C{wifidogctl network preview} has signed."""

    def __init__(self, registry: Registry, state: FormState, path: str, *, utc_now: UtcNow) -> None:
        self._registry = registry
        self._state = state
        self._path = path
        self._utc_now = utc_now

    def show(self, query: bytes) -> Answer:
        """
        Show one preview, or the list of them.

        @raise StoreUnavailable: while the networks have not been read.
        """
        fields = read_query(query)
        state = fields.get("state", "")
        try:
            name = self._state.open_preview(state)
        except ForgedState:
            return not_found()
        if name not in {network.name for network in self._registry.networks()}:
            return not_found()
        network = self._registry.network(name)
        samples = self._samples(network)
        wanted = samples.get(fields.get("page", ""))
        if wanted is None:
            return Answer(page_of("preview.html", network, state=state, names=list(samples)))
        here = f"{self._path}preview?state={state}&page={fields['page']}"
        return Answer(replace(wanted, values={**wanted.values, "refresh": here, "source": here}))

    def _samples(self, network: Network) -> Mapping[str, Page]:
        now = self._utc_now()
        view = _sample_view(network, now)
        tablet = OtherDevice(1, _TABLET, now - timedelta(minutes=5), Octets(1_500_000), is_ending=False)
        details = PortalDetails(((tablet, ""),), now + network.remember if network.remember else None)
        end_notice = EndNotice(view.gateway.gw_id, _MAC, Reason.DAY_IS_SPENT, now, now + 5 * _HOUR)
        return {
            "sign-in": sign_in_pages.sign_in(network, "", now=now),
            "refused": sign_in_pages.sign_in(network, "", Refused(Refusal.TOO_MANY_TRIES, 0.25 * _HOUR), now=now),
            "ended": sign_in_pages.sign_in(network, "", now=now, end_notice=end_notice),
            "back": sign_in_pages.back(network, "", "", now + (network.remember or _HOUR), now, can_forget=True),
            "portal": session_pages.portal(self._path, view, "", "", details, now),
            "online": sign_in_pages.online(network, "", view.url),
            "offline": session_pages.offline(self._path, view, ""),
            "denied": notices.message("denied", network, None),
        }


def _sample_view(network: Network, now: datetime) -> SessionView:
    return SessionView(
        gateway=Gateway("preview", network.name, "192.0.2.1"),
        network=network,
        online=True,
        mac=_MAC,
        ip="192.0.2.17",
        since=now - timedelta(minutes=80),
        used=Octets(112_000_000, 345_678),
        octets_left=387_654_322,
        time_left=timedelta(minutes=40),
        url="http://www.example.org/",
    )
