"""The login page: from the gateway's redirect to the redirect back to the gateway."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urlsplit

from wifidogd.access.open_session import Admitted, Refusal, Refused
from wifidogd.access.remembered_devices import RememberedDevices
from wifidogd.access.sign_in import AccountSignIn
from wifidogd.access.voucher_sign_in import VoucherSignIn
from wifidogd.domain.errors import Overloaded, StoreError, StoreUnavailable
from wifidogd.domain.gateways import Gateway, WaitingGateway
from wifidogd.domain.plans import SignInMethod
from wifidogd.domain.sessions import LoginQuery, UtcNow
from wifidogd.domain.voucher_codes import read_code, show_code
from wifidogd.gateways.registry import Registry
from wifidogd.store.access.end_notices import EndNotice
from wifidogd.web.portal.account import AccountPages
from wifidogd.web.portal.device_cookie import keep
from wifidogd.web.portal.form_state import ForgedState, FormState, StaleState
from wifidogd.web.portal.http import Answer, Caller, lead_to, refusal, stale
from wifidogd.web.portal.login_query import Flaw, is_elsewhere, read_visitor
from wifidogd.web.portal.sign_up import SignUpPages
from wifidogd.web.rendering import notices, sign_in_pages, urls
from wifidogd.web.rendering.notices import Notice
from wifidogd.web.rendering.urls import code_caught
from wifidogd.web.server.query import read_query

_MOST_STATE = 600
"""Characters of signed state in a form; what is repeated in other forms of the page weighs little once compressed."""

_NAMED = {"code": SignInMethod.VOUCHER, "name": SignInMethod.ACCOUNT, "splash": SignInMethod.SPLASH}
"""What a form has a field for, the most telling first."""


class SignInPages:
    """
    Shows guests the way in.

    What the redirect says of a guest is signed into the form, and only that
    is read when the form comes back; where the guest goes then is looked up
    in the directory once more.
    """

    def __init__(
        self,
        directory: Registry,
        admission: AccountSignIn,
        vouchers: VoucherSignIn,
        state: FormState,
        path: str,
        *,
        remembered: RememberedDevices,
        registration: SignUpPages,
        care: AccountPages,
        remember_waiting: Callable[[WaitingGateway], None],
        utc_now: UtcNow,
        public_url: str | None,
    ) -> None:
        """
        @param remember_waiting: told of each guest that an unknown gateway sends.
        @param public_url: what guests reach this server by, perhaps through a proxy that ends TLS; None when only
            their browsers know.
        """
        self._directory = directory
        self._admission = admission
        self._vouchers = vouchers
        self._state = state
        self._path = path
        self._remembered = remembered
        self._registration = registration
        self._care = care
        self._remember_waiting = remember_waiting
        self._utc_now = utc_now
        parts = urlsplit(public_url or "")
        self._own_hosts = {parts.hostname} if parts.hostname else set()
        self._is_public_over_tls = parts.scheme == "https"

    async def show(self, query: bytes, caller: Caller, code: str | None = None) -> Answer:
        """
        Answer the redirect of a gateway.

        @param code: of a voucher, to be filled in; None for that of a L{detour<wifidogd.web.rendering.urls>}, if any.
        @raise StoreUnavailable: while nobody can say who is adopted or online.
        """
        visitor = read_visitor(query, self._own_hosts | {caller.host} if caller.host else self._own_hosts)
        if isinstance(visitor, Flaw):
            status = HTTPStatus.BAD_REQUEST if visitor is Flaw.GATEWAY_ADDRESS else HTTPStatus.NOT_FOUND
            return Answer(notices.notice(Notice.NO_GATEWAY), status)
        if not self._directory.loaded:
            raise StoreUnavailable("the directory has not been read yet")
        gateway = self._directory.gateway(visitor.gw_id) or await self._directory.adopt_if_trusted(visitor)
        if gateway is None:
            return self._stranger(visitor, caller)
        if is_elsewhere(gateway, visitor):
            network = self._directory.network(gateway.network)
            return Answer(notices.moved(network, gateway, visitor), HTTPStatus.BAD_REQUEST)
        if await self._is_online(gateway, visitor):
            return self._already_online(gateway, visitor, caller)
        caught = code_caught(visitor.url)
        if caught is not None:
            visitor = replace(visitor, url=None)
        code = code or caught
        farewell = None if visitor.mac is None else await self._admission.farewell(gateway, visitor.mac)
        if code is None and urls.WITH_FORM not in read_query(query):
            back = await self._welcome_back(gateway, visitor, caller, farewell)
            if back is not None:
                return back
        return self._form(gateway, visitor, caller, None, {"code": code} if code else {}, farewell)

    async def submit(self, form: Mapping[str, str], caller: Caller) -> Answer:
        """
        Answer a form of L{show} that came back.

        @raise StoreUnavailable: while nobody can say who is adopted.
        """
        try:
            visitor = self._state.open_visitor(form.get("state", ""))
        except StaleState as old:
            return stale(urls.login_of(self._path, old.visitor))
        except ForgedState:
            return stale()
        gateway = self._directory.gateway(visitor.gw_id)
        if gateway is None:
            return self._stranger(visitor, caller)
        try:
            return await self._admit(gateway, visitor, form, caller)
        except (StoreUnavailable, Overloaded):
            return self._form(gateway, visitor, caller, Refused(Refusal.BUSY), form)

    async def _admit(self, gateway: Gateway, visitor: LoginQuery, form: Mapping[str, str], caller: Caller) -> Answer:
        """Send an online guest through the gateway again only if they insist (protocol: 0.13)."""
        again = "again" in form
        if not again and await self._is_online(gateway, visitor):
            return self._already_online(gateway, visitor, caller)
        if "back" in form:
            outcome = await self._remembered.come_back(gateway, visitor, caller.keys.get(gateway.network))
        else:
            outcome = await self._try(gateway, visitor, form, caller)
        if not isinstance(outcome, Admitted):
            return self._form(gateway, visitor, caller, outcome, form)
        location = urls.admitting(gateway, outcome.token)
        cookie = await self._cookie(gateway, outcome.token, caller) if "remember" in form else None
        return lead_to(location, cookie)

    async def _cookie(self, gateway: Gateway, token: str, caller: Caller) -> str | None:
        """Remember a device that has signed in; None if that cannot be, which does not keep the guest out."""
        try:
            keepsake = await self._remembered.remember(gateway, token, caller.keys.get(gateway.network))
        except StoreError:
            return None
        if keepsake is None:
            return None
        is_secure = caller.is_secure or self._is_public_over_tls
        return keep(gateway.network, keepsake, self._path, self._utc_now(), is_secure=is_secure)

    async def _welcome_back(
        self, gateway: Gateway, visitor: LoginQuery, caller: Caller, farewell: EndNotice | None
    ) -> Answer | None:
        """Offer to come in without a form; None for a device that is not remembered."""
        recalled = await self._remembered.recall(gateway, visitor, caller.keys.get(gateway.network))
        if recalled is None:
            return None
        network = self._directory.network(gateway.network)
        state, now = self._state.seal_visitor(visitor), self._utc_now()
        other = f"{urls.login_of(self._path, visitor)}&{urls.WITH_FORM}=1"
        body = sign_in_pages.back(network, state, other, recalled.until, now, farewell, can_forget=not recalled.by_mac)
        return Answer(body, forms=urls.way_in(gateway, caller.host))

    async def _try(
        self, gateway: Gateway, visitor: LoginQuery, form: Mapping[str, str], caller: Caller
    ) -> Admitted | Refused | None:
        """
        Let a guest in the way of the form that they have sent.

        @return: None for a form that is of no way in which they may sign in here.
        """
        way = self._way_of(gateway, form)
        if way is SignInMethod.VOUCHER:
            return await self._vouchers.sign_in(gateway, visitor, form["code"], caller.source)
        if way is SignInMethod.ACCOUNT:
            password = form.get("password", "")
            return await self._admission.account(gateway, visitor, form["name"], password, caller.source)
        return await self._admission.splash(gateway, visitor) if way is SignInMethod.SPLASH else None

    def _way_of(self, gateway: Gateway, form: Mapping[str, str]) -> SignInMethod | None:
        """Tell in which way of the network a form wants to sign in; a lone button needs no name."""
        ways = self._directory.network(gateway.network).methods
        if ways == (SignInMethod.SPLASH,):
            return SignInMethod.SPLASH
        return next((way for name, way in _NAMED.items() if name in form and way in ways), None)

    async def _is_online(self, gateway: Gateway, visitor: LoginQuery) -> bool:
        return visitor.mac is not None and await self._admission.is_online(gateway, visitor.mac)

    def _form(
        self,
        gateway: Gateway,
        visitor: LoginQuery,
        caller: Caller,
        refused: Refused | None = None,
        form: Mapping[str, str] | None = None,
        farewell: EndNotice | None = None,
    ) -> Answer:
        """Show the form, empty, or as C{form} was filled in, below why the last try or the last stay ended."""
        form = form or {}
        network = self._directory.network(gateway.network)
        visitor, state = self._seal(visitor)
        body = sign_in_pages.sign_in(
            network,
            state,
            refused,
            first=self._way_of(gateway, form),
            name=form.get("name", ""),
            code=_shown(form.get("code", "")),
            again="again" in form,
            remember="remember" in form,
            has_help=self._care.is_open,
            can_sign_up=self._registration.is_offered(self._directory.network(gateway.network)),
            now=self._utc_now(),
            farewell=farewell,
        )
        forms, address = urls.way_in(gateway, caller.host), urls.login_of(self._path, visitor)
        if refused is None:
            return Answer(body, forms=forms, address=address)
        return refusal(body, refused, forms, address)

    def _seal(self, visitor: LoginQuery) -> tuple[LoginQuery, str]:
        """Sign who stands there; the page they wanted is forgotten where its address would make ours too large."""
        state = self._state.seal_visitor(visitor)
        if len(state) <= _MOST_STATE:
            return visitor, state
        visitor = replace(visitor, url=None)
        return visitor, self._state.seal_visitor(visitor)

    def _already_online(self, gateway: Gateway, visitor: LoginQuery, caller: Caller) -> Answer:
        network = self._directory.network(gateway.network)
        body = sign_in_pages.online(network, self._state.seal_visitor(visitor), visitor.url)
        return Answer(body, forms=urls.way_in(gateway, caller.host), address=urls.login_of(self._path, visitor))

    def _stranger(self, visitor: LoginQuery, caller: Caller) -> Answer:
        now = self._utc_now()
        self._remember_waiting(
            WaitingGateway(visitor.gw_id, now, now, caller.source, visitor.gw_address, visitor.gw_port)
        )
        return Answer(notices.adopt(visitor), HTTPStatus.NOT_FOUND)


def _shown(typed: str) -> str:
    """Write a code for people; what is none as it was typed."""
    code = read_code(typed)
    return typed[:100] if code is None else show_code(code)
