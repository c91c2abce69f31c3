"""Signing up: accounts that guests make themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wifidogd.access.open_session import Admitted, Refusal, Refused
from wifidogd.access.sign_in import AccountSignIn
from wifidogd.accounts.registration import Registration
from wifidogd.accounts.self_service import SelfService
from wifidogd.domain.errors import Overloaded, StoreUnavailable
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import Network, SignInMethod
from wifidogd.domain.sessions import LoginQuery
from wifidogd.gateways.registry import Registry
from wifidogd.web.portal.form_state import ForgedState, FormState, StaleState
from wifidogd.web.portal.http import Answer, Caller, lead_to, not_found, refusal, stale
from wifidogd.web.rendering import urls
from wifidogd.web.rendering.brand import page_of
from wifidogd.web.rendering.formatting import why_of
from wifidogd.web.server.query import read_query

LONGEST_SHOWN = 100
"""Characters of what a guest typed that a form shows again."""


@dataclass(frozen=True, slots=True)
class ByMail:
    """
    What needs a mail server.

    @ivar registration: makes accounts.
    @ivar care: looks after them.
    """

    registration: Registration
    care: SelfService


class SignUpPages:
    """Makes accounts, where there is a mail server, for guests at a gateway whose network wants that."""

    def __init__(
        self,
        directory: Registry,
        admission: AccountSignIn,
        registration: Registration | None,
        state: FormState,
        path: str,
    ) -> None:
        """
        @param registration: None where no mail can be sent: then its page does not exist.
        """
        self._directory = directory
        self._admission = admission
        self._registration = registration
        self._state = state
        self._path = path

    def is_offered(self, network: Network) -> bool:
        """Tell whether guests of a network may make accounts."""
        return self._registration is not None and network.sign_up and SignInMethod.ACCOUNT in network.methods

    def show_sign_up(self, query: bytes, caller: Caller) -> Answer:
        """
        Ask for address and password.

        @raise StoreUnavailable: while nobody can say who is adopted.
        """
        came = self._come(read_query(query))
        return came if isinstance(came, Answer) else self._sign_up_page(*came, caller)

    async def sign_up(self, form: Mapping[str, str], caller: Caller) -> Answer:
        """
        Make an account and let its guest in.

        @raise StoreUnavailable: while nobody can say who is adopted.
        """
        came = self._come(form)
        if isinstance(came, Answer) or self._registration is None:
            return came if isinstance(came, Answer) else not_found()
        gateway, visitor = came
        try:
            if visitor.mac is not None and await self._admission.is_online(gateway, visitor.mac):
                return lead_to(urls.login_of(self._path, visitor))
            outcome = await self._registration.sign_up(
                gateway, visitor, form.get("email", ""), form.get("password", ""), caller.language.tag, caller.source
            )
        except (StoreUnavailable, Overloaded):
            outcome = Refused(Refusal.BUSY)
        if isinstance(outcome, Admitted):
            return lead_to(urls.admitting(gateway, outcome.token))
        return self._sign_up_page(gateway, visitor, caller, outcome, form.get("email", ""))

    def _come(self, fields: Mapping[str, str]) -> tuple[Gateway, LoginQuery] | Answer:
        """Tell where a guest is; the answer if they cannot sign up there."""
        try:
            visitor = self._state.open_visitor(fields.get("state", ""))
        except StaleState as old:
            return stale(urls.login_of(self._path, old.visitor))
        except ForgedState:
            return stale()
        gateway = self._directory.gateway(visitor.gw_id)
        if gateway is None or not self.is_offered(self._directory.network(gateway.network)):
            return not_found()
        return gateway, visitor

    def _sign_up_page(
        self, gateway: Gateway, visitor: LoginQuery, caller: Caller, refused: Refused | None = None, typed: str = ""
    ) -> Answer:
        network, state = self._directory.network(gateway.network), self._state.seal_visitor(visitor)
        page = page_of(
            "sign_up.html",
            network,
            state=state,
            email=typed[:LONGEST_SHOWN],
            login=urls.login_of(self._path, visitor),
            grace=network.grace,
            **why_of(refused),
        )
        forms, address = urls.way_in(gateway, caller.host), f"{self._path}sign-up?state={state}"
        if refused is None:
            return Answer(page, forms=forms, address=address)
        return refusal(page, refused, forms, address)
