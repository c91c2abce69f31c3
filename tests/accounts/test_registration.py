"""Guests making accounts, and looking after them, on a real PostgreSQL; letters are read from the queue."""

from __future__ import annotations

import email
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from email import policy
from email.message import EmailMessage

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

import wifidogd.store.accounts.outbox as mails
from tests.support.builders import NOON, rows, run, together
from tests.support.deadline import within
from wifidogd.access.open_session import Admitted, Refusal, Refused
from wifidogd.access.sign_in import AccountSignIn
from wifidogd.access.throttle import MOST
from wifidogd.accounting.ledger import Ledger
from wifidogd.accounts.mails import MOST_LINKS, MailComposer, MailKind, Reader
from wifidogd.accounts.registration import KEEP_UNVALIDATED, Registration
from wifidogd.accounts.self_service import Outcome, SelfService
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.plans import Network, Plan, SignInMethod
from wifidogd.domain.sessions import AuthCode, Dialect, LoginQuery, Report, Stage
from wifidogd.domain.tokens import hash_secret
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.access.rate_limits import TRIES_WINDOW, SubjectKind
from wifidogd.store.accounting.plans import save_plan
from wifidogd.store.accounts.accounts import add_account, set_disabled, set_password
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.gateways import adopt
from wifidogd.store.gateways.networks import save_network
from wifidogd.web.rendering.mail_templates import MailTemplates

MOST_TRIES, MOST_ON_DEVICE, MOST_AT_GATEWAY, MOST_TO_ADDRESS = 10, 5, 1_000, 3

GATEWAY = Gateway("gw1", "default", "10.11.0.1")
PHONE = LoginQuery("gw1", mac="02:ab:cd:ef:01:01")
OFFER = Network("default", "Café & Bar", (SignInMethod.ACCOUNT,), sign_up=True)
ZOE, EVE = "zoe@example.org", "eve@example.org"
GOOD, OTHER = "correct horse", "battery staple"
BASE = "https://wifi.example/mail/"


class Office:
    """Registration, care and what they need; the clock is the test's."""

    def __init__(self, database: Database) -> None:
        self.now = NOON
        self.database = database
        self.passwords = Passwords(reactor, threads=2, max_waiting=4)  # type: ignore[arg-type]
        self.directory = Registry(database, utc_now=self.utc_now)
        correspondence = MailComposer(MailTemplates(), sender="wifi@example.org", base=BASE, utc_now=self.utc_now)
        self.registration = Registration(database, self.passwords, correspondence, utc_now=self.utc_now)
        self.care = SelfService(database, self.passwords, correspondence, utc_now=self.utc_now)
        self.admission = AccountSignIn(database, self.passwords, utc_now=self.utc_now)
        self.ledger = Ledger(database, self.directory, clock=reactor, utc_now=self.utc_now)  # type: ignore[arg-type]

    def utc_now(self) -> datetime:
        return self.now

    async def open(self) -> None:
        self.passwords.start()
        await self.offer(OFFER)
        await run(self.database, adopt, GATEWAY, NOON)
        await within(5, self.directory.refresh())

    async def offer(self, network: Network) -> None:
        await run(self.database, save_network, network)
        await within(5, self.directory.refresh())

    def request(self, query: LoginQuery = PHONE, source: str | None = None) -> GuestRequest:
        """Ask from a device of a guest who insists on signing in again while online."""
        network = self.directory.network(GATEWAY.network)
        return GuestRequest(GATEWAY, network, query, self.now, source, even_if_online=True)

    @property
    def reader(self) -> Reader:
        return Reader(OFFER, "en")

    async def sign_up(
        self, address: str = ZOE, password: str = GOOD, visitor: LoginQuery = PHONE
    ) -> Admitted | Refused:
        return await within(10, self.registration.sign_up(self.request(visitor), address, password, "en"))

    async def join(self, address: str = ZOE, password: str = GOOD) -> str:
        """Sign up and come online; return the token."""
        admitted = await self.sign_up(address, password)
        assert isinstance(admitted, Admitted)
        assert await self.report(admitted.token, Stage.LOGIN) is AuthCode.VALIDATION
        return admitted.token

    async def sign_in(self, name: str = ZOE, password: str = GOOD) -> Admitted | Refused:
        return await within(10, self.admission.account(self.request(), name, password))

    async def report(self, token: str, stage: Stage = Stage.COUNTERS) -> AuthCode:
        report = Report(stage, Dialect.WIFIDOG, token, "gw1", PHONE.mac, "10.11.0.9")
        return (await within(5, self.ledger.settle(report))).code

    async def follow(self, secret: str) -> Outcome:
        return await within(5, self.care.follow(secret))

    async def ask(self, letter: MailKind = MailKind.RECOVER, address: str = ZOE, source: str = "192.0.2.1") -> object:
        return await within(5, self.care.write_again(letter, address, self.reader, source))

    async def letters(self) -> list[EmailMessage]:
        """Read the queue."""
        queued = await rows(self.database, "SELECT message FROM mails ORDER BY mail_id")
        return [email.message_from_string(text, policy=policy.SMTP) for (text,) in queued]  # type: ignore[misc]

    async def secrets(self) -> list[str]:
        """Read the secrets of all links that were sent."""
        found = [re.search(re.escape(BASE) + r"(\w+)", letter.get_content()) for letter in await self.letters()]
        return [match[1] for match in found if match]


