"""Sign-up and self-service of accounts on a real PostgreSQL; mails are read from the outbox."""

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

from tests.support.builders import NOON, rows, run, together
from tests.support.deadline import within
from wifidogd.access.open_session import Admitted, Refusal, Refused
from wifidogd.access.sign_in import AccountSignIn
from wifidogd.access.throttle import MOST
from wifidogd.accounting.ledger import Ledger
from wifidogd.accounts.mailed_links import MailedLinks
from wifidogd.accounts.mails import MOST_LINKS, MailComposer, MailKind, Reader
from wifidogd.accounts.personal_data import PersonalData
from wifidogd.accounts.registration import KEEP_UNVALIDATED, Registration
from wifidogd.accounts.self_service import Outcome, SelfService
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.plans import Network, Plan, SignInMethod
from wifidogd.domain.sessions import AuthCode, Dialect, LoginQuery, Reason, Report, Stage
from wifidogd.domain.tokens import hash_secret
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.access.rate_limits import TRIES_WINDOW, SubjectKind
from wifidogd.store.accounting.plans import save_plan
from wifidogd.store.accounts import outbox
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


class AccountServices:
    """The services for accounts of guests, with a wall clock that the test sets."""

    def __init__(self, database: Database) -> None:
        self.now = NOON
        self.database = database
        self.passwords = Passwords(reactor, threads=2, max_waiting=4)  # type: ignore[arg-type]
        self.registry = Registry(database, utc_now=self.utc_now)
        composer = MailComposer(MailTemplates(), sender="wifi@example.org", base=BASE, utc_now=self.utc_now)
        self.registration = Registration(database, self.passwords, composer, utc_now=self.utc_now)
        self.self_service = SelfService(database, self.passwords, composer, utc_now=self.utc_now)
        self.mailed_links = MailedLinks(database, self.passwords, utc_now=self.utc_now)
        self.account_sign_in = AccountSignIn(database, self.passwords, utc_now=self.utc_now)
        self.ledger = Ledger(database, self.registry, clock=reactor, utc_now=self.utc_now)  # type: ignore[arg-type]

    def utc_now(self) -> datetime:
        return self.now

    async def open(self) -> None:
        self.passwords.start()
        await self.offer(OFFER)
        await run(self.database, adopt, GATEWAY, NOON)
        await within(5, self.registry.refresh())

    async def offer(self, network: Network) -> None:
        await run(self.database, save_network, network)
        await within(5, self.registry.refresh())

    def request(self, query: LoginQuery = PHONE, source: str | None = None) -> GuestRequest:
        """Return the request of a guest who signs in again although their device is online."""
        network = self.registry.network(GATEWAY.network)
        return GuestRequest(GATEWAY, network, query, self.now, source, even_if_online=True)

    @property
    def reader(self) -> Reader:
        return Reader(OFFER, "en")

    async def sign_up(
        self, address: str = ZOE, password: str = GOOD, login_query: LoginQuery = PHONE
    ) -> Admitted | Refused:
        return await within(10, self.registration.sign_up(self.request(login_query), address, password, "en"))

    async def join(self, address: str = ZOE, password: str = GOOD) -> str:
        """Sign up, report the login, and return the token."""
        admitted = await self.sign_up(address, password)
        assert isinstance(admitted, Admitted)
        assert await self.report(admitted.token, Stage.LOGIN) is AuthCode.VALIDATION
        return admitted.token

    async def sign_in(self, name: str = ZOE, password: str = GOOD) -> Admitted | Refused:
        return await within(10, self.account_sign_in.account(self.request(), name, password))

    async def report(self, token: str, stage: Stage = Stage.COUNTERS) -> AuthCode:
        report = Report(stage, Dialect.WIFIDOG, token, "gw1", PHONE.mac, "10.11.0.9")
        return (await within(5, self.ledger.settle(report))).code

    async def confirm(self, secret: str, password: str = GOOD) -> Outcome | Refused:
        return await within(10, self.mailed_links.confirm(secret, password, "192.0.2.1"))

    async def choose(self, secret: str, password: str) -> Outcome | Refused:
        return await within(10, self.mailed_links.choose_password(secret, password, "192.0.2.1"))

    async def look(self, secret: str) -> Outcome:
        return await within(5, self.mailed_links.look(secret))

    async def ask(self, kind: MailKind = MailKind.RECOVER, address: str = ZOE, source: str = "192.0.2.1") -> object:
        return await within(5, self.self_service.write_again(kind, address, self.reader, source))

    async def mails(self) -> list[EmailMessage]:
        """Return the mails in the outbox, oldest first."""
        queued = await rows(self.database, "SELECT message FROM mails ORDER BY mail_id")
        return [email.message_from_string(text, policy=policy.SMTP) for (text,) in queued]  # type: ignore[misc]

    async def secrets(self) -> list[str]:
        """Return the secrets of all links that were sent."""
        found = [re.search(re.escape(BASE) + r"(\w+)", mail.get_content()) for mail in await self.mails()]
        return [match[1] for match in found if match]


