"""Accounts that guests make themselves: signing up, following links, help for the forgetful."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from wifidogd.account_care import AccountCare, Outcome
from wifidogd.admission import Admission
from wifidogd.correspondence import Letter, Reader
from wifidogd.directory import Directory
from wifidogd.errors import Overloaded, StoreUnavailable
from wifidogd.gateways import Gateway
from wifidogd.model import Visitor
from wifidogd.offers import Network, SignIn
from wifidogd.opening import Admitted, Refusal, Refused
from wifidogd.registration import Registration
from wifidogd.web import links
from wifidogd.web.brand import Page
from wifidogd.web.exchange import Answer, Caller
from wifidogd.web.fields import read_query
from wifidogd.web.human import minutes_to_wait
from wifidogd.web.pages import Notice, Pages
from wifidogd.web.state import ForgedState, FormState, StaleState

RETRY_AFTER = timedelta(seconds=10)
DEFAULT_NETWORK = "default"
LONGEST_SHOWN = 100

_STATUS = {
    Refusal.TOO_MANY_TRIES: HTTPStatus.TOO_MANY_REQUESTS,
    Refusal.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    Refusal.NO_ADDRESS: HTTPStatus.BAD_REQUEST,
    Refusal.WEAK_PASSWORD: HTTPStatus.BAD_REQUEST,
    Refusal.WRONG_PASSWORD: HTTPStatus.UNAUTHORIZED,
}
_DONE = {Outcome.NO_LINK: HTTPStatus.NOT_FOUND}


@dataclass(frozen=True, slots=True)
class ByMail:
    """
    What needs a mail server.

    @ivar registration: makes accounts.
    @ivar care: looks after them.
    """

    registration: Registration
    care: AccountCare


class RegistrationDesk:
    """
    Shows what needs a mail server, where there is one.

    Only signing up needs a gateway; the rest works from anywhere, as a link
    may be opened on another device than it was asked for on.
    """

    def __init__(
        self, directory: Directory, admission: Admission, by_mail: ByMail | None, state: FormState, pages: Pages
    ) -> None:
        """
        @param by_mail: None where no mail can be sent: then none of these pages exists.
        """
        self._directory = directory
        self._admission = admission
        self._by_mail = by_mail
        self._state = state
        self._pages = pages

    @property
    def is_open(self) -> bool:
        """Tell whether guests can be written to."""
        return self._by_mail is not None

    def is_offered(self, network: Network) -> bool:
        """Tell whether guests of a network may make accounts."""
        return self._by_mail is not None and network.sign_up and SignIn.ACCOUNT in network.methods

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
        if isinstance(came, Answer) or self._by_mail is None:
            return came if isinstance(came, Answer) else self._nothing()
        gateway, visitor = came
        try:
            if visitor.mac is not None and await self._admission.is_online(gateway, visitor.mac):
                return Answer(
                    self._pages.redirect(self._login(visitor)), HTTPStatus.SEE_OTHER, location=self._login(visitor)
                )
            outcome = await self._by_mail.registration.sign_up(
                gateway, visitor, form.get("email", ""), form.get("password", ""), caller.language.tag
            )
        except (StoreUnavailable, Overloaded):
            outcome = Refused(Refusal.BUSY)
        if isinstance(outcome, Admitted):
            location = links.admitting(gateway, outcome.token)
            return Answer(self._pages.redirect(location), HTTPStatus.SEE_OTHER, location=location)
        return self._sign_up_page(gateway, visitor, caller, outcome, form.get("email", ""))

    def show_forgotten(self, query: bytes) -> Answer:
        """Ask whom to write to."""
        if self._by_mail is None:
            return self._nothing()
        return self._form("forgotten.html", read_query(query).get("state", ""))

    async def write_again(self, form: Mapping[str, str], caller: Caller) -> Answer:
        """Send user name and a link for a new password, or the link that validates, to who has the address."""
        if self._by_mail is None:
            return self._nothing()
        letter = Letter.VALIDATE if form.get("want") == "validate" else Letter.RECOVER
        reader = Reader(self._network(form.get("state", "")), caller.language.tag)
        outcome = await self._by_mail.care.write_again(letter, form.get("email", ""), reader, caller.source)
        return self._told("forgotten.html", outcome, form)

    def show_account(self, query: bytes) -> Answer:
        """Ask who somebody is and what they want to change."""
        if self._by_mail is None:
            return self._nothing()
        return self._form("account.html", read_query(query).get("state", ""))

    async def change(self, form: Mapping[str, str], caller: Caller) -> Answer:
        """Change password or address."""
        if self._by_mail is None:
            return self._nothing()
        care, name, password = self._by_mail.care, form.get("name", ""), form.get("password", "")
        outcome: Outcome | Refused
        if form.get("change") == "address":
            reader = Reader(self._network(form.get("state", "")), caller.language.tag)
            outcome = await care.change_address(name, password, form.get("email", ""), reader)
        else:
            outcome = await care.change_password(name, password, form.get("new_password", ""))
        return self._told("account.html", outcome, form)

    async def follow(self, secret: str) -> Answer:
        """
        Follow the link of a mail at once.

        A program that looks at mails before people do may follow it too:
        then the address has been shown to be read, which is all we ask.  A
        new password waits for its form.
        """
        if self._by_mail is None:
            return self._nothing()
        outcome = await self._by_mail.care.follow(secret)
        if outcome is Outcome.ASK_PASSWORD:
            return Answer(self._pages.account("new_password.html", None, secret=secret, why=None, minutes=0))
        return self._done(outcome)

    async def choose_password(self, secret: str, form: Mapping[str, str]) -> Answer:
        """Replace a forgotten password."""
        if self._by_mail is None:
            return self._nothing()
        outcome = await self._by_mail.care.choose_password(secret, form.get("password", ""))
        if isinstance(outcome, Refused):
            values = {"secret": secret, "why": outcome.why.name, "minutes": minutes_to_wait(outcome.wait)}
            return _refusal(self._pages.account("new_password.html", None, **values), outcome)
        return self._done(outcome)

    def _come(self, fields: Mapping[str, str]) -> tuple[Gateway, Visitor] | Answer:
        """Tell where a guest is; the answer if they cannot sign up there."""
        try:
            visitor = self._state.open_visitor(fields.get("state", ""))
        except StaleState as stale:
            return Answer(self._pages.stale(self._login(stale.visitor)), HTTPStatus.BAD_REQUEST)
        except ForgedState:
            return Answer(self._pages.stale(None), HTTPStatus.BAD_REQUEST)
        gateway = self._directory.gateway(visitor.gw_id)
        if gateway is None or not self.is_offered(self._directory.network(gateway.network)):
            return self._nothing()
        return gateway, visitor

    def _sign_up_page(
        self, gateway: Gateway, visitor: Visitor, caller: Caller, refused: Refused | None = None, typed: str = ""
    ) -> Answer:
        network, state = self._directory.network(gateway.network), self._state.seal_visitor(visitor)
        page = self._pages.account(
            "sign_up.html",
            network,
            state=state,
            email=typed[:LONGEST_SHOWN],
            login=self._login(visitor),
            grace=network.grace,
            **_why(refused),
        )
        forms, address = links.way_in(gateway, caller.host), f"{self._pages.path}sign-up?state={state}"
        if refused is None:
            return Answer(page, forms=forms, address=address)
        return _refusal(page, refused, forms, address)

    def _form(
        self, template: str, state: str, refused: Refused | None = None, typed: Mapping[str, str] | None = None
    ) -> Answer:
        """Show a form, empty or as it was filled in."""
        network = self._network(state)
        shown = {name: (typed or {}).get(name, "")[:LONGEST_SHOWN] for name in ("email", "name")}
        page = self._pages.account(template, network, state=state, **shown, **_why(refused))
        return Answer(page) if refused is None else _refusal(page, refused)

    def _told(self, template: str, outcome: Outcome | Refused, form: Mapping[str, str]) -> Answer:
        """Say what has come of a form."""
        state = form.get("state", "")
        if isinstance(outcome, Refused):
            return self._form(template, state, outcome, form)
        if outcome is not Outcome.MAIL_SENT:
            return self._done(outcome)
        visitor = self._visitor(state)
        login = None if visitor is None else self._login(visitor)
        email = form.get("email", "")[:LONGEST_SHOWN].strip()
        return Answer(self._pages.account("check_mail.html", self._network(state), email=email, login=login))

    def _done(self, outcome: Outcome) -> Answer:
        return Answer(
            self._pages.account("validated.html", None, outcome=outcome.name), _DONE.get(outcome, HTTPStatus.OK)
        )

    def _visitor(self, state: str) -> Visitor | None:
        """Tell who is at the login page, as far as that is known, which does not matter much here."""
        try:
            return self._state.open_visitor(state)
        except StaleState as stale:
            return stale.visitor
        except ForgedState:
            return None

    def _network(self, state: str) -> Network:
        """Tell whose guest somebody is; that of the default network when nobody knows."""
        visitor = self._visitor(state)
        gateway = None if visitor is None else self._directory.gateway(visitor.gw_id)
        return self._directory.network(DEFAULT_NETWORK if gateway is None else gateway.network)

    def _login(self, visitor: Visitor) -> str:
        return links.login_of(self._pages.path, visitor)

    def _nothing(self) -> Answer:
        return Answer(self._pages.notice(Notice.NOT_FOUND), HTTPStatus.NOT_FOUND)


def _why(refused: Refused | None) -> dict[str, object]:
    """Say what templates need to explain a refusal."""
    if refused is None:
        return {"why": None, "minutes": 0}
    return {"why": refused.why.name, "minutes": minutes_to_wait(refused.wait)}


def _refusal(page: Page, refused: Refused, forms: tuple[str, ...] = (), address: str | None = None) -> Answer:
    wait = refused.wait or (RETRY_AFTER if refused.why is Refusal.BUSY else None)
    status = _STATUS.get(refused.why, HTTPStatus.FORBIDDEN)
    return Answer(page, status, forms, retry_after=wait, address=address)