@pytest_twisted.async_yield_fixture
async def office(database: Database) -> AsyncIterator[Office]:
    office = Office(database)
    await within(10, office.open())
    yield office
    await within(5, office.ledger.drain())
    office.passwords.stop()


@ensureDeferred
async def test_a_new_guest_is_in_on_probation(office: Office) -> None:
    """Until the link is followed; then for good, and on all their devices."""
    token = await office.join()
    [letter] = await office.letters()
    assert (letter["to"], letter["subject"]) == (ZOE, "Please confirm your e-mail address")
    assert [(sender.display_name, sender.addr_spec) for sender in letter["from"].addresses] == [
        ("Café & Bar", "wifi@example.org")
    ]
    [secret] = await office.secrets()
    assert await office.follow(secret) is Outcome.VALIDATED
    assert await office.report(token) is AuthCode.ALLOWED
    office.now += timedelta(days=1)
    assert isinstance(await office.sign_in(), Admitted)


@pytest.mark.parametrize(
    ("address", "password", "why"),
    [
        ("zoe", GOOD, Refusal.NO_ADDRESS),
        ("zoe@example.org\r\nBcc: eve@example.org", GOOD, Refusal.NO_ADDRESS),
        ("zoe@example.org,eve@example.org", GOOD, Refusal.NO_ADDRESS),
        (ZOE, "short", Refusal.WEAK_PASSWORD),
        (ZOE, "x" * 1001, Refusal.WEAK_PASSWORD),
        (ZOE, "eight\0nul", Refusal.WEAK_PASSWORD),
        (ZOE, "", Refusal.WEAK_PASSWORD),
    ],
)
@ensureDeferred
async def test_what_cannot_be_is_refused(office: Office, address: str, password: str, why: Refusal) -> None:
    """And leaves no trace."""
    assert await office.sign_up(address, password) == Refused(why)
    for table in ("accounts", "mails", "attempts"):
        assert await rows(office.database, f"SELECT count(*) FROM {table}") == [(0,)]


@ensureDeferred
async def test_who_types_a_known_address_gets_what_a_stranger_gets(office: Office) -> None:
    """But neither the account nor more than the grace; the owner is told, and may choose a password."""
    token = await office.join()
    [secret] = await office.secrets()
    await office.follow(secret)
    pretended = await office.sign_up(ZOE, OTHER, replace(PHONE, mac="02:00:00:00:00:66"))
    assert isinstance(pretended, Admitted)
    report = Report(Stage.LOGIN, Dialect.WIFIDOG, pretended.token, "gw1", "02:00:00:00:00:66", "10.11.0.66")
    assert (await within(5, office.ledger.settle(report))).code is AuthCode.VALIDATION
    letter = (await office.letters())[1]
    assert letter["subject"] == "You already have an account"
    assert ZOE in letter.get_content()
    assert await office.sign_in(ZOE, OTHER) == Refused(Refusal.WRONG_PASSWORD)
    recover = (await office.secrets())[1]
    assert await within(10, office.care.choose_password(recover, "another password")) is Outcome.PASSWORD_CHANGED
    assert (await within(5, office.ledger.settle(report))).code is AuthCode.VALIDATION
    office.now += timedelta(minutes=20)
    report = replace(report, stage=Stage.COUNTERS)
    assert (await within(5, office.ledger.settle(report))).code is AuthCode.VALIDATION_FAILED
    assert await office.report(token) is AuthCode.ALLOWED


