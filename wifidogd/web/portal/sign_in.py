"""The login page: from the gateway's redirect to the redirect back to the gateway."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import urlsplit

from wifidogd.access.arrivals import Arrival, Arrivals
from wifidogd.access.mail_access import MailAccess
from wifidogd.access.open_session import Admitted, Refusal, Refused
from wifidogd.access.remembered_devices import RememberedDevices
from wifidogd.access.roaming import Roaming
from wifidogd.access.session_view import SessionView, SessionViews
from wifidogd.access.sign_in import AccountSignIn
from wifidogd.access.voucher_sign_in import VoucherSignIn
from wifidogd.domain.errors import Overloaded, StoreUnavailable
from wifidogd.domain.gateways import Gateway, WaitingGateway, propose_gw_id, show_gw_id
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.plans import SignInMethod
from wifidogd.domain.reports.activity import ActivityKind, NoteActivity
from wifidogd.domain.sessions import LoginQuery, UtcNow
from wifidogd.gateways.registry import Registry
from wifidogd.web.portal.form_state import ForgedState, FormState, StaleState
from wifidogd.web.portal.http import Answer, Caller, stale
from wifidogd.web.portal.login_query import Flaw, is_elsewhere, read_login_query
from wifidogd.web.portal.sign_in_answers import SignInAnswers, way_of
from wifidogd.web.rendering import notices, urls
from wifidogd.web.rendering.notices import Notice
from wifidogd.web.rendering.urls import code_caught
from wifidogd.web.server.query import read_query


@dataclass(frozen=True, slots=True)
class SignInServices:
    """The ways to sign in, and what is known of guests who come."""

    arrivals: Arrivals
    account_sign_in: AccountSignIn
    voucher_sign_in: VoucherSignIn
    remembered_devices: RememberedDevices
    roaming: Roaming
    mail_access: MailAccess


class SignInPages:
    """
    Signs guests in at the login page.

    What the redirect says of a guest is signed into the form, and nothing else
    is believed when the form comes back; where the guest goes then is looked
    up in the registry again.
    """

    def __init__(
        self,
        registry: Registry,
        services: SignInServices,
        views: SessionViews,
        state: FormState,
        path: str,
        *,
        has_mail: bool,
        remember_waiting: Callable[[WaitingGateway], None],
        learn_device: Callable[[str, str], None],
        note_activity: NoteActivity,
        utc_now: UtcNow,
        public_url: str | None,
    ) -> None:
        """
        @param has_mail: whether guests can be written to.
        @param remember_waiting: called for each guest whom an unknown gateway sends, or a known one from elsewhere.
        @param learn_device: called with the device that a guest's gateway is on, and the gateway's name.
        @param public_url: what guests reach this server by, perhaps through a proxy that ends TLS; None when only
            their browsers know.
        """
        self._registry = registry
        self._services = services
        self._views = views
        self._state = state
        self._path = path
        self._remember_waiting, self._learn_device = remember_waiting, learn_device
        self._note_activity = note_activity
        self._utc_now = utc_now
        parts = urlsplit(public_url or "")
        self._own_hosts = {parts.hostname} if parts.hostname else set()
        self._answers = SignInAnswers(
            state, path, has_mail=has_mail, utc_now=utc_now, is_public_over_tls=parts.scheme == "https"
        )

    async def show(self, query: bytes, caller: Caller, code: str | None = None) -> Answer:
        """
        Answer the redirect of a gateway.

        @param code: of a voucher, to be filled in; None for that of a L{detour<wifidogd.web.rendering.urls>}, if any.
        @raise StoreUnavailable: while nobody can say who is adopted or online.
        """
        login_query = read_login_query(query, self._own_hosts | {caller.host} if caller.host else self._own_hosts)
        if isinstance(login_query, Flaw):
            if login_query is Flaw.GATEWAY_ID:
                return self._misnamed(query, caller)
            status = HTTPStatus.BAD_REQUEST if login_query is Flaw.GATEWAY_ADDRESS else HTTPStatus.NOT_FOUND
            return Answer(notices.notice(Notice.NO_GATEWAY), status)
        if not self._registry.loaded:
            raise StoreUnavailable("the registry has not been read yet")
        gateway = self._registry.gateway(login_query.gw_id) or await self._registry.adopt_if_trusted(login_query)
        if gateway is None:
            return self._not_adopted(login_query, caller)
        request = self._request(gateway, login_query, caller)
        if is_elsewhere(gateway, login_query):
            self._remember(login_query, caller)
            return Answer(notices.moved(request.network, gateway, login_query), HTTPStatus.BAD_REQUEST)
        self._note_activity(gateway.gw_id, ActivityKind.GUEST)
        if login_query.device_id is not None:
            self._learn_device(login_query.device_id, gateway.gw_id)
        arrival = await self._services.arrivals.look_up(request)
        own = await self._own_session(request, caller) if arrival.is_online or request.mac is None else None
        if arrival.is_online or own is not None:
            return self._answers.already_online(request, caller, own)
        caught = code_caught(login_query.url)
        if caught is not None:
            request = replace(request, query=replace(login_query, url=None))
        code = code or caught
        is_known = arrival.is_elsewhere or arrival.recognized is not None
        if code is None and is_known and urls.WITH_FORM not in read_query(query):
            return await self._welcome_back(request, caller, arrival)
        filled = {"code": code} if code else {}
        offers_mail = await self._services.mail_access.is_offered(request)
        return self._answers.form(request, caller, None, filled, arrival.end_notice, offers_mail=offers_mail)

    async def submit(self, form: Mapping[str, str], caller: Caller) -> Answer:
        """
        Answer a form of L{show} that came back.

        @raise StoreUnavailable: while nobody can say who is adopted.
        """
        try:
            login_query = self._state.open_login_query(form.get("state", ""))
        except StaleState as old:
            return stale(urls.login_of(self._path, old.login_query))
        except ForgedState:
            return stale()
        gateway = self._registry.gateway(login_query.gw_id)
        if gateway is None:
            return self._not_adopted(login_query, caller)
        request = self._request(gateway, login_query, caller, form)
        if "mail" in form:
            return self._answers.mail_access(request, await self._services.mail_access.open(request))
        try:
            outcome = await self._sign_in(request, form)
        except (StoreUnavailable, Overloaded):
            outcome = Refused(Refusal.BUSY)
        if isinstance(outcome, Admitted):
            return self._answers.lead_in(request, outcome, caller)
        if outcome is not None and outcome.why is Refusal.ALREADY_ONLINE:
            return self._answers.already_online(request, caller, await self._own_session(request, caller))
        return self._answers.form(request, caller, outcome, form)

    async def _welcome_back(self, request: GuestRequest, caller: Caller, arrival: Arrival) -> Answer:
        """Offer a known device to come in, or let it through where the network says so and the gateway has a key."""
        if request.network.lets_known_through and request.gateway.key_hashes and arrival.end_notice is None:
            secret = caller.sessions.get(request.network.name)
            known = None if secret is None else await self._views.recognize([secret])
            # Who has just logged out, or was made to leave, would otherwise be online again at once.
            if known is None or known.reason is None:
                outcome = await self._come_back(request)
                if isinstance(outcome, Admitted):
                    return self._answers.lead_in(request, outcome, caller)
        recognized = None if arrival.is_elsewhere else arrival.recognized
        return self._answers.back(request, caller, recognized, arrival.end_notice)

    async def _come_back(self, request: GuestRequest) -> Admitted | Refused | None:
        """Let in a known device: one that is online at another gateway, or one that is remembered."""
        return await self._services.roaming.follow(request) or await self._services.remembered_devices.come_back(
            request
        )

    async def _own_session(self, request: GuestRequest, caller: Caller) -> SessionView | None:
        """Return the session that is online at this gateway and that the browser has signed in to, if any."""
        secret = caller.sessions.get(request.network.name)
        known = None if secret is None else await self._views.recognize([secret])
        view = None if known is None else known.view
        is_here = view is not None and view.online and view.gateway.gw_id == request.gateway.gw_id
        return view if is_here else None

    def _request(
        self, gateway: Gateway, login_query: LoginQuery, caller: Caller, form: Mapping[str, str] | None = None
    ) -> GuestRequest:
        network = self._registry.network(gateway.network)
        return GuestRequest(
            gateway,
            network,
            login_query,
            self._utc_now(),
            caller.source,
            device_key=caller.keys.by_network.get(network.name),
            wants_remembering="remember" in (form or {}),
            even_if_online="again" in (form or {}),
        )

    async def _sign_in(self, request: GuestRequest, form: Mapping[str, str]) -> Admitted | Refused | None:
        """
        Sign a guest in the way of the form that was sent.

        @return: None for a form of no way to sign in that this network offers.
        """
        services, way = self._services, way_of(request.network, form)
        outcome: Admitted | Refused | None = None
        if "back" in form:
            return await self._come_back(request)
        if way is SignInMethod.ACCOUNT:
            return await services.account_sign_in.account(request, form["name"], form.get("password", ""))
        if way is SignInMethod.SPLASH:
            return await services.account_sign_in.splash(request)
        if way is SignInMethod.VOUCHER:
            outcome = await services.voucher_sign_in.sign_in(request, form["code"])
        if outcome is None or (isinstance(outcome, Refused) and outcome.why is Refusal.MISTYPED_CODE):
            # Nobody has asked the database yet whether the guest needs to sign in at all.
            return await services.arrivals.refuse_if_online(request) or outcome
        return outcome

    def _not_adopted(self, login_query: LoginQuery, caller: Caller) -> Answer:
        self._remember(login_query, caller)
        return Answer(notices.adopt(login_query), HTTPStatus.NOT_FOUND)

    def _misnamed(self, query: bytes, caller: Caller) -> Answer:
        """Tell the owner of a gateway that cannot be adopted under its name what to change."""
        name, now = read_query(query)["gw_id"], self._utc_now()
        self._remember_waiting(WaitingGateway(show_gw_id(name), now, now, caller.source))
        return Answer(notices.misnamed(show_gw_id(name), propose_gw_id(name)), HTTPStatus.NOT_FOUND)

    def _remember(self, login_query: LoginQuery, caller: Caller) -> None:
        now = self._utc_now()
        self._remember_waiting(
            WaitingGateway(
                login_query.gw_id,
                now,
                now,
                caller.source,
                login_query.gw_address,
                login_query.gw_port,
                device_id=login_query.device_id,
            )
        )
