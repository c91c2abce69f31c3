"""Accounts that guests have made: links of mails, help for the forgetful, changes."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from wifidogd.access.open_session import Refused
from wifidogd.accounts.mails import MailKind, Reader
from wifidogd.accounts.self_service import Outcome, SelfService
from wifidogd.domain.plans import Network
from wifidogd.domain.sessions import LoginQuery
from wifidogd.gateways.registry import Registry
from wifidogd.web.portal.form_state import ForgedState, FormState, StaleState
from wifidogd.web.portal.http import Answer, Caller, not_found, refusal
from wifidogd.web.portal.sign_up import LONGEST_SHOWN
from wifidogd.web.rendering import urls
from wifidogd.web.rendering.brand import page_of
from wifidogd.web.rendering.formatting import why_of
from wifidogd.web.server.query import read_query

DEFAULT_NETWORK = "default"

_DONE = {Outcome.NO_LINK: HTTPStatus.NOT_FOUND}


class AccountPages:
    """
    Looks after accounts, where there is a mail server.

    It works from anywhere, as a link may be opened on another device than it
    was asked for on.
    """

    def __init__(self, directory: Registry, care: SelfService | None, state: FormState, path: str) -> None:
        """
        @param care: None where no mail can be sent: then none of these pages exists.
        """
        self._directory = directory
        self._care = care
        self._state = state
        self._path = path

    @property
    def is_open(self) -> bool:
        """Tell whether guests can be written to."""
        return self._care is not None

    def show_forgotten(self, query: bytes) -> Answer:
        """Ask whom to write to."""
        if self._care is None:
            return not_found()
        return self._form("forgotten.html", read_query(query).get("state", ""))

    async def write_again(self, form: Mapping[str, str], caller: Caller) -> Answer:
        """Send user name and a link for a new password, or the link that validates, to who has the address."""
        if self._care is None:
            return not_found()
        letter = MailKind.VALIDATE if form.get("want") == "validate" else MailKind.RECOVER
        reader = Reader(self._network(form.get("state", "")), caller.language.tag)
        outcome = await self._care.write_again(letter, form.get("email", ""), reader, caller.source)
        return self._told("forgotten.html", outcome, form)

    def show_account(self, query: bytes) -> Answer:
        """Ask who somebody is and what they want to change."""
        if self._care is None:
            return not_found()
        return self._form("account.html", read_query(query).get("state", ""))

    async def change(self, form: Mapping[str, str], caller: Caller) -> Answer:
        """Change password or address."""
        if self._care is None:
            return not_found()
        name, password = form.get("name", ""), form.get("password", "")
        outcome: Outcome | Refused
        if form.get("change") == "address":
            reader = Reader(self._network(form.get("state", "")), caller.language.tag)
            outcome = await self._care.change_address(name, password, form.get("email", ""), reader, caller.source)
        else:
            outcome = await self._care.change_password(name, password, form.get("new_password", ""), caller.source)
        return self._told("account.html", outcome, form)

    def glance(self) -> Answer:
        """Answer who asks for no more than the head of a link's page: the link stays good."""
        return not_found() if self._care is None else Answer(b"")

    async def follow(self, secret: str) -> Answer:
        """
        Follow the link of a mail at once.

        A program that looks at mails before people do may follow it too:
        then the address has been shown to be read, which is all we ask.  A
        new password waits for its form.
        """
        if self._care is None:
            return not_found()
        outcome = await self._care.follow(secret)
        if outcome is Outcome.ASK_PASSWORD:
            return Answer(page_of("new_password.html", secret=secret, **why_of(None)))
        return self._done(outcome)

    async def choose_password(self, secret: str, form: Mapping[str, str]) -> Answer:
        """Replace a forgotten password."""
        if self._care is None:
            return not_found()
        outcome = await self._care.choose_password(secret, form.get("password", ""))
        if isinstance(outcome, Refused):
            return refusal(page_of("new_password.html", secret=secret, **why_of(outcome)), outcome)
        return self._done(outcome)

    def _form(
        self, template: str, state: str, refused: Refused | None = None, typed: Mapping[str, str] | None = None
    ) -> Answer:
        """Show a form, empty or as it was filled in."""
        network = self._network(state)
        shown = {name: (typed or {}).get(name, "")[:LONGEST_SHOWN] for name in ("email", "name")}
        page = page_of(template, network, state=state, **shown, **why_of(refused))
        return Answer(page) if refused is None else refusal(page, refused)

    def _told(self, template: str, outcome: Outcome | Refused, form: Mapping[str, str]) -> Answer:
        """Say what has come of a form."""
        state = form.get("state", "")
        if isinstance(outcome, Refused):
            return self._form(template, state, outcome, form)
        if outcome is not Outcome.MAIL_SENT:
            return self._done(outcome)
        visitor = self._visitor(state)
        login = None if visitor is None else urls.login_of(self._path, visitor)
        email = form.get("email", "")[:LONGEST_SHOWN].strip()
        return Answer(page_of("check_mail.html", self._network(state), email=email, login=login))

    def _done(self, outcome: Outcome) -> Answer:
        return Answer(page_of("validated.html", outcome=outcome.name), _DONE.get(outcome, HTTPStatus.OK))

    def _visitor(self, state: str) -> LoginQuery | None:
        """Tell who is at the login page, as far as that is known, which does not matter much here."""
        try:
            return self._state.open_visitor(state)
        except StaleState as old:
            return old.visitor
        except ForgedState:
            return None

    def _network(self, state: str) -> Network:
        """Tell whose guest somebody is; that of the default network when nobody knows."""
        visitor = self._visitor(state)
        gateway = None if visitor is None else self._directory.gateway(visitor.gw_id)
        return self._directory.network(DEFAULT_NETWORK if gateway is None else gateway.network)