@ensureDeferred
async def test_nobody_can_take_an_address_first(office: Office) -> None:
    """Its owner, signing up later, is sent a link for a new password; with it the first comer is out."""
    await office.join(ZOE, "the squatter's")
    await office.sign_up(ZOE, GOOD)
    letters = await office.letters()
    assert [letter["subject"] for letter in letters] == [
        "Please confirm your e-mail address",
        "You already have an account",
    ]
    assert await within(10, office.care.choose_password((await office.secrets())[1], GOOD)) is Outcome.PASSWORD_CHANGED
    assert isinstance(await office.sign_in(ZOE, GOOD), Admitted)
    assert await office.sign_in(ZOE, "the squatter's") == Refused(Refusal.WRONG_PASSWORD)


@ensureDeferred
async def test_pressing_the_button_twice_makes_one_account(office: Office) -> None:
    """Both times they are in, and the link is for both; the grace is counted once."""
    tokens = [outcome.token for outcome in await together(*(office.sign_up() for _ in range(2)))]  # type: ignore[union-attr]
    assert len(set(tokens)) == 2
    assert await rows(office.database, "SELECT count(*) FROM accounts") == [(1,)]
    office.now += timedelta(minutes=10)
    admitted = await office.sign_up()
    assert isinstance(admitted, Admitted)
    assert await rows(office.database, "SELECT max(probation_until) FROM sessions WHERE account_id IS NOT NULL") == [
        (NOON + timedelta(minutes=20),)
    ]


@ensureDeferred
async def test_the_grace_is_given_once(office: Office) -> None:
    """Neither signing in nor signing up again brings more of it; following the link does."""
    token = await office.join()
    office.now += timedelta(minutes=20)
    assert await office.report(token) is AuthCode.VALIDATION_FAILED
    assert await office.sign_in() == Refused(Refusal.NOT_VALIDATED)
    assert await office.sign_up() == Refused(Refusal.NOT_VALIDATED)
    assert await office.follow((await office.secrets())[0]) is Outcome.VALIDATED
    assert isinstance(await office.sign_in(), Admitted)


@ensureDeferred
async def test_a_plan_holds_for_who_signed_up_and_who_only_seems_to(office: Office) -> None:
    """Each draws on an allowance: that of the address, not of the account, for who has not shown to own it."""
    await run(office.database, save_plan, Plan("day", "A day", time_limit=timedelta(days=1)))
    await office.offer(replace(OFFER, plan="day"))
    await office.sign_up()
    await office.sign_up(ZOE, OTHER)
    owners = await rows(office.database, "SELECT account_id, address_hash, network FROM allowances ORDER BY 1")
    [(account_id,)] = await rows(office.database, "SELECT account_id FROM accounts WHERE email = 'zoe@example.org'")
    assert owners == [(account_id, None, "default"), (None, hash_secret("zoe@example.org"), "default")]


@ensureDeferred
async def test_storms_of_sign_ups_are_limited(office: Office) -> None:
    """By device, by gateway and by address; the next window is open again."""
    for number in range(MOST_ON_DEVICE):
        assert isinstance(await office.sign_up(f"guest{number}@example.org"), Admitted)
    refused = await office.sign_up("one.more@example.org")
    assert refused == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)
    for number in range(MOST_TO_ADDRESS):
        await office.sign_up(ZOE, visitor=LoginQuery("gw1", mac=f"02:00:00:00:01:0{number}"))
    assert await office.sign_up(ZOE, visitor=LoginQuery("gw1")) == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)
    assert len([letter for letter in await office.letters() if letter["to"] == ZOE]) == MOST_TO_ADDRESS
    office.now += TRIES_WINDOW
    assert isinstance(await office.sign_up("one.more@example.org"), Admitted)


@ensureDeferred
async def test_a_gateway_has_its_limit_too(office: Office) -> None:
    """Who storms can name any device."""
    await rows(
        office.database,
        """
        INSERT INTO attempts (kind, gw_id, tries, started_at) VALUES ('sign-ups at gateway', 'gw1', %(most)s, %(now)s)
        RETURNING 1
        """,
        {"most": MOST_AT_GATEWAY, "now": NOON},
    )
    assert await office.sign_up(visitor=LoginQuery("gw1")) == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)


