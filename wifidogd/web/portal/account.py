"""Accounts that guests have made: links in mails, forgotten passwords, changes; only where there is a mail server."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from wifidogd.access.open_session import Refused
from wifidogd.accounts.mailed_links import MailedLinks
from wifidogd.accounts.mails import MailKind, Reader
from wifidogd.accounts.self_service import Outcome, SelfService
from wifidogd.domain.plans import Network
from wifidogd.domain.sessions import LoginQuery
from wifidogd.gateways.registry import Registry
from wifidogd.web.portal.form_state import ForgedState, FormState, StaleState
from wifidogd.web.portal.http import Answer, Caller, refusal
from wifidogd.web.portal.sign_up import LONGEST_SHOWN
from wifidogd.web.rendering import urls
from wifidogd.web.rendering.brand import Page, page_of
from wifidogd.web.rendering.formatting import why_of
from wifidogd.web.server.query import read_query

DEFAULT_NETWORK = "default"

_DONE = {Outcome.NO_LINK: HTTPStatus.NOT_FOUND}

_FORMS = {
    Outcome.ASK_CONFIRMATION: "confirm.html",
    Outcome.ASK_CONFIRMATION_OF_MOVE: "confirm.html",
    Outcome.ASK_PASSWORD: "new_password.html",
}
"""The form that does what a link asks for."""


class AccountPages:
    """
    Looks after accounts.

    These pages work from anywhere, as a link may be opened on another device
    than the one it was asked for on.
    """

    def __init__(
        self, registry: Registry, self_service: SelfService, mailed_links: MailedLinks, state: FormState, path: str
    ) -> None:
        self._registry = registry
        self._self_service = self_service
        self._mailed_links = mailed_links
        self._state = state
        self._path = path

    def show_forgotten(self, query: bytes) -> Answer:
        """Ask for the address to write to."""
        return self._form("forgotten.html", read_query(query).get("state", ""))

    async def write_again(self, form: Mapping[str, str], caller: Caller) -> Answer:
        """Send the owner of an address the user name and a link for a new password, or the link that validates it."""
        letter = MailKind.VALIDATE if form.get("want") == "validate" else MailKind.RECOVER
        reader = Reader(self._network(form.get("state", "")), caller.language.tag)
        outcome = await self._self_service.write_again(letter, form.get("email", ""), reader, caller.source)
        return self._told("forgotten.html", outcome, form)

    def show_account(self, query: bytes) -> Answer:
        """Ask for name, password and what to change."""
        return self._form("account.html", read_query(query).get("state", ""))

    async def change(self, form: Mapping[str, str], caller: Caller) -> Answer:
        """Change password or address."""
        name, password = form.get("name", ""), form.get("password", "")
        outcome: Outcome | Refused
        if form.get("change") == "address":
            reader = Reader(self._network(form.get("state", "")), caller.language.tag)
            outcome = await self._self_service.change_address(
                name, password, form.get("email", ""), reader, caller.source
            )
        else:
            outcome = await self._self_service.change_password(
                name, password, form.get("new_password", ""), caller.source
            )
        return self._told("account.html", outcome, form)

    async def show_link(self, secret: str) -> Answer:
        """
        Show the form that does what the link of a mail is for.

        Programs that scan mails open links before people do, so that opening one does nothing.
        """
        asked = await self._mailed_links.look(secret)
        return Answer(_link_page(asked, secret)) if asked in _FORMS else self._done(asked)

    async def use_link(self, secret: str, form: Mapping[str, str], caller: Caller) -> Answer:
        """Confirm an address, or replace a forgotten password."""
        asked = await self._mailed_links.look(secret)
        if asked not in _FORMS:
            return self._done(asked)
        outcome: Outcome | Refused
        if asked is Outcome.ASK_PASSWORD or "new_password" in form:
            chosen = form.get("new_password", form.get("password", ""))
            outcome = await self._mailed_links.choose_password(secret, chosen, caller.source)
        else:
            outcome = await self._mailed_links.confirm(secret, form.get("password", ""), caller.source)
        if isinstance(outcome, Refused):
            return refusal(_link_page(asked, secret, outcome), outcome)
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
        """Answer a form with what has come of it."""
        state = form.get("state", "")
        if isinstance(outcome, Refused):
            return self._form(template, state, outcome, form)
        if outcome is not Outcome.MAIL_SENT:
            return self._done(outcome)
        login_query = self._login_query(state)
        login = None if login_query is None else urls.login_of(self._path, login_query)
        email = form.get("email", "")[:LONGEST_SHOWN].strip()
        return Answer(page_of("check_mail.html", self._network(state), email=email, login=login))

    def _done(self, outcome: Outcome) -> Answer:
        return Answer(page_of("validated.html", outcome=outcome.name), _DONE.get(outcome, HTTPStatus.OK))

    def _login_query(self, state: str) -> LoginQuery | None:
        """Return where the guest was signing in, as far as that is known, which does not matter much here."""
        try:
            return self._state.open_login_query(state)
        except StaleState as old:
            return old.login_query
        except ForgedState:
            return None

    def _network(self, state: str) -> Network:
        """Return the network of a guest; the default one when nobody knows."""
        login_query = self._login_query(state)
        gateway = None if login_query is None else self._registry.gateway(login_query.gw_id)
        return self._registry.network(DEFAULT_NETWORK if gateway is None else gateway.network)


def _link_page(asked: Outcome, secret: str, refused: Refused | None = None) -> Page:
    return page_of(_FORMS[asked], secret=secret, asked=asked.name, **why_of(refused))
