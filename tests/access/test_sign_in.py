"""Guests signing in, looking at their session and leaving, on a real PostgreSQL."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import argon2
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred, gatherResults

from tests.support.builders import rows, run
from tests.support.deadline import within
from wifidogd.access.arrivals import Arrivals
from wifidogd.access.open_session import Admitted, Refusal, Refused
from wifidogd.access.session_view import SessionViews
from wifidogd.access.sign_in import AccountSignIn
from wifidogd.access.throttle import MOST
from wifidogd.accounting.ledger import Ledger
from wifidogd.domain.errors import Overloaded
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.plans import Network, Plan, SignInMethod
from wifidogd.domain.sessions import Dialect, LoginQuery, Octets, Reason, Report, Stage
from wifidogd.domain.tokens import hash_secret
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.access.rate_limits import TRIES_WINDOW, SubjectKind
from wifidogd.store.accounting.plans import save_plan
from wifidogd.store.accounts.accounts import (
    add_account,
    fetch_account,
    set_disabled,
    set_password,
    upgrade_password,
)
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.gateways import adopt
from wifidogd.store.gateways.networks import save_network
from wifidogd.store.operators.imports import NewAccount, add_accounts

MOST_TRIES = 10

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
GATEWAY = Gateway("gw1", "default", "10.11.0.1")
PHONE = LoginQuery("gw1", mac="02:ab:cd:ef:01:01", url="http://wanted.example/")
LAPTOP = LoginQuery("gw1", mac="02:ab:cd:ef:02:02")
OFFER = Network("default", "Café", (SignInMethod.ACCOUNT,), time_limit=timedelta(hours=1), quota_octets=1000)


class Harness:
    """Account sign-in and what it needs; the clock is the test's."""

    def __init__(self, database: Database) -> None:
        self.now = NOON
        self.database = database
        self.passwords = Passwords(reactor, threads=1, max_waiting=1)
        self.registry = Registry(database, utc_now=self.utc_now)
        self.account_sign_in = AccountSignIn(database, self.passwords, utc_now=self.utc_now)
        self.views = SessionViews(database, self.registry, utc_now=self.utc_now)
        self.arrivals = Arrivals(database)
        self.ledger = Ledger(database, self.registry, clock=reactor, utc_now=self.utc_now)

    def utc_now(self) -> datetime:
        return self.now

    async def open(self) -> None:
        self.passwords.start()
        password_hash = await self.passwords.hash("right")

        async def prepare(cursor) -> None:
            await save_network(cursor, OFFER)
            await adopt(cursor, GATEWAY, NOON)
            await add_account(cursor, "zoë", password_hash, NOON)

        await self.database.transaction(prepare)
        await self.registry.refresh()

    async def sign_in(self, password: str, name: str = "zoë", query: LoginQuery = PHONE) -> Admitted | Refused:
        return await within(10, self.account_sign_in.account(self.request(query), name, password))

    def request(self, query: LoginQuery = PHONE, source: str | None = None) -> GuestRequest:
        return GuestRequest(GATEWAY, OFFER, query, self.now, source)

    async def is_online(self) -> bool:
        return (await within(5, self.arrivals.look_up(self.request()))).is_online

    async def report(self, token: str, stage: Stage, octets: Octets | None = None) -> int:
        report = Report(stage, Dialect.WIFIDOG, token, "gw1", PHONE.mac, "10.11.0.9", octets)
        return (await within(5, self.ledger.settle(report))).code


@pytest_twisted.async_yield_fixture
async def harness(database: Database) -> AsyncIterator[Harness]:
    harness = Harness(database)
    await within(10, harness.open())
    yield harness
    await within(5, harness.ledger.drain())
    harness.passwords.stop()


@pytest.mark.parametrize("name", ["zoë", "  ZOË "])
@pytest_twisted.ensureDeferred
async def test_the_right_password_admits_whatever_the_case_of_the_name(harness, name):
    assert isinstance(await harness.sign_in("right", name), Admitted)