@ensureDeferred
async def test_so_has_a_source_whichever_gateways_it_names(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is at none of them must not write to the whole world through all; an IPv6 network is one source."""
    monkeypatch.setitem(MOST, SubjectKind.SIGN_UPS_FROM_SOURCE, 2)

    async def sign_up(source: str) -> Admitted | Refused:
        request, address = office.request(LoginQuery("gw1"), source), f"guest{len(source)}@example.org"
        return await within(10, office.registration.sign_up(request, address, GOOD, "en"))

    assert isinstance(await sign_up("2001:db8::1"), Admitted)
    assert isinstance(await sign_up("2001:db8::1:2"), Admitted)
    assert await sign_up("2001:db8::1:2:3") == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)
    assert isinstance(await sign_up("198.51.100.7"), Admitted)


@ensureDeferred
async def test_a_full_queue_makes_no_account(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose owner would wait for a mail in vain."""
    monkeypatch.setattr(mails, "MOST", 0)
    assert await office.sign_up() == Refused(Refusal.BUSY)
    assert await office.ask() == Outcome.MAIL_SENT
    assert await rows(office.database, "SELECT count(*) FROM accounts") == [(0,)]


@pytest.mark.parametrize(
    ("letter", "lifetime"), [(MailKind.VALIDATE, timedelta(hours=24)), (MailKind.RECOVER, timedelta(hours=1))]
)
@ensureDeferred
async def test_a_link_is_good_until_the_very_second(office: Office, letter: MailKind, lifetime: timedelta) -> None:
    """And only its hash is stored."""
    await office.join()
    await office.ask(letter)
    secret = (await office.secrets())[1]
    stored = await rows(office.database, "SELECT email_links::text || encode(link_hash, 'escape') FROM email_links")
    assert secret not in str(stored)
    office.now += lifetime - timedelta(seconds=1)
    if letter is MailKind.RECOVER:
        assert await office.follow(secret) is Outcome.ASK_PASSWORD
    office.now += timedelta(seconds=1)
    assert await office.follow(secret) is Outcome.NO_LINK
    assert await within(10, office.care.choose_password(secret, OTHER)) is Outcome.NO_LINK


@pytest.mark.parametrize("secret", ["", "x", "a" * 32, "../login", "\0", "ü" * 5000])
@ensureDeferred
async def test_what_is_no_link_does_nothing(office: Office, secret: str) -> None:
    """Whatever somebody makes up."""
    await office.join()
    assert await office.follow(secret) is Outcome.NO_LINK
    assert await within(10, office.care.choose_password(secret, OTHER)) is Outcome.NO_LINK


@ensureDeferred
async def test_a_link_serves_one_purpose_and_one_account(office: Office) -> None:
    """That which validates changes no password, and somebody else's validates nobody but them."""
    zoe = await office.join()
    await office.join(EVE)
    of_zoe, of_eve = await office.secrets()
    assert await within(10, office.care.choose_password(of_zoe, OTHER)) is Outcome.NO_LINK
    await office.sign_up(ZOE)
    assert await office.follow(of_eve) is Outcome.VALIDATED
    assert await office.report(zoe) is not AuthCode.ALLOWED
    assert await office.sign_in(ZOE, OTHER) == Refused(Refusal.WRONG_PASSWORD)


@ensureDeferred
async def test_two_who_follow_a_link_at_once_use_it_once(office: Office) -> None:
    """The other is told that it does not work any more."""
    await office.join()
    [secret] = await office.secrets()
    outcomes = await together(*(office.care.follow(secret) for _ in range(4)))
    assert sorted(outcome.name for outcome in outcomes) == ["NO_LINK", "NO_LINK", "NO_LINK", "VALIDATED"]


@pytest.mark.parametrize("letter", [MailKind.RECOVER, MailKind.VALIDATE])
@pytest.mark.parametrize("address", [ZOE, EVE])
@ensureDeferred
async def test_the_forgetful_get_one_answer(office: Office, letter: MailKind, address: str) -> None:
    """Whether the address is known or not, and the same limit."""
    await office.join()
    await office.sign_up()
    office.now += TRIES_WINDOW
    outcomes = [await office.ask(letter, address) for _ in range(MOST_TO_ADDRESS + 1)]
    assert outcomes == [Outcome.MAIL_SENT] * MOST_TO_ADDRESS + [Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)]
    sent = [message["to"] for message in await office.letters()][2:]
    assert set(sent) == ({ZOE} if address == ZOE else set())