@pytest_twisted.async_yield_fixture
async def services(database: Database) -> AsyncIterator[AccountServices]:
    services = AccountServices(database)
    await within(10, services.open())
    yield services
    await within(5, services.ledger.drain())
    services.passwords.stop()


@ensureDeferred
async def test_a_new_guest_is_in_on_probation(services: AccountServices) -> None:
    """Until they follow the link; then the account is valid on all their devices."""
    token = await services.join()
    [mail] = await services.mails()
    assert (mail["to"], mail["subject"]) == (ZOE, "Please confirm your e-mail address")
    assert [(sender.display_name, sender.addr_spec) for sender in mail["from"].addresses] == [
        ("Café & Bar", "wifi@example.org")
    ]
    [secret] = await services.secrets()
    assert await services.confirm(secret) is Outcome.VALIDATED
    assert await services.report(token) is AuthCode.ALLOWED
    services.now += timedelta(days=1)
    assert isinstance(await services.sign_in(), Admitted)


@pytest.mark.parametrize(
    ("address", "password", "why"),
    [
        ("zoe", GOOD, Refusal.NO_ADDRESS),
        ("zoe@example.org\r\nBcc: eve@example.org", GOOD, Refusal.NO_ADDRESS),
        ("zoe@example.org,eve@example.org", GOOD, Refusal.NO_ADDRESS),
        (ZOE, "short", Refusal.WEAK_PASSWORD),
        (ZOE, "x" * 1001, Refusal.LONG_PASSWORD),
        (ZOE, "eight\0nul", Refusal.UNSEEN_PASSWORD),
        (ZOE, "", Refusal.WEAK_PASSWORD),
    ],
)
@ensureDeferred
async def test_what_cannot_be_is_refused(services: AccountServices, address: str, password: str, why: Refusal) -> None:
    """And nothing is stored."""
    assert await services.sign_up(address, password) == Refused(why)
    for table in ("accounts", "mails", "attempts"):
        assert await rows(services.database, f"SELECT count(*) FROM {table}") == [(0,)]


@ensureDeferred
async def test_who_types_a_known_address_gets_what_a_stranger_gets(services: AccountServices) -> None:
    """But neither the account nor more than the probation; the owner is told, and may choose a password."""
    token = await services.join()
    [secret] = await services.secrets()
    await services.confirm(secret)
    pretended = await services.sign_up(ZOE, OTHER, replace(PHONE, mac="02:00:00:00:00:66"))
    assert isinstance(pretended, Admitted)
    report = Report(Stage.LOGIN, Dialect.WIFIDOG, pretended.token, "gw1", "02:00:00:00:00:66", "10.11.0.66")
    assert (await within(5, services.ledger.settle(report))).code is AuthCode.VALIDATION
    mail = (await services.mails())[1]
    assert mail["subject"] == "You already have an account"
    assert ZOE in mail.get_content()
    assert await services.sign_in(ZOE, OTHER) == Refused(Refusal.WRONG_PASSWORD)
    recover = (await services.secrets())[1]
    assert await services.report(token) is AuthCode.ALLOWED
    assert await services.choose(recover, "another password") is Outcome.PASSWORD_CHANGED
    assert (await within(5, services.ledger.settle(report))).code is AuthCode.VALIDATION
    services.now += timedelta(minutes=20)
    report = replace(report, stage=Stage.COUNTERS)
    assert (await within(5, services.ledger.settle(report))).code is AuthCode.VALIDATION_FAILED
    assert await services.report(token) is AuthCode.DENIED


@ensureDeferred
async def test_nobody_can_take_an_address_first(services: AccountServices) -> None:
    """The owner, signing up later, is sent a link for a new password, which locks out whoever came first."""
    await services.join(ZOE, "the squatter's")
    await services.sign_up(ZOE, GOOD)
    mails = await services.mails()
    assert [mail["subject"] for mail in mails] == [
        "Please confirm your e-mail address",
        "You already have an account",
    ]
    assert await services.choose((await services.secrets())[1], GOOD) is Outcome.PASSWORD_CHANGED
    assert isinstance(await services.sign_in(ZOE, GOOD), Admitted)
    assert await services.sign_in(ZOE, "the squatter's") == Refused(Refusal.WRONG_PASSWORD)


@ensureDeferred
async def test_pressing_the_button_twice_makes_one_account(services: AccountServices) -> None:
    """Both sign-ups succeed and share one link; the probation is counted once."""
    tokens = [outcome.token for outcome in await together(*(services.sign_up() for _ in range(2)))]  # type: ignore[union-attr]
    assert len(set(tokens)) == 2
    assert await rows(services.database, "SELECT count(*) FROM accounts") == [(1,)]
    services.now += timedelta(minutes=10)
    admitted = await services.sign_up()
    assert isinstance(admitted, Admitted)
    assert await rows(services.database, "SELECT max(probation_until) FROM sessions WHERE account_id IS NOT NULL") == [
        (NOON + timedelta(minutes=20),)
    ]