@pytest.mark.parametrize(
    ("name", "password"),
    [("zoë", "wrong"), ("zoë", ""), ("nobody", "right"), ("", "right"), ("a\0b", "right"), ("x" * 5000, "right")],
)
@pytest_twisted.ensureDeferred
async def test_anything_else_gets_one_and_the_same_answer(harness, name, password):
    assert await harness.sign_in(password, name) == Refused(Refusal.WRONG_PASSWORD)


@pytest_twisted.ensureDeferred
async def test_a_disabled_account_is_as_good_as_none(harness):
    await within(5, harness.database.transaction(lambda cursor: set_disabled(cursor, "zoë", True)))
    assert await harness.sign_in("right") == Refused(Refusal.WRONG_PASSWORD)


async def bring_over(database: Database, password: str) -> None:
    """Import an account called otto from the old server."""
    old_hash = base64.b64encode(hashlib.md5(password.encode()).digest()).decode()
    otto = NewAccount("otto", None, old_hash, NOON, disabled=False, created_at=NOON)
    await within(5, database.transaction(lambda cursor: add_accounts(cursor, [otto])))


@pytest_twisted.ensureDeferred
async def test_an_imported_account_gets_a_better_hash_at_its_first_sign_in(harness):
    """And keeps it: the old one is gone."""
    await bring_over(harness.database, "right")
    assert isinstance(await harness.sign_in("right", "Otto"), Admitted)
    account = await within(5, harness.database.transaction(lambda cursor: fetch_account(cursor, "otto")))
    assert account.password_hash.startswith("$argon2id$")
    assert account.old_hash is None
    assert await harness.sign_in("wrong", "otto") == Refused(Refusal.WRONG_PASSWORD)
    assert isinstance(await harness.sign_in("right", "otto"), Admitted)
    again = await within(5, harness.database.transaction(lambda cursor: fetch_account(cursor, "otto")))
    assert again == account


@pytest_twisted.ensureDeferred
async def test_a_password_is_the_same_however_it_is_typed(harness):
    """Decomposed as macOS does, or in full width; a hash of before, of what was typed then, is replaced once."""
    decomposed, composed = "Gru\u0308n-Tee", "Gr\xfcn-Tee"
    old = argon2.PasswordHasher().hash(decomposed)
    await within(5, harness.database.transaction(lambda cursor: set_password(cursor, "zoë", old)))
    assert await harness.sign_in(composed) == Refused(Refusal.WRONG_PASSWORD)
    assert isinstance(await harness.sign_in(decomposed), Admitted)
    upgraded = await within(5, harness.database.transaction(lambda cursor: fetch_account(cursor, "zoë")))
    assert upgraded.password_hash != old
    for typed in (composed, decomposed, "\uff27r\xfcn\uff0d\uff34ee"):
        assert isinstance(await harness.sign_in(typed), Admitted)
    after = await within(5, harness.database.transaction(lambda cursor: fetch_account(cursor, "zoë")))
    assert after == upgraded


@pytest.mark.parametrize("stored", ["Gr\xfcn-Tee", "Gru\u0308n-Tee"])
@pytest_twisted.ensureDeferred
async def test_an_imported_password_is_found_in_both_forms(harness, stored):
    """The old server took the MD5 of what was sent."""
    await bring_over(harness.database, stored)
    assert isinstance(await harness.sign_in("Gru\u0308n-Tee", "otto"), Admitted)
    assert isinstance(await harness.sign_in("Gr\xfcn-Tee", "otto"), Admitted)


