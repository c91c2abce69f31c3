"""What a guest sees once signed in: the portal, the log-out page, and what gateways have to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from wifidogd.access.remembered_devices import RememberedDevices
from wifidogd.access.session_view import OtherDevices
from wifidogd.access.sign_in import AccountSignIn, SessionView
from wifidogd.domain.plans import Network
from wifidogd.domain.sessions import UtcNow
from wifidogd.gateways.registry import Registry
from wifidogd.web.portal.account import AccountPages
from wifidogd.web.portal.device_cookie import drop
from wifidogd.web.portal.form_state import ForgedState, FormState, StaleState
from wifidogd.web.portal.http import Answer, Caller, lead_to, stale
from wifidogd.web.rendering import notices, session_pages, urls
from wifidogd.web.rendering.session_pages import Aside
from wifidogd.web.server.query import read_address, read_mac, read_query


class SessionPages:
    """Shows guests their stay and lets them end it."""

    def __init__(
        self,
        directory: Registry,
        admission: AccountSignIn,
        companions: OtherDevices,
        remembered: RememberedDevices,
        state: FormState,
        path: str,
        *,
        care: AccountPages,
        utc_now: UtcNow,
    ) -> None:
        self._directory = directory
        self._admission = admission
        self._companions = companions
        self._remembered = remembered
        self._state = state
        self._path = path
        self._care = care
        self._utc_now = utc_now

    async def portal(self, query: bytes) -> Answer:
        """
        Welcome a guest; only wifidog-gateway since 2016 says which one it is (its C{src/auth.c}).

        @raise StoreUnavailable: when nobody can say what they have used.
        """
        fields = read_query(query)
        token = fields.get("token", "")
        stay = await self._admission.stay(token) if token else None
        if stay is not None and stay.online:
            aside = await self._aside(stay, token)
            return Answer(
                session_pages.portal(self._path, stay, token, self._state.seal_token(token), aside, self._utc_now())
            )
        gateway = self._directory.gateway(fields.get("gw_id", ""))
        if gateway is None or urls.LIVE not in fields:
            return Answer(notices.welcome(self._network(fields)))
        visitor = urls.visitor_of(gateway, read_mac(fields.get("mac")), read_address(fields.get("ip")))
        return lead_to(urls.login_of(self._path, visitor))

    def copied(self, token: str) -> Answer:
        """Lead to the portal of a token; of any text, for that matter."""
        return lead_to(f"{self._path}portal?{urlencode({'token': token})}")

    async def figures(self, query: bytes) -> Answer:
        """
        Answer the script of the portal.

        @raise StoreUnavailable: when nobody can say what they have used.
        """
        stay = await self._admission.stay(read_query(query).get("token", ""))
        body = session_pages.figures(stay if stay is not None and stay.online else None, self._utc_now())
        return Answer(body, media="application/json")

    async def disconnect(self, form: Mapping[str, str]) -> Answer:
        """
        End the session of another device of the guest, whose portal page the form was on.

        @raise StoreUnavailable: when it goes on because nobody could end it.
        """
        try:
            token, session_id = self._state.open_companion(form.get("state", ""))
        except ForgedState:
            return stale()
        await self._companions.disconnect(token, session_id)
        return await self._to_portal(token)

    async def forget(self, form: Mapping[str, str], caller: Caller) -> Answer:
        """
        Forget a device: that of a portal page, or that which was about to come back.

        The latter only by the key in its cookie, as anybody can name a MAC.

        @raise StoreUnavailable: when nobody could forget it.
        """
        state = form.get("state", "")
        try:
            token = self._state.open_token(state)
        except ForgedState:
            return await self._forget_at_login(state, caller)
        stay = await self._admission.stay(token)
        await self._remembered.forget(token=token)
        cookie = None if stay is None else drop(stay.network.name, self._path)
        return replace(await self._to_portal(token), cookie=cookie)

    async def _forget_at_login(self, state: str, caller: Caller) -> Answer:
        try:
            visitor = self._state.open_visitor(state)
        except StaleState as old:
            visitor = old.visitor
        except ForgedState:
            return stale()
        gateway = self._directory.gateway(visitor.gw_id)
        network = "" if gateway is None else gateway.network
        await self._remembered.forget(key=caller.keys.get(network))
        answer = lead_to(urls.login_of(self._path, visitor))
        return replace(answer, cookie=drop(network, self._path) if network else None)

    async def _aside(self, stay: SessionView, token: str) -> Aside:
        companions = await self._companions.of(token)
        return Aside(
            [(device, self._state.seal_companion(token, device.session_id)) for device in companions],
            await self._remembered.until(stay.network, token),
            self._account_page(stay),
        )

    def _account_page(self, stay: SessionView) -> str | None:
        if not stay.has_account or not self._care.is_open:
            return None
        state = self._state.seal_visitor(urls.visitor_of(stay.gateway, stay.mac, stay.ip))
        return f"{self._path}account?{urlencode({'state': state})}"

    async def _to_portal(self, token: str) -> Answer:
        stay = await self._admission.stay(token)
        return lead_to(f"{self._path}portal" if stay is None else urls.portal_of(self._path, stay, token))

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
            return stale()
        stay = await self._admission.log_out(token)
        images = urls.origin_of(stay.gateway) if stay else None
        return Answer(session_pages.offline(self._path, stay, token), images=images)

    def message(self, query: bytes) -> Answer:
        """Explain a gateway's message, known or not, or that there was none."""
        fields = read_query(query)
        gateway = self._directory.gateway(fields.get("gw_id", ""))
        login = urls.login_of(self._path, urls.visitor_of(gateway)) if gateway else None
        return Answer(notices.message(fields.get("message"), self._network(fields), login))

    def _network(self, fields: Mapping[str, str]) -> Network | None:
        """Find the network of the gateway that a query claims to come from, if there is one."""
        gateway = self._directory.gateway(fields.get("gw_id", ""))
        return self._directory.network(gateway.network) if gateway else None