@ensureDeferred
async def test_the_grace_is_given_once(services: AccountServices) -> None:
    """Neither signing in nor signing up again extends it; only the link does."""
    token = await services.join()
    services.now += timedelta(minutes=20)
    assert await services.report(token) is AuthCode.VALIDATION_FAILED
    assert await services.sign_in() == Refused(Refusal.NOT_VALIDATED)
    assert await services.sign_up() == Refused(Refusal.NOT_VALIDATED)
    assert await services.confirm((await services.secrets())[0]) is Outcome.VALIDATED
    assert isinstance(await services.sign_in(), Admitted)


@ensureDeferred
async def test_a_plan_holds_for_who_signed_up_and_who_only_seems_to(services: AccountServices) -> None:
    """Somebody who has not proved that they own the address draws on its allowance, not on that of the account."""
    await run(services.database, save_plan, Plan("day", "A day", time_limit=timedelta(days=1)))
    await services.offer(replace(OFFER, plan="day"))
    await services.sign_up()
    await services.sign_up(ZOE, OTHER)
    owners = await rows(services.database, "SELECT account_id, address_hash, network FROM allowances ORDER BY 1")
    [(account_id,)] = await rows(services.database, "SELECT account_id FROM accounts WHERE email = 'zoe@example.org'")
    assert owners == [(account_id, None, "default"), (None, hash_secret("zoe@example.org"), "default")]


@ensureDeferred
async def test_storms_of_sign_ups_are_limited(services: AccountServices) -> None:
    """A device may begin five accounts in a quarter of an hour, and in a day, that are not confirmed."""
    for number in range(MOST_ON_DEVICE):
        assert isinstance(await services.sign_up(f"guest{number}@example.org"), Admitted)
    refused = await services.sign_up("one.more@example.org")
    assert refused == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)
    services.now += timedelta(days=1) - timedelta(seconds=1)
    assert await services.sign_up("one.more@example.org") == Refused(Refusal.UNCONFIRMED_TOO_OFTEN)
    assert isinstance(await services.sign_up("other@example.org", login_query=LoginQuery("gw1")), Admitted)
    services.now += timedelta(seconds=1)
    assert isinstance(await services.sign_up("one.more@example.org"), Admitted)
    assert await rows(services.database, "SELECT count(*) FROM accounts") == [(MOST_ON_DEVICE + 2,)]


@ensureDeferred
async def test_a_confirmed_account_makes_room_for_another(services: AccountServices) -> None:
    """A family of six may sign up on one device, as long as it reads its mails."""
    for number in range(MOST_ON_DEVICE):
        await services.sign_up(f"guest{number}@example.org")
    assert await services.confirm((await services.secrets())[0]) is Outcome.VALIDATED
    services.now += TRIES_WINDOW
    assert isinstance(await services.sign_up("one.more@example.org"), Admitted)


@ensureDeferred
async def test_another_password_brings_no_more_of_the_grace(services: AccountServices) -> None:
    """Whether the address is of the guest or of somebody else, and whether the account was erased meanwhile."""
    await services.join()
    services.now += timedelta(minutes=19)
    pretended = await services.sign_up(ZOE, OTHER)
    assert isinstance(pretended, Admitted)
    assert await services.report(pretended.token, Stage.LOGIN) is AuthCode.VALIDATION
    services.now += timedelta(minutes=1)
    assert await services.report(pretended.token) is AuthCode.VALIDATION_FAILED
    assert await services.sign_up(ZOE, OTHER) == Refused(Refusal.NOT_VALIDATED)
    await rows(services.database, "DELETE FROM accounts RETURNING 1")
    services.now += timedelta(days=3)
    assert await services.sign_up(ZOE, "a third password") == Refused(Refusal.NOT_VALIDATED)


@ensureDeferred
async def test_a_known_address_brings_a_stranger_one_grace(services: AccountServices) -> None:
    """As an address that is new does."""
    await services.join(EVE)
    await services.confirm((await services.secrets())[0])
    assert isinstance(await services.sign_up(EVE, OTHER), Admitted)
    services.now += timedelta(minutes=20)
    assert await services.sign_up(EVE, "a third password") == Refused(Refusal.NOT_VALIDATED)


@ensureDeferred
async def test_an_address_is_good_for_five_devices_a_day_until_it_is_confirmed(services: AccountServices) -> None:
    """Whoever has it reads what strangers do with it, and may choose a password."""
    for number in range(MOST_ON_DEVICE):
        await services.sign_up(ZOE, f"password {number}", LoginQuery("gw1", mac=f"02:00:00:00:01:0{number}"))
    query = LoginQuery("gw1", mac="02:00:00:00:01:66")
    assert await services.sign_up(ZOE, GOOD, query) == Refused(Refusal.UNCONFIRMED_TOO_OFTEN)
    [*_, secret] = await services.secrets()
    assert await services.choose(secret, GOOD) is Outcome.PASSWORD_CHANGED
    assert isinstance(await services.sign_in(), Admitted)