@ensureDeferred
async def test_one_source_cannot_ask_for_everybody(office: Office) -> None:
    """A hundred addresses in a window is what a whole site may forget."""
    for number in range(100):
        source = f"2001:db8::{number}"
        assert await office.ask(address=f"guest{number}@example.org", source=source) is Outcome.MAIL_SENT
    assert await office.ask(address=EVE, source="2001:db8::a:b") == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)
    assert await office.ask(address=EVE, source="192.0.2.2") is Outcome.MAIL_SENT


@ensureDeferred
async def test_mails_to_one_address_are_bounded_over_a_day(office: Office) -> None:
    """However patient the one is who asks for them."""
    await office.join()
    for _ in range(10):
        office.now += TRIES_WINDOW
        await office.ask(MailKind.VALIDATE)
    assert len(await office.letters()) == MOST_LINKS


@ensureDeferred
async def test_no_mail_goes_to_who_has_no_use_for_it(office: Office) -> None:
    """A locked account, an account without that address, a validation of what is validated."""
    await office.join()
    await office.follow((await office.secrets())[0])
    await office.ask(MailKind.VALIDATE)
    await run(office.database, set_disabled, ZOE, True)
    await office.ask(MailKind.RECOVER)
    await run(office.database, add_account, EVE, "$argon2id$", NOON)
    await office.ask(MailKind.RECOVER, EVE)
    await office.sign_up(EVE)
    assert len(await office.letters()) == 1


@ensureDeferred
async def test_a_new_password_by_mail_validates_the_address(office: Office) -> None:
    """Its owner reads it, after all; and no other link for a password is good then."""
    token = await office.join()
    await office.ask()
    await office.ask()
    _, first, second = await office.secrets()
    assert await within(10, office.care.choose_password(first, "short")) == Refused(Refusal.WEAK_PASSWORD)
    assert await within(10, office.care.choose_password(first, OTHER)) is Outcome.PASSWORD_CHANGED
    assert await office.report(token) is AuthCode.ALLOWED
    assert await office.follow(second) is Outcome.NO_LINK
    assert isinstance(await office.sign_in(ZOE, OTHER), Admitted)


@ensureDeferred
async def test_who_knows_the_password_may_change_it(office: Office) -> None:
    """And guessing it here counts like guessing it at the door."""
    await office.join()
    await office.follow((await office.secrets())[0])
    change = office.care.change_password
    assert await within(10, change(ZOE, GOOD, "short")) == Refused(Refusal.WEAK_PASSWORD)
    assert await within(10, change(" ZOE@example.org ", GOOD, OTHER)) is Outcome.PASSWORD_CHANGED
    assert isinstance(await office.sign_in(ZOE, OTHER), Admitted)
    for name in (ZOE, EVE):
        outcomes = [await within(10, change(name, "wrong", GOOD)) for _ in range(MOST_TRIES)]
        assert set(outcomes) == {Refused(Refusal.WRONG_PASSWORD)}
        assert await within(10, change(name, OTHER, GOOD)) == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)
    assert (await office.sign_in(ZOE, OTHER)) == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)


@ensureDeferred
async def test_an_account_has_one_budget_of_tries_whatever_it_is_called_and_wherever(office: Office) -> None:
    """By its name, by its address, at the door, at its page and at the sign-up."""
    await run(office.database, add_account, "zoe", await within(10, office.passwords.hash(GOOD)), NOON)
    await rows(office.database, "UPDATE accounts SET email = %(email)s RETURNING 1", {"email": ZOE})
    for name in ("zoe", ZOE) * 2:
        assert await office.sign_in(name, "wrong one") == Refused(Refusal.WRONG_PASSWORD)
        assert await within(10, office.care.change_password(name, "wrong one", OTHER)) == Refused(
            Refusal.WRONG_PASSWORD
        )
    for _ in range(MOST_TRIES - 8):
        assert isinstance(await office.sign_up(ZOE, "wrong one"), Admitted)
    assert await rows(office.database, "SELECT count(*) FROM sessions WHERE account_id IS NOT NULL") == [(0,)]
    for name in ("zoe", ZOE):
        visitor = replace(PHONE, mac="02:00:00:00:00:66")
        refused = await within(10, office.admission.account(office.request(visitor), name, GOOD))
        assert refused == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)
    assert await office.sign_up(ZOE, GOOD) == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)


REMEMBER_ALL = """
    INSERT INTO devices (key_hash, network, account_id, remembered_at, expires_at)
    SELECT sha256(name::bytea), 'default', account_id, %(now)s, %(now)s FROM accounts RETURNING 1
"""