@pytest_twisted.ensureDeferred
async def test_a_wrong_password_upgrades_nothing(harness):
    """Nor does the right one while the account is disabled."""
    await bring_over(harness.database, "right")
    before = await within(5, harness.database.transaction(lambda cursor: fetch_account(cursor, "otto")))
    for password in ("wrong", "", before.old_hash):
        assert await harness.sign_in(password, "otto") == Refused(Refusal.WRONG_PASSWORD)
    await within(5, harness.database.transaction(lambda cursor: set_disabled(cursor, "otto", True)))
    assert await harness.sign_in("right", "otto") == Refused(Refusal.WRONG_PASSWORD)
    after = await within(5, harness.database.transaction(lambda cursor: fetch_account(cursor, "otto")))
    assert after == replace(before, disabled=True)


@pytest_twisted.ensureDeferred
async def test_an_upgrade_never_undoes_a_change_of_password(harness):
    """Which may happen while the old password is being hashed."""
    await bring_over(harness.database, "right")
    account = await within(5, harness.database.transaction(lambda cursor: fetch_account(cursor, "otto")))
    await within(5, harness.database.transaction(lambda cursor: set_password(cursor, "otto", "changed")))
    await run(harness.database, upgrade_password, account, "late")
    after = await within(5, harness.database.transaction(lambda cursor: fetch_account(cursor, "otto")))
    assert after.password_hash == "changed"


@pytest_twisted.ensureDeferred
async def test_an_account_is_closed_to_guessing_from_everywhere_until_its_window_is_over(harness):
    """Many devices share the tries of an account."""
    for number in range(MOST_TRIES):
        query = replace(PHONE, mac=f"02:00:00:00:00:{number:02x}")
        assert await harness.sign_in("wrong", query=query) == Refused(Refusal.WRONG_PASSWORD)
    harness.now += timedelta(minutes=5)
    assert await harness.sign_in("right") == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW - timedelta(minutes=5))
    harness.now = NOON + TRIES_WINDOW
    assert isinstance(await harness.sign_in("right"), Admitted)


@pytest_twisted.ensureDeferred
async def test_a_device_is_stopped_from_guessing_many_accounts_and_its_neighbour_is_not(harness):
    """The limit is of the device at the gateway; that of the address which all share is much higher."""
    for number in range(MOST_TRIES):
        assert await harness.sign_in("wrong", f"guess{number}") == Refused(Refusal.WRONG_PASSWORD)
    refused = await harness.sign_in("right")
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.TOO_MANY_TRIES
    assert isinstance(await harness.sign_in("right", query=LAPTOP), Admitted)


@pytest_twisted.ensureDeferred
async def test_a_source_is_stopped_from_trying_one_password_on_every_account(harness, monkeypatch):
    """Whatever devices it claims, or none; a right password costs nothing, and another source is another."""
    monkeypatch.setitem(MOST, SubjectKind.PASSWORDS_FROM_SOURCE, 4)

    async def sign_in(name: str, source: str, password: str = "wrong") -> Admitted | Refused:
        return await within(
            10, harness.account_sign_in.account(harness.request(LoginQuery("gw1"), source), name, password)
        )

    for number in range(4):
        assert await sign_in(f"guess{number}", "2001:db8::1") == Refused(Refusal.WRONG_PASSWORD)
        assert isinstance(await sign_in("zoë", "198.51.100.7", "right"), Admitted)
    assert await sign_in("guess9", "2001:db8::2:3") == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW / 4)
    assert await sign_in("zoë", "2001:db8::1", "right") == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW / 4)
    assert isinstance(await sign_in("zoë", "198.51.100.7", "right"), Admitted)
    harness.now += TRIES_WINDOW / 4
    assert isinstance(await sign_in("zoë", "2001:db8::1", "right"), Admitted)


@pytest_twisted.ensureDeferred
async def test_signing_in_often_is_not_guessing(harness):
    for _ in range(MOST_TRIES + 3):
        assert isinstance(await harness.sign_in("right"), Admitted)