@ensureDeferred
async def test_nobody_locks_others_out_by_asking_for_mails(services: AccountServices) -> None:
    """What is spared is the mail, not the sign-up, nor the answer; those that were sent work."""
    for kind in (MailKind.VALIDATE, MailKind.RECOVER) * 3:
        assert await services.ask(kind) is Outcome.MAIL_SENT
    await services.join()
    for kind in (MailKind.VALIDATE, MailKind.RECOVER) * 3:
        assert await services.ask(kind) is Outcome.MAIL_SENT
    assert len(await services.mails()) == MOST_TO_ADDRESS
    assert isinstance(await services.sign_up(), Admitted)
    secrets = await services.secrets()
    asked = [await services.look(secret) for secret in secrets]
    assert asked == [Outcome.ASK_CONFIRMATION, Outcome.ASK_CONFIRMATION, Outcome.ASK_PASSWORD]
    assert await services.choose(secrets[0], OTHER) is Outcome.PASSWORD_CHANGED


@ensureDeferred
async def test_a_gateway_has_its_limit_too(services: AccountServices) -> None:
    """Because an attacker can claim any device."""
    await rows(
        services.database,
        """
        INSERT INTO attempts (kind, gw_id, tries, started_at) VALUES ('sign-ups at gateway', 'gw1', %(most)s, %(now)s)
        RETURNING 1
        """,
        {"most": MOST_AT_GATEWAY, "now": NOON},
    )
    slowed = Refused(Refusal.TOO_MANY_TRIES, timedelta(seconds=1))
    assert await services.sign_up(login_query=LoginQuery("gw1")) == slowed
    services.now += timedelta(seconds=1)
    assert isinstance(await services.sign_up(login_query=LoginQuery("gw1")), Admitted)


@ensureDeferred
async def test_so_has_a_source_whichever_gateways_it_names(
    services: AccountServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A remote attacker must not send mails through all gateways; the addresses of an IPv6 network are one source."""
    monkeypatch.setitem(MOST, SubjectKind.SIGN_UPS_FROM_SOURCE, 2)

    async def sign_up(source: str) -> Admitted | Refused:
        request, address = services.request(LoginQuery("gw1"), source), f"guest{len(source)}@example.org"
        return await within(10, services.registration.sign_up(request, address, GOOD, "en"))

    assert isinstance(await sign_up("2001:db8::1"), Admitted)
    assert isinstance(await sign_up("2001:db8::1:2"), Admitted)
    assert await sign_up("2001:db8::1:2:3") == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW / 2)
    assert isinstance(await sign_up("198.51.100.7"), Admitted)


@ensureDeferred
async def test_a_full_queue_makes_no_account(services: AccountServices, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner of such an account would wait for a mail in vain."""
    monkeypatch.setattr(outbox, "MOST", 0)
    assert await services.sign_up() == Refused(Refusal.BUSY)
    assert await services.ask() == Outcome.MAIL_SENT
    assert await rows(services.database, "SELECT count(*) FROM accounts") == [(0,)]


@pytest.mark.parametrize(
    ("kind", "lifetime"), [(MailKind.VALIDATE, timedelta(hours=24)), (MailKind.RECOVER, timedelta(hours=1))]
)
@ensureDeferred
async def test_a_link_is_good_until_the_very_second(
    services: AccountServices, kind: MailKind, lifetime: timedelta
) -> None:
    """The store has only the hash of its secret."""
    await services.join()
    await services.ask(kind)
    secret = (await services.secrets())[1]
    stored = await rows(services.database, "SELECT email_links::text || encode(link_hash, 'escape') FROM email_links")
    assert secret not in str(stored)
    services.now += lifetime - timedelta(seconds=1)
    if kind is MailKind.RECOVER:
        assert await services.look(secret) is Outcome.ASK_PASSWORD
    services.now += timedelta(seconds=1)
    assert await services.confirm(secret) is Outcome.NO_LINK
    assert await services.choose(secret, OTHER) is Outcome.NO_LINK


@pytest.mark.parametrize("secret", ["", "x", "a" * 32, "../login", "\0", "ü" * 5000])
@ensureDeferred
async def test_what_is_no_link_does_nothing(services: AccountServices, secret: str) -> None:
    """Secrets that somebody made up."""
    await services.join()
    assert await services.confirm(secret) is Outcome.NO_LINK
    assert await services.choose(secret, OTHER) is Outcome.NO_LINK


@ensureDeferred
async def test_a_link_serves_one_purpose_and_one_account(services: AccountServices) -> None:
    """A link for a new password confirms nothing, and a link of one account does not validate another."""
    await services.join()
    await services.join(EVE)
    _, of_eve = await services.secrets()
    await services.ask()
    assert await services.confirm((await services.secrets())[2]) is Outcome.NO_LINK
    assert await services.confirm(of_eve) is Outcome.VALIDATED
    assert await rows(services.database, "SELECT name FROM accounts WHERE validated_at IS NULL") == [(ZOE,)]


@ensureDeferred
async def test_who_confirms_is_who_chose_the_password(services: AccountServices) -> None:
    """A stranger who signed up with somebody's address is not confirmed by that person, who may choose a password."""
    token = await services.join(ZOE, "the stranger's")
    [secret] = await services.secrets()
    assert await services.look(secret) is Outcome.ASK_CONFIRMATION
    assert await services.confirm(secret, GOOD) == Refused(Refusal.WRONG_PASSWORD)
    assert await services.report(token) is AuthCode.VALIDATION
    assert await services.choose(secret, GOOD) is Outcome.PASSWORD_CHANGED
    assert await services.sign_in(ZOE, "the stranger's") == Refused(Refusal.WRONG_PASSWORD)
    assert isinstance(await services.sign_in(ZOE, GOOD), Admitted)
    assert await rows(services.database, "SELECT validated_at FROM accounts") == [(NOON,)]


@ensureDeferred
async def test_guesses_at_a_link_count_as_those_at_the_sign_in(services: AccountServices) -> None:
    """Choosing a password by the link works all the same: whoever reads the mail need not guess."""
    await services.join()
    [secret] = await services.secrets()
    for _ in range(MOST_TRIES):
        assert await services.confirm(secret, "wrong one") == Refused(Refusal.WRONG_PASSWORD)
    assert await services.confirm(secret) == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)
    assert await services.sign_in() == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)
    assert await services.choose(secret, OTHER) is Outcome.PASSWORD_CHANGED