@pytest.mark.parametrize("way", ["changed", "reset", "by the operator"])
@ensureDeferred
async def test_another_password_forgets_the_devices_of_the_account(office: Office, way: str) -> None:
    """Whoever had the old one may have had a device remembered; those of others stay."""
    await office.join()
    await office.join(EVE)
    await rows(office.database, REMEMBER_ALL, {"now": NOON})
    if way == "changed":
        assert await within(10, office.care.change_password(ZOE, GOOD, OTHER)) is Outcome.PASSWORD_CHANGED
    elif way == "reset":
        await office.ask()
        assert await within(10, office.care.choose_password((await office.secrets())[2], OTHER)) is (
            Outcome.PASSWORD_CHANGED
        )
    else:
        assert await run(office.database, set_password, ZOE, "$argon2id$")
    assert await rows(office.database, "SELECT name FROM devices JOIN accounts USING (account_id)") == [(EVE,)]


@ensureDeferred
async def test_signing_up_costs_no_try(office: Office) -> None:
    """The account is new, and so is its budget."""
    await office.join()
    for _ in range(MOST_TRIES):
        assert await office.sign_in(ZOE, "wrong one") == Refused(Refusal.WRONG_PASSWORD)
    assert await office.sign_in() == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)


@ensureDeferred
async def test_another_address_must_be_validated_too(office: Office) -> None:
    """Until then the old one is the account's, and its owner is told."""
    await office.join()
    await office.follow((await office.secrets())[0])
    move = office.care.change_address
    assert await within(10, move(ZOE, "wrong", EVE, office.reader)) == Refused(Refusal.WRONG_PASSWORD)
    assert await within(10, move(ZOE, GOOD, "no address", office.reader)) == Refused(Refusal.NO_ADDRESS)
    assert await within(10, move(ZOE, GOOD, EVE, office.reader)) is Outcome.MAIL_SENT
    assert [(letter["to"], letter["subject"]) for letter in (await office.letters())[1:]] == [
        (EVE, "Please confirm your new e-mail address"),
        (ZOE, "Your account is to have another address"),
    ]
    assert isinstance(await office.sign_in(ZOE), Admitted)
    assert await office.follow((await office.secrets())[1]) is Outcome.ADDRESS_CHANGED
    assert isinstance(await office.sign_in(EVE), Admitted)
    assert await office.sign_in(ZOE) == Refused(Refusal.WRONG_PASSWORD)


@ensureDeferred
async def test_an_address_that_somebody_has_cannot_be_taken(office: Office) -> None:
    """The answer is the same, nothing is sent; and who signs up with it first keeps it."""
    await office.join()
    await office.join(EVE)
    sent = len(await office.letters())
    assert await within(10, office.care.change_address(ZOE, GOOD, EVE, office.reader)) is Outcome.MAIL_SENT
    assert len(await office.letters()) == sent
    new = "new@example.org"
    assert await within(10, office.care.change_address(ZOE, GOOD, new, office.reader)) is Outcome.MAIL_SENT
    secret = (await office.secrets())[sent]
    await office.sign_up(new)
    assert await office.follow(secret) is Outcome.NO_LINK


@ensureDeferred
async def test_what_is_old_is_forgotten(office: Office) -> None:
    """Links that expired, and accounts nobody validated for a week, so that the address is free again."""
    await office.sign_up()
    office.now += KEEP_UNVALIDATED
    await rows(office.database, "DELETE FROM sessions RETURNING 1")
    await within(10, office.registration.forget())
    assert await rows(office.database, "SELECT count(*) FROM email_links") == [(0,)]
    assert await rows(office.database, "SELECT count(*) FROM accounts") == [(1,)]
    office.now += timedelta(seconds=1)
    await within(10, office.registration.forget())
    assert await rows(office.database, "SELECT count(*) FROM accounts") == [(0,)]


@ensureDeferred
async def test_a_title_cannot_write_headers(office: Office) -> None:
    """Whatever the operator, or who got at the database, calls the network."""
    await office.offer(replace(OFFER, title="Café\r\nBcc: eve@example.org\r\n\r\nBuy!"))
    await office.sign_up()
    [letter] = await office.letters()
    assert letter["bcc"] is None
    assert str(letter["from"].addresses[0].display_name) == "Café Bcc: eve@example.org Buy!"
    assert {header.lower() for header in letter} == {
        *("from", "to", "subject", "date", "message-id", "auto-submitted", "content-language"),
        *("content-type", "content-transfer-encoding", "mime-version"),
    }