@pytest_twisted.ensureDeferred
async def test_a_storm_of_sign_ins_is_told_to_come_back_and_costs_no_tries(harness):
    """One password is being checked and one waits; the others hear at once, and may try again."""
    storm = [ensureDeferred(harness.account_sign_in.account(harness.request(), "zoë", "right")) for _ in range(8)]
    outcomes = await within(20, gatherResults(storm))
    busy = [outcome for outcome in outcomes if outcome == Refused(Refusal.BUSY)]
    assert busy
    assert len(busy) < len(outcomes)
    for _ in range(MOST_TRIES):
        assert isinstance(await harness.sign_in("right"), Admitted)


@pytest_twisted.ensureDeferred
async def test_the_portal_shows_what_is_used_and_left(harness):
    admitted = await within(5, harness.account_sign_in.splash(harness.request()))
    pending = await within(5, harness.views.show(admitted.token))
    assert (pending.online, pending.since, pending.time_left) == (False, None, timedelta(hours=1))
    assert await harness.report(admitted.token, Stage.LOGIN) == 1
    assert await harness.report(admitted.token, Stage.COUNTERS, Octets(300, 100)) == 1
    harness.now += timedelta(minutes=15)
    view = await within(5, harness.views.show(admitted.token))
    assert (view.online, view.since, view.used) == (True, NOON, Octets(300, 100))
    assert (view.octets_left, view.time_left) == (600, timedelta(minutes=45))
    assert (view.url, view.mac, view.ip) == ("http://wanted.example/", PHONE.mac, "10.11.0.9")
    assert await within(5, harness.views.show("0" * 32)) is None


@pytest_twisted.ensureDeferred
async def test_logging_out_takes_effect_at_the_next_report_and_loses_no_octet(harness):
    admitted = await within(5, harness.account_sign_in.splash(harness.request()))
    await harness.report(admitted.token, Stage.LOGIN)
    assert await harness.is_online()
    view = await within(5, harness.views.log_out(admitted.token))
    assert not view.online
    assert not await harness.is_online()
    assert await harness.report(admitted.token, Stage.COUNTERS, Octets(70, 7)) == 0

    async def fetch(cursor):
        await cursor.execute("SELECT reason, incoming, outgoing FROM past_sessions")
        return cursor.fetchall()

    assert await within(5, harness.database.transaction(fetch)) == [(Reason.LOGOUT.value, 70, 7)]
    assert await within(5, harness.views.log_out(admitted.token)) is None


@pytest_twisted.ensureDeferred
async def test_who_has_not_been_reported_for_three_intervals_counts_as_offline(harness):
    """The guest may have been captured again: never tell them that they are online."""
    admitted = await within(5, harness.account_sign_in.splash(harness.request()))
    await harness.report(admitted.token, Stage.LOGIN)
    harness.now += timedelta(minutes=3)
    assert await harness.is_online()
    harness.now += timedelta(seconds=1)
    assert not await harness.is_online()


@pytest_twisted.ensureDeferred
async def test_a_splash_in_a_network_with_a_plan_is_on_the_allowance_of_the_device(harness):
    """Which its gateway must have named, and must report."""
    await run(harness.database, save_plan, Plan("p", "P"))
    keyed = replace(GATEWAY, key_hashes=(hash_secret("key"),))
    request = replace(harness.request(), gateway=keyed, network=replace(OFFER, plan="p"))
    nameless = replace(request, query=LoginQuery("gw1"))
    assert await within(5, harness.account_sign_in.splash(nameless)) == Refused(Refusal.NO_DEVICE)
    assert isinstance(await within(5, harness.account_sign_in.splash(replace(nameless, network=OFFER))), Admitted)
    assert isinstance(await within(5, harness.account_sign_in.splash(request)), Admitted)
    drawn = (
        "SELECT claimed_mac, allowances.mac, plan FROM sessions LEFT JOIN allowances USING (allowance_id) ORDER BY 1"
    )
    assert await rows(harness.database, drawn) == [(PHONE.mac, PHONE.mac, "p"), (None, None, None)]