@ensureDeferred
async def test_another_owner_does_not_confirm_a_move_to_their_address(services: AccountServices) -> None:
    """The password of the account that is to have the address is asked for."""
    await services.join()
    await services.confirm((await services.secrets())[0])
    await within(10, services.self_service.change_address(ZOE, GOOD, EVE, services.reader))
    secret = (await services.secrets())[1]
    assert await services.look(secret) is Outcome.ASK_CONFIRMATION_OF_MOVE
    assert await services.confirm(secret, OTHER) == Refused(Refusal.WRONG_PASSWORD)
    assert await services.choose(secret, OTHER) is Outcome.NO_LINK
    assert await services.confirm(secret, GOOD) is Outcome.ADDRESS_CHANGED


@ensureDeferred
async def test_two_who_use_a_link_at_once_use_it_once(services: AccountServices) -> None:
    """The others are told that it is done, as is whoever opens this link, or an earlier one, later."""
    await services.join()
    await services.ask(MailKind.VALIDATE)
    earlier, secret = await services.secrets()
    outcomes = await together(
        *(services.mailed_links.confirm(secret, GOOD, f"192.0.2.{number}") for number in range(4))
    )
    assert sorted(outcome.name for outcome in outcomes) == ["USED", "USED", "USED", "VALIDATED"]  # type: ignore[union-attr]
    for link in (earlier, secret):
        assert await services.look(link) is Outcome.USED
        assert await services.confirm(link) is Outcome.USED
        assert await services.choose(link, OTHER) is Outcome.USED
    services.now += timedelta(hours=24)
    assert await services.look(secret) is Outcome.NO_LINK


@pytest.mark.parametrize("kind", [MailKind.RECOVER, MailKind.VALIDATE])
@pytest.mark.parametrize("address", [ZOE, EVE])
@ensureDeferred
async def test_the_forgetful_get_one_answer(services: AccountServices, kind: MailKind, address: str) -> None:
    """The answer is the same for a known address and an unknown one, and so it stays when no more mails are sent."""
    await services.join()
    outcomes = [await services.ask(kind, address) for _ in range(MOST_TO_ADDRESS + 1)]
    assert outcomes == [Outcome.MAIL_SENT] * (MOST_TO_ADDRESS + 1)
    sent = [message["to"] for message in await services.mails()][1:]
    assert sent == ([ZOE] * (MOST_TO_ADDRESS - 1) if address == ZOE else [])


@ensureDeferred
async def test_one_source_cannot_ask_for_everybody(services: AccountServices) -> None:
    """A source may ask for 100 addresses in a window: as many as a whole site may forget."""
    for number in range(100):
        source = f"2001:db8::{number}"
        assert await services.ask(address=f"guest{number}@example.org", source=source) is Outcome.MAIL_SENT
    assert await services.ask(address=EVE, source="2001:db8::a:b") == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)
    assert await services.ask(address=EVE, source="192.0.2.2") is Outcome.MAIL_SENT


@ensureDeferred
async def test_mails_to_one_address_are_bounded_over_a_day(services: AccountServices) -> None:
    """Three at once and then one an hour, even if the mail server takes them; and five links that work."""
    await services.join()
    sent = []
    for _ in range(24 * 4):
        await services.ask(MailKind.RECOVER)
        sent += await rows(services.database, "DELETE FROM mails RETURNING queued_at")
        services.now += TRIES_WINDOW
    hours = [round((at - NOON) / timedelta(hours=1), 2) for (at,) in sent]
    assert hours == [0, 0, 0.25, *range(1, 24)]
    await services.ask(MailKind.VALIDATE)
    for _ in range(24):
        services.now += timedelta(hours=1)
        await services.ask(MailKind.VALIDATE)
    assert len(await services.mails()) == MOST_TO_ADDRESS
    for _ in range(12):
        await rows(services.database, "DELETE FROM mails RETURNING 1")
        services.now += timedelta(hours=1)
        await services.ask(MailKind.VALIDATE)
    working = "SELECT count(*) FROM email_links WHERE purpose = 'validate' AND expires_at > %(now)s"
    assert await rows(services.database, working, {"now": services.now}) == [(MOST_LINKS,)]


