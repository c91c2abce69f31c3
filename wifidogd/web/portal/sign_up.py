"""Accounts that guests make themselves; mounted only where there is a mail server."""

from __future__ import annotations

from collections.abc import Mapping

from wifidogd.access.open_session import Admitted, Refusal, Refused
from wifidogd.accounts.registration import Registration
from wifidogd.domain.errors import Overloaded, StoreUnavailable
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.plans import Network, SignInMethod
from wifidogd.domain.sessions import UtcNow
from wifidogd.gateways.registry import Registry
from wifidogd.web.portal.form_state import ForgedState, FormState, StaleState
from wifidogd.web.portal.http import Answer, Caller, lead_to, not_found, refusal, stale
from wifidogd.web.portal.session_cookie import set_session_cookie
from wifidogd.web.rendering import urls
from wifidogd.web.rendering.brand import page_of
from wifidogd.web.rendering.formatting import why_of
from wifidogd.web.server.query import read_query

LONGEST_SHOWN = 100
"""Characters of what a guest typed that a form shows again."""


def offers_sign_up(network: Network) -> bool:
    """Return whether guests of a network may make accounts, where there is a mail server."""
    return network.sign_up and SignInMethod.ACCOUNT in network.methods


class SignUpPages:
    """Makes accounts for guests at a gateway whose network wants that."""

    def __init__(
        self, registry: Registry, registration: Registration, state: FormState, path: str, *, utc_now: UtcNow
    ) -> None:
        self._registry = registry
        self._registration = registration
        self._state = state
        self._path = path
        self._utc_now = utc_now

    def show_sign_up(self, query: bytes, caller: Caller) -> Answer:
        """
        Ask for address and password.

        @raise StoreUnavailable: while nobody can say who is adopted.
        """
        request = self._request(read_query(query), caller)
        return request if isinstance(request, Answer) else self._sign_up_page(request, caller)

    async def sign_up(self, form: Mapping[str, str], caller: Caller) -> Answer:
        """
        Make an account and let its guest in.

        @raise StoreUnavailable: while nobody can say who is adopted.
        """
        request = self._request(form, caller)
        if isinstance(request, Answer):
            return request
        email, password = form.get("email", ""), form.get("password", "")
        try:
            outcome = await self._registration.sign_up(request, email, password, caller.language.tag)
        except (StoreUnavailable, Overloaded):
            outcome = Refused(Refusal.BUSY)
        if isinstance(outcome, Admitted):
            cookie = set_session_cookie(request.network, outcome.browser_secret, self._path)
            return lead_to(urls.admitting(request.gateway, outcome.token), (cookie,))
        if outcome.why is Refusal.ALREADY_ONLINE:
            return lead_to(urls.login_of(self._path, request.query))
        return self._sign_up_page(request, caller, outcome, email)

    def _request(self, fields: Mapping[str, str], caller: Caller) -> GuestRequest | Answer:
        """Read where a guest is; the answer if they cannot sign up there."""
        try:
            login_query = self._state.open_login_query(fields.get("state", ""))
        except StaleState as old:
            return stale(urls.login_of(self._path, old.login_query))
        except ForgedState:
            return stale()
        gateway = self._registry.gateway(login_query.gw_id)
        network = None if gateway is None else self._registry.network(gateway.network)
        if gateway is None or network is None or not offers_sign_up(network):
            return not_found()
        return GuestRequest(gateway, network, login_query, self._utc_now(), caller.source)

    def _sign_up_page(
        self, request: GuestRequest, caller: Caller, refused: Refused | None = None, typed: str = ""
    ) -> Answer:
        state = self._state.seal_login_query(request.query)
        page = page_of(
            "sign_up.html",
            request.network,
            state=state,
            email=typed[:LONGEST_SHOWN],
            login=urls.login_of(self._path, request.query),
            grace=request.network.grace,
            **why_of(refused),
        )
        forms, address = urls.way_in(request.gateway, caller.host), f"{self._path}sign-up?state={state}"
        if refused is None:
            return Answer(page, forms=forms, address=address)
        return refusal(page, refused, forms, address)
