"""What a guest sees once signed in: the portal, the log-out page, and messages of gateways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from wifidogd.access.remembered_devices import RememberedDevices
from wifidogd.access.session_view import RecognizedSession, SessionView, SessionViews
from wifidogd.domain.addresses import read_mac
from wifidogd.domain.errors import Overloaded, StoreConflict, StoreUnavailable
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import Network
from wifidogd.domain.reports.activity import ActivityKind, NoteActivity
from wifidogd.domain.sessions import LoginQuery, UtcNow
from wifidogd.gateways.registry import Registry
from wifidogd.web.portal.device_cookie import drop_cookies
from wifidogd.web.portal.form_state import ForgedState, FormState, StaleState
from wifidogd.web.portal.http import Answer, Caller, lead_to, stale
from wifidogd.web.rendering import notices, session_pages, urls
from wifidogd.web.rendering.session_pages import PortalDetails
from wifidogd.web.server.query import find_gw_id, read_address, read_query


class SessionPages:
    """Shows guests their sessions and lets them end them."""

    def __init__(
        self,
        registry: Registry,
        views: SessionViews,
        remembered_devices: RememberedDevices,
        state: FormState,
        path: str,
        note_activity: NoteActivity,
        *,
        has_mail: bool,
        utc_now: UtcNow,
    ) -> None:
        """@param has_mail: whether guests can be written to, so that there is a page for their account."""
        self._registry = registry
        self._views = views
        self._remembered_devices = remembered_devices
        self._state = state
        self._path = path
        self._note_activity = note_activity
        self._has_mail = has_mail
        self._utc_now = utc_now

    async def portal(self, query: bytes, caller: Caller) -> Answer:
        """
        Welcome a guest, and show their session to the browser that has signed in to it.

        Only wifidog-gateway since 2016 says with a token which guest it is (its
        C{src/auth.c}); of the others the browser's cookie does.  A MAC in the address is no proof.

        @raise StoreUnavailable: when nobody can say what they have used.
        """
        fields = read_query(query)
        gateway = self._gateway(fields)
        if gateway is not None:
            self._note_activity(gateway.gw_id, ActivityKind.PORTAL)
        token = fields.get("token", "")
        view = await self._views.show(token) if token else None
        if view is not None and view.online:
            return self._portal_of(view, token, token)
        known = await self._recognize(fields, caller)
        if known is not None and known.view is not None and known.view.online:
            page = self._portal_of(known.view, known.token, None) if known.token else self._portal_after_roaming(known)
            return replace(page, by_cookie=True)
        if gateway is not None and urls.LIVE in fields:
            login_query = urls.login_query_of(gateway, read_mac(fields.get("mac")), read_address(fields.get("ip")))
            return lead_to(urls.login_of(self._path, login_query))
        if known is not None and known.reason is not None:
            return self._message(None, fields, known)
        return Answer(notices.welcome(self._network(fields)))

    def _portal_of(self, view: SessionView, token: str, shown: str | None) -> Answer:
        """@param shown: the token again, if the addresses of the page itself must have it."""
        details, sealed = self._details(view, token), self._state.seal_token(token)
        return Answer(session_pages.portal(self._path, view, shown, sealed, details, self._utc_now()))

    def _portal_after_roaming(self, known: RecognizedSession) -> Answer:
        """Show a session of which the router alone knows the token: without whatever the token is needed for."""
        assert known.view is not None
        leaving = self._state.seal_token_hash(known.token_hash)
        return Answer(session_pages.portal(self._path, known.view, None, leaving, None, self._utc_now()))

    async def _recognize(self, fields: Mapping[str, str], caller: Caller) -> RecognizedSession | None:
        """
        Return the session that the browser has signed in to, at the network of C{gw_id} if a query names one.

        @raise StoreUnavailable: when nobody can say which it is.
        """
        if caller.sessions and not self._registry.loaded:
            raise StoreUnavailable("the registry has not been read yet")
        gw_id = find_gw_id(fields.get("gw_id"))
        gateway = None if gw_id is None else self._registry.gateway(gw_id)
        if gw_id is None:
            return await self._views.recognize(list(caller.sessions.values()))
        secret = None if gateway is None else caller.sessions.get(gateway.network)
        return None if secret is None else await self._views.recognize([secret])

    def copied(self, token: str) -> Answer:
        """Redirect to the portal of a token, or of any other text."""
        return lead_to(f"{self._path}portal?{urlencode({'token': token})}")

    async def metrics(self, query: bytes, caller: Caller) -> Answer:
        """
        Answer the script of the portal.

        @raise StoreUnavailable: when nobody can say what they have used.
        """
        fields = read_query(query)
        if "token" in fields:
            view = await self._views.show(fields["token"])
        else:
            known = await self._recognize(fields, caller)
            view = None if known is None else known.view
        body = session_pages.figures(view if view is not None and view.online else None, self._utc_now())
        return Answer(body, media="application/json", by_cookie="token" not in fields)

    async def disconnect(self, form: Mapping[str, str]) -> Answer:
        """
        End the session of another device of the guest, whose portal page the form was on.

        @raise StoreUnavailable: when it goes on because nobody could end it.
        """
        try:
            token, session_id = self._state.open_other_device(form.get("state", ""))
        except ForgedState:
            return stale()
        await self._views.disconnect(token, session_id)
        return self._to_portal_of(await self._views.show(token), token)

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
        await self._remembered_devices.forget(token=token)
        view = await self._views.show(token)
        cookies = () if view is None else drop_cookies(view.network.name, self._path)
        return replace(self._to_portal_of(view, token), cookies=cookies)

    async def _forget_at_login(self, state: str, caller: Caller) -> Answer:
        try:
            login_query: LoginQuery = self._state.open_login_query(state)
        except StaleState as old:
            login_query = old.login_query
        except ForgedState:
            return stale()
        gateway = self._registry.gateway(login_query.gw_id)
        network = "" if gateway is None else gateway.network
        await self._remembered_devices.forget(key=caller.keys.by_network.get(network))
        answer = lead_to(urls.login_of(self._path, login_query))
        return replace(answer, cookies=drop_cookies(network, self._path) if network else ())

    def _details(self, view: SessionView, token: str) -> PortalDetails:
        return PortalDetails(
            [(device, self._state.seal_other_device(token, device.session_id)) for device in view.other_devices],
            view.remembered_until,
            self._account_page(view),
        )

    def _account_page(self, view: SessionView) -> str | None:
        if not view.has_account or not self._has_mail:
            return None
        state = self._state.seal_login_query(urls.login_query_of(view.gateway, view.mac, view.ip))
        return f"{self._path}account?{urlencode({'state': state})}"

    def _to_portal_of(self, view: SessionView | None, token: str) -> Answer:
        return lead_to(f"{self._path}portal" if view is None else urls.portal_of(self._path, view, token))

    async def log_out(self, form: Mapping[str, str]) -> Answer:
        """
        End the session whose portal page the form was on.

        The page that answers calls the gateway, which then reports the end
        at once; should that fail, its next regular report ends the session.

        @raise StoreUnavailable: when the session continues because nobody could end it.
        """
        state = form.get("state", "")
        try:
            token = self._state.open_token(state)
        except ForgedState:
            return await self._log_out_after_roaming(state)
        view = await self._views.log_out(token)
        images = urls.origin_of(view.gateway) if view else None
        return Answer(session_pages.offline(self._path, view, token), images=images)

    async def _log_out_after_roaming(self, state: str) -> Answer:
        """End a session whose token the page did not know, so that only the gateway's next report can end it."""
        try:
            token_hash = self._state.open_token_hash(state)
        except ForgedState:
            return stale()
        return Answer(session_pages.offline(self._path, await self._views.log_out_by_hash(token_hash), None))

    async def message(self, query: bytes, caller: Caller) -> Answer:
        """
        Explain a gateway's message, known or not, or that there was none.

        The browser's cookie says more than the gateway: why the session has ended, or where to see it.
        """
        fields = read_query(query)
        try:
            known = await self._recognize(fields, caller)
        except (StoreUnavailable, StoreConflict, Overloaded):
            known = None
        return self._message(fields.get("message"), fields, known)

    def _message(self, message: str | None, fields: Mapping[str, str], known: RecognizedSession | None) -> Answer:
        gateway, network = self._gateway(fields), self._network(fields)
        if known is None:
            login = urls.login_of(self._path, urls.login_query_of(gateway)) if gateway else None
            return Answer(notices.message(message, network, login))
        view = known.view if known.view is not None and known.view.online else None
        login = urls.login_of(self._path, urls.login_query_of(gateway or known.gateway))
        portal = None if view is None else urls.portal_of(self._path, view)
        page = notices.message(message, network or known.network, login, known.reason, portal)
        return Answer(page, by_cookie=True)

    def _gateway(self, fields: Mapping[str, str]) -> Gateway | None:
        """Find the gateway that a query claims to come from, if it is adopted."""
        return self._registry.gateway(find_gw_id(fields.get("gw_id")) or "")

    def _network(self, fields: Mapping[str, str]) -> Network | None:
        """Find the network of the gateway that a query claims to come from, if there is one."""
        gateway = self._gateway(fields)
        return self._registry.network(gateway.network) if gateway else None