@ensureDeferred
async def test_an_account_has_few_mails_sent_to_others(services: AccountServices) -> None:
    """Forty changes of address: neither strangers' mailboxes nor its own are flooded, whatever is done in between."""
    await services.join()
    await services.confirm((await services.secrets())[0])
    await rows(services.database, "DELETE FROM mails RETURNING 1")
    passwords = [GOOD, OTHER]
    outcomes = []
    for number in range(40):
        move = services.self_service.change_address
        address = f"n{number}@y{number}.example"
        outcomes.append(await within(10, move(ZOE, passwords[0], address, services.reader, "192.0.2.1")))
        assert await within(10, services.self_service.change_password(ZOE, *passwords)) is Outcome.PASSWORD_CHANGED
        passwords.reverse()
    assert outcomes[:3] == [Outcome.MAIL_SENT] * 3
    assert set(outcomes[3:]) == {Refused(Refusal.TOO_MANY_TRIES, timedelta(hours=1))}
    assert [mail["to"] for mail in await services.mails()] == [
        "n0@y0.example", ZOE, "n1@y1.example", ZOE, "n2@y2.example"
    ]  # fmt: skip


@ensureDeferred
async def test_an_address_that_is_not_confirmed_cannot_be_changed(services: AccountServices) -> None:
    """A stranger who signs up with a victim's address could have the victim and others written to."""
    await services.join()
    move = services.self_service.change_address
    for number in range(40):
        outcome = await within(10, move(ZOE, GOOD, f"n{number}@y.example", services.reader, "192.0.2.1"))
        assert outcome == Refused(Refusal.UNCONFIRMED)
    assert len(await services.mails()) == 1


@ensureDeferred
async def test_no_stranger_writes_into_a_letter_to_others(services: AccountServices) -> None:
    """The name of an account is for its own, proven address."""
    advert = "buy.at.evil.example"
    advertising = f"{advert}@example.org"
    await services.join(advertising)
    await services.confirm((await services.secrets())[0])
    await within(10, services.self_service.change_address(advertising, GOOD, ZOE, services.reader))
    await rows(services.database, "INSERT INTO accounts (name, email, old_hash, created_at) VALUES "
               "('buy.at.evil.example', %(eve)s, 'md5', %(now)s) RETURNING 1", {"eve": EVE, "now": NOON})  # fmt: skip
    await services.ask(MailKind.RECOVER, EVE)
    await services.ask(MailKind.VALIDATE, EVE)
    await services.sign_up(EVE, OTHER)
    letters = [mail for mail in await services.mails() if mail["to"] in (ZOE, EVE)]
    assert [letter["to"] for letter in letters] == [ZOE, EVE, EVE, EVE]
    assert not [letter for letter in letters if advert in letter.as_string()]


