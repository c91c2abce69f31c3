"""The login page: from the gateway's redirect to the redirect back to the gateway."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from ipaddress import ip_address

from wifidogd.admission import Admission
from wifidogd.directory import Directory
from wifidogd.errors import Overloaded, StoreUnavailable
from wifidogd.model import Gateway, SignIn, UtcNow, Visitor, WaitingGateway
from wifidogd.opening import Admitted, Refusal, Refused
from wifidogd.web import links
from wifidogd.web.exchange import Answer, Caller
from wifidogd.web.pages import Notice, Pages
from wifidogd.web.state import ForgedState, FormState, StaleState
from wifidogd.web.visitor import Flaw, read_visitor

RETRY_AFTER = timedelta(seconds=10)

_STATUS = {
    Refusal.WRONG_PASSWORD: HTTPStatus.UNAUTHORIZED,
    Refusal.TOO_MANY_TRIES: HTTPStatus.TOO_MANY_REQUESTS,
    Refusal.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
}


class SignInDesk:
    """
    Shows guests the way in.

    What the redirect says of a guest is signed into the form, and only that
    is read when the form comes back; where the guest goes then is looked up
    in the directory once more.
    """

    def __init__(
        self,
        directory: Directory,
        admission: Admission,
        state: FormState,
        pages: Pages,
        *,
        remember_waiting: Callable[[WaitingGateway], None],
        utc_now: UtcNow,
        public_host: str | None,
    ) -> None:
        """
        @param remember_waiting: told of each guest that an unknown gateway sends.
        @param public_host: name under which guests reach this server; None when only their browsers know.
        """
        self._directory = directory
        self._admission = admission
        self._state = state
        self._pages = pages
        self._remember_waiting = remember_waiting
        self._utc_now = utc_now
        self._own_hosts = {public_host} if public_host else set()

    async def show(self, query: bytes, caller: Caller) -> Answer:
        """
        Answer the redirect of a gateway.

        @raise StoreUnavailable: while nobody can say who is adopted or online.
        """
        visitor = read_visitor(query, self._own_hosts | {caller.host} if caller.host else self._own_hosts)
        if isinstance(visitor, Flaw):
            code = HTTPStatus.BAD_REQUEST if visitor is Flaw.GATEWAY_ADDRESS else HTTPStatus.NOT_FOUND
            return Answer(self._pages.notice(Notice.NO_GATEWAY), code)
        if not self._directory.loaded:
            raise StoreUnavailable("the directory has not been read yet")
        gateway = self._directory.gateway(visitor.gw_id) or await self._directory.adopt_if_trusted(visitor)
        if gateway is None:
            return self._stranger(visitor, caller)
        if _is_elsewhere(gateway, visitor):
            network = self._directory.network(gateway.network)
            return Answer(self._pages.moved(network, gateway, visitor), HTTPStatus.BAD_REQUEST)
        if await self._is_online(gateway, visitor):
            return self._already_online(gateway, visitor, caller)
        return self._form(gateway, visitor, caller)

    async def submit(self, form: Mapping[str, str], caller: Caller) -> Answer:
        """
        Answer a form of L{show} that came back.

        @raise StoreUnavailable: while nobody can say who is adopted.
        """
        try:
            visitor = self._state.open_visitor(form.get("state", ""))
        except StaleState as stale:
            login = links.login_of(self._pages.path, stale.visitor)
            return Answer(self._pages.stale(login), HTTPStatus.BAD_REQUEST)
        except ForgedState:
            return Answer(self._pages.stale(None), HTTPStatus.BAD_REQUEST)
        gateway = self._directory.gateway(visitor.gw_id)
        if gateway is None:
            return self._stranger(visitor, caller)
        try:
            return await self._admit(gateway, visitor, form, caller)
        except (StoreUnavailable, Overloaded):
            return self._form(gateway, visitor, caller, Refused(Refusal.BUSY), form)

    async def _admit(self, gateway: Gateway, visitor: Visitor, form: Mapping[str, str], caller: Caller) -> Answer:
        """Send an online guest through the gateway again only if they insist (protocol: 0.13)."""
        again = "again" in form
        if not again and await self._is_online(gateway, visitor):
            return self._already_online(gateway, visitor, caller)
        if self._directory.network(gateway.network).methods[0] is SignIn.SPLASH:
            outcome: Admitted | Refused = await self._admission.splash(gateway, visitor)
        elif again and "name" not in form:
            return self._form(gateway, visitor, caller, None, form)
        else:
            name, password = form.get("name", ""), form.get("password", "")
            outcome = await self._admission.account(gateway, visitor, name, password)
        if isinstance(outcome, Refused):
            return self._form(gateway, visitor, caller, outcome, form)
        location = links.admitting(gateway, outcome.token)
        return Answer(self._pages.redirect(location), HTTPStatus.SEE_OTHER, location=location)

    async def _is_online(self, gateway: Gateway, visitor: Visitor) -> bool:
        return visitor.mac is not None and await self._admission.is_online(gateway, visitor.mac)

    def _form(
        self,
        gateway: Gateway,
        visitor: Visitor,
        caller: Caller,
        refused: Refused | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Show the form, empty, or as C{form} was filled in."""
        form = form or {}
        body = self._pages.sign_in(
            self._directory.network(gateway.network),
            self._state.seal_visitor(visitor),
            refused,
            name=form.get("name", ""),
            again="again" in form,
        )
        if refused is None:
            return Answer(body, forms=_way_in(gateway, caller))
        wait = refused.wait or (RETRY_AFTER if refused.why is Refusal.BUSY else None)
        return Answer(body, _STATUS[refused.why], _way_in(gateway, caller), retry_after=wait)

    def _already_online(self, gateway: Gateway, visitor: Visitor, caller: Caller) -> Answer:
        network = self._directory.network(gateway.network)
        body = self._pages.online(network, self._state.seal_visitor(visitor), visitor.url)
        return Answer(body, forms=_way_in(gateway, caller))

    def _stranger(self, visitor: Visitor, caller: Caller) -> Answer:
        now = self._utc_now()
        self._remember_waiting(
            WaitingGateway(visitor.gw_id, now, now, caller.source, visitor.gw_address, visitor.gw_port)
        )
        return Answer(self._pages.adopt(visitor), HTTPStatus.NOT_FOUND)


def _way_in(gateway: Gateway, caller: Caller) -> tuple[str, ...]:
    """
    List where a sign-in form leads: the gateway, and from there to our portal.

    The gateway may name our portal with another scheme or port than the
    browser reached us at; C{http:} in a policy allows HTTPS too.
    """
    ours = (f"http://{caller.host}:*",) if caller.host else ()
    return (links.origin_of(gateway), *ours)


def _is_elsewhere(gateway: Gateway, visitor: Visitor) -> bool:
    """
    Tell whether a redirect names another place than the registered one.

    A gateway that also speaks the other IP version (apfree-wifidog's
    C{is_ipv6=1}) is not elsewhere: guests go to the registered address.
    """
    if visitor.gw_address is None:
        return False
    named, registered = ip_address(visitor.gw_address), ip_address(gateway.address)
    if named.version != registered.version:
        return False
    return named != registered or visitor.gw_port not in (None, gateway.port)