@pytest_twisted.ensureDeferred
async def test_no_stranger_spends_the_allowance_of_a_device_where_anybody_can_report_it(harness):
    """Each sign-in has an allowance of its own there, unless the operator trusts the gateway all the same."""
    await run(harness.database, save_plan, Plan("p", "P", time_limit=timedelta(hours=1)))
    request = replace(harness.request(), network=replace(OFFER, plan="p"), even_if_online=True)
    for query in (PHONE, PHONE, LoginQuery("gw1")):
        admitted = await within(5, harness.account_sign_in.splash(replace(request, query=query)))
        assert isinstance(admitted, Admitted)
        assert await harness.report(admitted.token, Stage.LOGIN) == 1
    drawn = "SELECT count(DISTINCT allowance_id), count(mac), count(first_used_at) FROM allowances"
    assert await rows(harness.database, drawn) == [(3, 0, 3)]
    trusted = replace(request, gateway=replace(GATEWAY, trust_macs=True))
    assert isinstance(await within(5, harness.account_sign_in.splash(trusted)), Admitted)
    assert await rows(harness.database, drawn) == [(4, 1, 3)]


@pytest_twisted.ensureDeferred
async def test_a_session_begins_once_the_password_has_been_checked(harness):
    """Not when the form came: a busy server takes seconds."""
    request = replace(harness.request(), now=NOON - timedelta(seconds=9))
    assert isinstance(await within(10, harness.account_sign_in.account(request, "zoë", "right")), Admitted)
    assert await rows(harness.database, "SELECT opened_at FROM sessions") == [(NOON,)]


@pytest_twisted.ensureDeferred
async def test_a_server_without_time_to_hash_a_password_anew_lets_its_guest_in(harness, monkeypatch):
    """The next sign-in will do."""

    async def refuse(password: str, source: str | None) -> str:
        raise Overloaded("busy")

    await bring_over(harness.database, "right")
    monkeypatch.setattr(harness.passwords, "hash", refuse)
    assert isinstance(await harness.sign_in("right", "otto"), Admitted)
    account = await within(5, harness.database.transaction(lambda cursor: fetch_account(cursor, "otto")))
    assert (account.password_hash, account.old_hash is None) == (None, False)


@pytest_twisted.ensureDeferred
async def test_a_device_is_remembered_for_an_account_and_not_for_a_splash(harness):
    """Nobody has shown anything at a splash that could be remembered."""
    network = replace(OFFER, remember=timedelta(days=30))
    request = replace(harness.request(), network=network, wants_remembering=True)
    admitted = await within(5, harness.account_sign_in.splash(request))
    assert admitted.cookie is None
    admitted = await within(10, harness.account_sign_in.account(request, "zoë", "right"))
    assert admitted.cookie.until == NOON + timedelta(days=30)
    found = "SELECT key_hash, accounts.name, voucher_id FROM devices JOIN accounts USING (account_id)"
    assert [(bytes(key), *rest) for key, *rest in await rows(harness.database, found)] == [
        (hash_secret(admitted.cookie.key), "zoë", None)
    ]


@pytest_twisted.ensureDeferred
async def test_an_online_guest_is_told_so_before_a_password_is_counted(harness):
    """Whichever way they take; unless they insist."""
    admitted = await within(5, harness.account_sign_in.splash(harness.request()))
    await harness.report(admitted.token, Stage.LOGIN)
    for _ in range(MOST_TRIES + 1):
        assert await harness.sign_in("wrong") == Refused(Refusal.ALREADY_ONLINE)
    assert await within(5, harness.account_sign_in.splash(harness.request())) == Refused(Refusal.ALREADY_ONLINE)
    insisting = replace(harness.request(), even_if_online=True)
    assert isinstance(await within(10, harness.account_sign_in.account(insisting, "zoë", "right")), Admitted)