@ensureDeferred
async def test_one_source_does_not_fill_the_queue(services: AccountServices, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the mail server is away; others can sign up."""
    monkeypatch.setattr(outbox, "MOST_OF_SOURCE", 2)

    async def sign_up(number: int, source: str) -> Admitted | Refused:
        request = services.request(LoginQuery("gw1", mac=f"02:00:00:00:02:0{number}"), source)
        return await within(10, services.registration.sign_up(request, f"guest{number}@example.org", GOOD, "en"))

    assert [isinstance(await sign_up(number, f"2001:db8:0:{number}::1"), Admitted) for number in range(2)] == [
        True,
        True,
    ]
    assert await sign_up(2, "2001:db8:0:ffff::1") == Refused(Refusal.BUSY)
    assert isinstance(await sign_up(3, "192.0.2.1"), Admitted)


@ensureDeferred
async def test_no_mail_goes_to_who_has_no_use_for_it(services: AccountServices) -> None:
    """A locked account, an account without that address, or an address that is validated already."""
    await services.join()
    await services.confirm((await services.secrets())[0])
    await services.ask(MailKind.VALIDATE)
    await run(services.database, set_disabled, ZOE, True)
    await services.ask(MailKind.RECOVER)
    await run(services.database, add_account, EVE, "$argon2id$", NOON)
    await services.ask(MailKind.RECOVER, EVE)
    await services.sign_up(EVE)
    assert len(await services.mails()) == 1


@ensureDeferred
async def test_a_new_password_by_mail_validates_the_address(services: AccountServices) -> None:
    """Only its owner can have read the mail; all other links for a password become invalid."""
    await services.join()
    await services.ask()
    await services.ask()
    _, first, second = await services.secrets()
    assert await services.choose(first, "short") == Refused(Refusal.WEAK_PASSWORD)
    assert await services.choose(first, OTHER) is Outcome.PASSWORD_CHANGED
    assert await services.look(second) is Outcome.NO_LINK
    admitted = await services.sign_in(ZOE, OTHER)
    assert isinstance(admitted, Admitted)
    assert await services.report(admitted.token, Stage.LOGIN) is AuthCode.ALLOWED


@ensureDeferred
async def test_who_knows_the_password_may_change_it(services: AccountServices) -> None:
    """Wrong guesses here count towards the same limit as wrong guesses at sign-in."""
    await services.join()
    await services.confirm((await services.secrets())[0])
    change = services.self_service.change_password
    assert await within(10, change(ZOE, GOOD, "short")) == Refused(Refusal.WEAK_PASSWORD)
    assert await within(10, change(" ZOE@example.org ", GOOD, OTHER)) is Outcome.PASSWORD_CHANGED
    assert isinstance(await services.sign_in(ZOE, OTHER), Admitted)
    for name in (ZOE, EVE):
        outcomes = [await within(10, change(name, "wrong", GOOD)) for _ in range(MOST_TRIES)]
        assert set(outcomes) == {Refused(Refusal.WRONG_PASSWORD)}
        assert await within(10, change(name, OTHER, GOOD)) == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)
    assert (await services.sign_in(ZOE, OTHER)) == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)


@ensureDeferred
async def test_an_account_has_one_budget_of_tries_whatever_it_is_called_and_wherever(services: AccountServices) -> None:
    """By its name and by its address; at sign-in, on its page and at sign-up."""
    await run(services.database, add_account, "zoe", await within(10, services.passwords.hash(GOOD)), NOON)
    await rows(services.database, "UPDATE accounts SET email = %(email)s RETURNING 1", {"email": ZOE})
    for name in ("zoe", ZOE) * 2:
        assert await services.sign_in(name, "wrong one") == Refused(Refusal.WRONG_PASSWORD)
        assert await within(10, services.self_service.change_password(name, "wrong one", OTHER)) == Refused(
            Refusal.WRONG_PASSWORD
        )
    for _ in range(MOST_TRIES - 8):
        assert isinstance(await services.sign_up(ZOE, "wrong one"), Admitted)
    assert await rows(services.database, "SELECT count(*) FROM sessions WHERE account_id IS NOT NULL") == [(0,)]
    for name in ("zoe", ZOE):
        login_query = replace(PHONE, mac="02:00:00:00:00:66")
        refused = await within(10, services.account_sign_in.account(services.request(login_query), name, GOOD))
        assert refused == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)
    assert await services.sign_up(ZOE, GOOD) == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)


REMEMBER_ALL = """
    INSERT INTO devices (key_hash, network, account_id, remembered_at, expires_at)
    SELECT sha256(name::bytea), 'default', account_id, %(now)s, %(now)s FROM accounts RETURNING 1
"""


@pytest.mark.parametrize("way", ["changed", "reset", "by the operator"])
@ensureDeferred
async def test_another_password_ends_the_sessions_and_forgets_the_devices_of_the_account(
    services: AccountServices, way: str
) -> None:
    """They may be of somebody who knew the old one, who sees no data at once; other accounts keep theirs."""
    token = await services.join()
    of_eve = await services.sign_up(EVE, login_query=replace(PHONE, mac="02:00:00:00:00:66"))
    assert isinstance(of_eve, Admitted)
    await rows(services.database, REMEMBER_ALL, {"now": NOON})
    await rows(
        services.database,
        "UPDATE sessions SET ending = 'logged out' WHERE token_hash = %(hash)s RETURNING 1",
        {"hash": hash_secret(token)},
    )
    personal_data = PersonalData(services.database, services.passwords, utc_now=services.utc_now)
    assert await within(5, personal_data.look(token)) is not None
    if way == "changed":
        assert await within(10, services.self_service.change_password(ZOE, GOOD, OTHER)) is Outcome.PASSWORD_CHANGED
    elif way == "reset":
        await services.ask()
        assert await services.choose((await services.secrets())[2], OTHER) is Outcome.PASSWORD_CHANGED
    else:
        assert await run(services.database, set_password, ZOE, "$argon2id$")
    assert await rows(services.database, "SELECT name FROM devices JOIN accounts USING (account_id)") == [(EVE,)]
    assert await within(5, personal_data.look(token)) is None
    assert await within(5, personal_data.look(of_eve.token)) is not None
    assert await services.report(token) is AuthCode.DENIED
    assert await rows(services.database, "SELECT ending FROM sessions") == [(None,)]
    assert await rows(services.database, "SELECT reason FROM past_sessions") == [(Reason.PASSWORD_CHANGED.value,)]


@ensureDeferred
async def test_signing_up_costs_no_try(services: AccountServices) -> None:
    """The account is new, and so is its budget of tries."""
    await services.join()
    for _ in range(MOST_TRIES):
        assert await services.sign_in(ZOE, "wrong one") == Refused(Refusal.WRONG_PASSWORD)
    assert await services.sign_in() == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)


@ensureDeferred
async def test_another_address_must_be_validated_too(services: AccountServices) -> None:
    """Until then the account keeps the old address, whose owner is told."""
    await services.join()
    await services.confirm((await services.secrets())[0])
    move = services.self_service.change_address
    assert await within(10, move(ZOE, "wrong", EVE, services.reader)) == Refused(Refusal.WRONG_PASSWORD)
    assert await within(10, move(ZOE, GOOD, "no address", services.reader)) == Refused(Refusal.NO_ADDRESS)
    assert await within(10, move(ZOE, GOOD, EVE, services.reader)) is Outcome.MAIL_SENT
    assert [(mail["to"], mail["subject"]) for mail in (await services.mails())[1:]] == [
        (EVE, "Please confirm your new e-mail address"),
        (ZOE, "Your account is to have another address"),
    ]
    assert isinstance(await services.sign_in(ZOE), Admitted)
    assert await services.confirm((await services.secrets())[1]) is Outcome.ADDRESS_CHANGED
    assert isinstance(await services.sign_in(EVE), Admitted)
    assert await services.sign_in(ZOE) == Refused(Refusal.WRONG_PASSWORD)


@ensureDeferred
async def test_an_address_that_somebody_has_cannot_be_taken(services: AccountServices) -> None:
    """The answer is the same and nothing is sent; whoever signs up with an address first keeps it."""
    await services.join()
    await services.confirm((await services.secrets())[0])
    await services.join(EVE)
    sent = len(await services.mails())
    assert await within(10, services.self_service.change_address(ZOE, GOOD, EVE, services.reader)) is Outcome.MAIL_SENT
    assert len(await services.mails()) == sent
    new = "new@example.org"
    assert await within(10, services.self_service.change_address(ZOE, GOOD, new, services.reader)) is Outcome.MAIL_SENT
    secret = (await services.secrets())[sent]
    await services.sign_up(new)
    assert await services.confirm(secret) is Outcome.NO_LINK


@ensureDeferred
async def test_what_is_old_is_forgotten(services: AccountServices) -> None:
    """Expired links, and accounts that were not validated for a week, so that the address is free again."""
    await services.sign_up()
    services.now += KEEP_UNVALIDATED
    await rows(services.database, "DELETE FROM sessions RETURNING 1")
    await within(10, services.registration.forget())
    assert await rows(services.database, "SELECT count(*) FROM email_links") == [(0,)]
    assert await rows(services.database, "SELECT count(*) FROM accounts") == [(1,)]
    services.now += timedelta(seconds=1)
    await within(10, services.registration.forget())
    assert await rows(services.database, "SELECT count(*) FROM accounts") == [(0,)]


@pytest.mark.parametrize("address", ["a;b@c.example", "a..b@c.example", '"zo e"@c.example', "=?utf-8?q?x?=@c.example"])
@ensureDeferred
async def test_an_address_that_is_none_is_not_written_to(services: AccountServices, address: str) -> None:
    """Such as accounts from elsewhere brought along; everything else works, and the account may have another."""
    hashed = await within(10, services.passwords.hash(GOOD))
    await rows(
        services.database,
        "INSERT INTO accounts (name, email, password_hash, created_at, validated_at)"
        " VALUES ('old', %(email)s, %(hashed)s, %(now)s, %(now)s) RETURNING 1",
        {"email": address, "hashed": hashed, "now": NOON},
    )
    assert (
        await within(10, services.self_service.change_address("old", GOOD, ZOE, services.reader)) is Outcome.MAIL_SENT
    )
    assert [mail["to"] for mail in await services.mails()] == [ZOE]
    assert await services.confirm((await services.secrets())[0]) is Outcome.ADDRESS_CHANGED
    assert isinstance(await services.sign_in(ZOE), Admitted)


@ensureDeferred
async def test_an_address_of_a_japanese_telephone_signs_up(services: AccountServices) -> None:
    """With dots where others have none."""
    await services.join("a..b@docomo.ne.jp")
    [mail] = await services.mails()
    assert '\nTo: "a..b"@docomo.ne.jp\n' in mail.as_string().replace("\r\n", "\n")
    assert await services.confirm((await services.secrets())[0]) is Outcome.VALIDATED


@ensureDeferred
async def test_a_title_cannot_write_headers(services: AccountServices) -> None:
    """Whatever title an operator, or an attacker with access to the database, gives the network."""
    await services.offer(replace(OFFER, title="Café\r\nBcc: eve@example.org\r\n\r\nBuy!"))
    await services.sign_up()
    [mail] = await services.mails()
    assert mail["bcc"] is None
    assert str(mail["from"].addresses[0].display_name) == "Café Bcc: eve@example.org Buy!"
    assert {header.lower() for header in mail} == {
        *("from", "to", "subject", "date", "message-id", "auto-submitted", "content-language"),
        *("content-type", "content-transfer-encoding", "mime-version"),
    }
