"""The ledger against a real PostgreSQL: what is answered is on disk, whatever happens in between."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import psycopg2
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import DeferredList, ensureDeferred, fail, gatherResults
from twisted.internet.task import Clock, deferLater
from twisted.logger import formatEvent

from tests.support.deadline import within
from tests.support.observing import log_lines
from tests.support.postgres import ThrowawayPostgres
from wifidogd.access.sign_in import AccountSignIn
from wifidogd.accounting.dispatcher import HELD_MOST, MAX_WAITING
from wifidogd.accounting.ledger import (
    ANSWER_WITHIN,
    PATIENT_ANSWER_WITHIN,
    SETTLE_WITHIN,
    TRANSACTIONS,
    Ledger,
    answer_within,
)
from wifidogd.accounting.report_stream import PACE
from wifidogd.domain.errors import Overloaded, StoreConflict, StoreUnavailable
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.sessions import AuthCode, Dialect, LoginQuery, Octets, Report, Stage
from wifidogd.domain.tokens import hash_secret
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.gateways import adopt
from wifidogd.store.migrations import migrate

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PHONE = "02:ab:cd:ef:01:01"
GATEWAY = Gateway("gw1", "default", "10.11.0.1")

SELECT_TRANSACTIONS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
SELECT_OPEN = "SELECT incoming, outgoing, last_incoming, last_outgoing FROM sessions WHERE token_hash = %(token_hash)s"
SELECT_PAST = "SELECT gw_id, mac, reason, incoming, outgoing FROM past_sessions ORDER BY session_id"


class Site:
    """A ledger and what it needs, on one database, at a moment that tests move."""

    def __init__(self, database: Database) -> None:
        self.now = NOON
        self.database = database
        self.registry = Registry(database, utc_now=self.utc_now)
        self.ledger = Ledger(database, self.registry, clock=reactor, utc_now=self.utc_now)
        names = itertools.count()
        self.account_sign_in = AccountSignIn(
            database, Passwords(reactor), utc_now=self.utc_now, mint=lambda: f"{next(names):032d}"
        )

    def utc_now(self) -> datetime:
        return self.now

    async def open(self) -> None:
        """Adopt the gateway and learn of it."""
        await within(5, self.database.transaction(lambda cursor: adopt(cursor, GATEWAY, self.now)))
        await within(5, self.registry.refresh())

    async def token(self) -> str:
        """Let somebody in as far as the gateway."""
        network = self.registry.network(GATEWAY.network)
        request = GuestRequest(GATEWAY, network, LoginQuery("gw1"), self.now)
        return (await within(5, self.account_sign_in.splash(request))).token

    async def rows(self, statement: str, **parameters: object) -> list[tuple[object, ...]]:
        async def fetch(cursor) -> list[tuple[object, ...]]:
            await cursor.execute(statement, parameters)
            return cursor.fetchall()

        return await within(5, self.database.transaction(fetch))


@pytest_twisted.async_yield_fixture
async def site(database: Database) -> AsyncIterator[Site]:
    site = Site(database)
    await site.open()
    yield site
    await within(5, site.ledger.drain())


def reported(
    stage: Stage, token: str, octets: Octets | None = None, mac: str | None = PHONE, gw_id: str | None = "gw1"
):
    return Report(stage, Dialect.WIFIDOG, token, gw_id=gw_id, mac=mac, ip="10.11.0.101", octets=octets)


async def code(site: Site, report: Report) -> AuthCode:
    return (await within(30, site.ledger.settle(report))).code


def test_the_times_and_the_share_of_connections_are_these() -> None:
    """apfree hangs up after 2 s, wifidog-ng after 1 s, the reference gateway after 30 s."""
    assert (ANSWER_WITHIN, PATIENT_ANSWER_WITHIN) == (0.7, 10.0)
    assert timedelta(seconds=2) == SETTLE_WITHIN
    assert TRANSACTIONS == 3


@pytest.mark.impatient
@pytest.mark.parametrize(
    ("stage", "dialect", "seconds"),
    [
        (Stage.LOGIN, Dialect.WIFIDOG, 10.0),
        (Stage.LOGIN, Dialect.APFREE, 0.7),
        (Stage.LOGIN, Dialect.OTHER, 0.7),
        (Stage.COUNTERS, Dialect.WIFIDOG, 0.7),
        (Stage.LOGOUT, Dialect.WIFIDOG, 0.7),
    ],
)
def test_only_the_login_of_the_reference_gateway_may_wait_long(stage: Stage, dialect: Dialect, seconds: float) -> None:
    """Its guest is watching a page load; all others would have hung up."""
    assert answer_within(replace(reported(stage, "t"), dialect=dialect)) == seconds


async def verdict(site: Site, report: Report) -> AuthCode:
    """Ask again, as a gateway does at its next interval, until there is a verdict."""
    for _ in range(40):
        try:
            return await code(site, report)
        except StoreUnavailable:
            await deferLater(reactor, 0.25)
    raise AssertionError("no verdict in 10 s and more")


@pytest_twisted.ensureDeferred
async def test_a_guest_signs_in_uses_octets_and_logs_out(site):
    """The whole life of a session, each answer with its rows."""
    token = await site.token()
    assert await code(site, reported(Stage.LOGIN, token, Octets())) is AuthCode.ALLOWED
    assert await code(site, reported(Stage.COUNTERS, token, Octets(304329, 3842))) is AuthCode.ALLOWED
    assert await site.rows(SELECT_OPEN, token_hash=hash_secret(token)) == [(304329, 3842, 304329, 3842)]
    assert await code(site, reported(Stage.COUNTERS, token, Octets(100, 50))) is AuthCode.ALLOWED
    assert await site.rows(SELECT_OPEN, token_hash=hash_secret(token)) == [(304429, 3892, 100, 50)]
    assert await code(site, reported(Stage.LOGOUT, token, Octets(100, 50))) is AuthCode.DENIED
    assert await site.rows(SELECT_OPEN, token_hash=hash_secret(token)) == []
    assert await site.rows(SELECT_PAST) == [("gw1", PHONE, "logged out", 304429, 3892)]
    assert await code(site, reported(Stage.COUNTERS, token, Octets(200, 100))) is AuthCode.DENIED


@pytest_twisted.ensureDeferred
async def test_a_new_token_of_an_online_device_replaces_the_old_and_inherits_its_totals(site):
    """Nothing is counted twice and nothing is lost between the two (docs/protocol.md 6.6)."""
    old, new = await site.token(), await site.token()
    await code(site, reported(Stage.LOGIN, old))
    await code(site, reported(Stage.COUNTERS, old, Octets(100_000, 2_000)))
    assert await code(site, reported(Stage.LOGIN, new, Octets())) is AuthCode.ALLOWED
    assert await code(site, reported(Stage.COUNTERS, new, Octets(102_104, 2_010))) is AuthCode.ALLOWED
    assert await site.rows(SELECT_PAST) == [("gw1", PHONE, "replaced", 100_000, 2_000)]
    assert await site.rows(SELECT_OPEN, token_hash=hash_secret(new)) == [(2_104, 10, 102_104, 2_010)]
    assert await code(site, reported(Stage.COUNTERS, old, Octets(102_104, 2_010))) is AuthCode.DENIED


@pytest_twisted.ensureDeferred
async def test_counters_of_a_token_whose_login_was_never_answered_let_the_guest_in(site):
    """The gateway has the guest on its list and will open on 1 (docs/protocol.md 6.5)."""
    token = await site.token()
    assert await code(site, reported(Stage.COUNTERS, token, Octets(10, 20))) is AuthCode.ALLOWED
    assert await site.rows(SELECT_OPEN, token_hash=hash_secret(token)) == [(10, 20, 10, 20)]


@pytest.mark.parametrize("wrong", [{"gw_id": "gw2"}, {"mac": "02:ab:cd:ef:02:02"}])
@pytest_twisted.ensureDeferred
async def test_a_token_is_good_for_one_device_at_one_gateway(site, wrong):
    """From anywhere else it is answered 0 and nothing changes."""
    token = await site.token()
    assert await code(site, reported(Stage.LOGIN, token)) is AuthCode.ALLOWED
    assert await code(site, reported(Stage.LOGIN, token, **wrong)) is AuthCode.DENIED
    assert await code(site, reported(Stage.COUNTERS, token, Octets(5, 5), **wrong)) is AuthCode.DENIED
    assert await site.rows(SELECT_OPEN, token_hash=hash_secret(token)) == [(0, 0, 0, 0)]


@pytest_twisted.ensureDeferred
async def test_a_lone_report_is_settled_at_once_and_a_crowd_in_batches(site):
    """A thousand guests at once cost few transactions, each with its own verdict."""
    before = await site.rows(SELECT_TRANSACTIONS)
    tokens = [await site.token() for _ in range(20)]
    reports = [
        reported(Stage.COUNTERS, token, Octets(n, n), mac=f"02:00:00:00:00:{index:02x}")
        for n in range(1, 51)
        for index, token in enumerate(tokens)
    ]
    decisions = await within(20, gatherResults([ensureDeferred(site.ledger.settle(report)) for report in reports]))
    assert {decision.code for decision in decisions} == {AuthCode.ALLOWED}
    assert await site.rows("SELECT DISTINCT incoming, outgoing FROM sessions") == [(50, 50)]
    assert site.ledger.metrics() == {"reports_waiting": 0, "batches_in_flight": 0}
    after = await site.rows(SELECT_TRANSACTIONS)
    assert after[0][0] - before[0][0] < len(reports) / 10


@pytest.mark.parametrize("place", [2, 5])
@pytest_twisted.ensureDeferred
async def test_a_report_that_cannot_be_stored_does_not_fail_its_neighbours(site, place):
    """The batch is settled apart until the one to blame is alone, wherever in it that is."""
    good = [await site.token() for _ in range(5)]
    bad = await site.token()
    reports = [reported(Stage.LOGIN, token, mac=f"02:00:00:00:00:{n:02x}") for n, token in enumerate(good)]
    poisoned = Report(Stage.LOGIN, Dialect.WIFIDOG, bad, gw_id="gw1", mac="not a mac", ip="10.0.0.1")
    with log_lines("wifidogd.accounting") as events:
        answers = [
            ensureDeferred(site.ledger.settle(report)) for report in [*reports[:place], poisoned, *reports[place:]]
        ]
        outcomes = [await within(5, answer.addErrback(lambda failure: failure.type)) for answer in answers]
    assert [event["log_level"].name for event in events] == ["warn"]
    assert "cannot be settled" in formatEvent(events[0])
    assert outcomes.pop(place).__name__ == "StoreRefused"
    assert [decision.code for decision in outcomes] == [AuthCode.ALLOWED] * 5


@pytest_twisted.ensureDeferred
async def test_two_servers_agree_on_one_database(site, dsn):
    """Two ledgers that settle the same sessions at the same time count everything once."""
    other_database = Database(clock=reactor)
    other = Site(other_database)
    other_database.start(dsn)
    await within(5, other.registry.refresh())
    tokens = [await site.token() for _ in range(30)]
    for turn in range(1, 6):
        reports = [
            reported(Stage.COUNTERS, token, Octets(turn * 1000, turn), mac=f"02:00:00:00:00:{n:02x}")
            for n, token in enumerate(tokens)
        ]
        settled = [ensureDeferred(server.ledger.settle(report)) for report in reports for server in (site, other)]
        decisions = await within(20, gatherResults(settled))
        assert {decision.code for decision in decisions} == {AuthCode.ALLOWED}
    assert await site.rows("SELECT DISTINCT incoming, outgoing FROM sessions") == [(5000, 5)]
    await within(5, other_database.stop())


@pytest_twisted.ensureDeferred
async def test_two_tokens_of_one_device_logging_in_on_two_servers_leave_one_online(site, dsn):
    """Whichever comes second replaces the other; nobody gets an error."""
    other_database = Database(clock=reactor)
    other = Site(other_database)
    other_database.start(dsn)
    await within(5, other.registry.refresh())
    for _ in range(10):
        first, second = await site.token(), await site.token()
        settled = [
            ensureDeferred(site.ledger.settle(reported(Stage.LOGIN, first))),
            ensureDeferred(other.ledger.settle(reported(Stage.LOGIN, second))),
        ]
        decisions = await within(10, gatherResults(settled))
        assert [decision.code for decision in decisions] == [AuthCode.ALLOWED] * 2
        assert await site.rows("SELECT count(*) FROM sessions WHERE activated_at IS NOT NULL") == [(1,)]
    await within(5, other_database.stop())


@pytest_twisted.ensureDeferred
async def test_the_queue_is_bounded(site):
    """Beyond it a gateway hears at once that nobody can say, and the report counts as one that was not heard."""
    token = await site.token()
    settled = [
        ensureDeferred(site.ledger.settle(reported(Stage.COUNTERS, token))).addErrback(lambda failure: failure.value)
        for _ in range(1 + MAX_WAITING)
    ]
    assert site.ledger.metrics() == {"reports_waiting": MAX_WAITING, "batches_in_flight": 1}
    assert site.ledger.unsettled_at is None
    with pytest.raises(Overloaded):
        await within(5, site.ledger.settle(reported(Stage.COUNTERS, token)))
    assert site.ledger.unsettled_at == NOON
    outcomes = await within(60, gatherResults(settled))
    assert {outcome.code for outcome in outcomes} == {AuthCode.ALLOWED}


@pytest_twisted.ensureDeferred
async def test_a_batch_goes_before_guests_and_is_given_up_after_two_seconds(site, monkeypatch):
    """Gateways wait for less than people do."""
    token, transaction, asked = await site.token(), site.database.transaction, []

    def ask(work, **options):
        asked.append(options)
        return transaction(work, **options)

    monkeypatch.setattr(site.database, "transaction", ask)
    assert await code(site, reported(Stage.LOGIN, token)) is AuthCode.ALLOWED
    assert asked == [{"deadline": timedelta(seconds=2), "urgent": True}]


@pytest_twisted.ensureDeferred
async def test_a_report_in_conflict_with_another_server_is_tried_again(site, monkeypatch):
    """By itself, after a pause; until then nobody has heard it."""
    token, transaction, tries = await site.token(), site.database.transaction, []

    def ask(work, **options):
        tries.append(work)
        return fail(StoreConflict("another was first")) if len(tries) == 1 else transaction(work, **options)

    monkeypatch.setattr(site.database, "transaction", ask)
    with log_lines("wifidogd.accounting") as events:
        assert await code(site, reported(Stage.LOGIN, token)) is AuthCode.ALLOWED
    assert (len(tries), site.ledger.unsettled_at, events) == (2, NOON, [])


@pytest_twisted.ensureDeferred
async def test_a_server_that_stops_hears_no_more(site):
    """The gateway is told that nobody can say, and asks the next server."""
    token = await site.token()
    await within(5, site.ledger.drain())
    with pytest.raises(StoreUnavailable, match=r"^the server is stopping$"):
        await within(5, site.ledger.settle(reported(Stage.LOGOUT, token)))
    assert site.ledger.unsettled_at is None


@pytest_twisted.ensureDeferred
async def test_nothing_is_settled_before_the_gateways_are_known(site):
    """An answer of 0 would throw off the guests of a gateway that is adopted."""
    token = await site.token()
    registry = Registry(site.database, utc_now=site.utc_now)
    ledger = Ledger(site.database, registry, clock=reactor, utc_now=site.utc_now)
    settling = ensureDeferred(ledger.settle(reported(Stage.LOGOUT, token)))
    await deferLater(reactor, 0.1)
    assert not settling.called
    assert ledger.unsettled_at == NOON
    await within(5, registry.refresh())
    assert (await within(10, settling)).code is AuthCode.DENIED
    await within(5, ledger.drain())


@pytest.mark.impatient
class TestWithoutDatabase:
    """A server of its own is stopped and started under the ledger."""

    @pytest_twisted.async_yield_fixture
    async def hurt(self) -> AsyncIterator[tuple[ThrowawayPostgres, Site]]:
        server = ThrowawayPostgres()
        try:
            server.start()
            database = Database(clock=reactor)
            database.start(server.dsn)
            await within(20, migrate(database))
            site = Site(database)
            await site.open()
            yield server, site
            await within(10, site.ledger.drain())
            await within(10, database.stop())
        finally:
            server.remove()

    @pytest_twisted.ensureDeferred
    async def test_counters_are_answered_within_their_deadline(self, hurt):
        """The gateway hears that nobody can say, and the guest stays online."""
        server, site = hurt
        token = await site.token()
        await code(site, reported(Stage.LOGIN, token))
        server.stop()
        started = reactor.seconds()
        with pytest.raises(StoreUnavailable):
            await within(5, site.ledger.settle(reported(Stage.COUNTERS, token, Octets(1, 1))))
        assert reactor.seconds() - started < ANSWER_WITHIN + 1.5
        assert site.ledger.unsettled_at == NOON
        server.start()
        assert await verdict(site, reported(Stage.COUNTERS, token, Octets(7, 8))) is AuthCode.ALLOWED
        assert await site.rows(SELECT_OPEN, token_hash=hash_secret(token)) == [(7, 8, 7, 8)]

    @pytest_twisted.ensureDeferred
    async def test_a_login_of_the_reference_gateway_waits_for_a_returning_database(self, hurt):
        """The guest does not notice the restart."""
        server, site = hurt
        token = await site.token()
        server.stop()
        login = ensureDeferred(site.ledger.settle(reported(Stage.LOGIN, token)))
        await deferLater(reactor, 2)
        assert not login.called
        server.start()
        assert (await within(8, login)).code is AuthCode.ALLOWED

    @pytest_twisted.ensureDeferred
    async def test_a_logout_during_an_outage_is_settled_afterwards(self, hurt):
        """The gateway never repeats it (docs/protocol.md 6.4)."""
        server, site = hurt
        token = await site.token()
        await code(site, reported(Stage.LOGIN, token))
        server.kill()
        with pytest.raises(StoreUnavailable):
            await within(5, site.ledger.settle(reported(Stage.LOGOUT, token, Octets(11, 22))))
        server.start()
        for _ in range(40):
            await deferLater(reactor, 0.25)
            if not site.ledger.metrics()["reports_waiting"] and site.database.available_since is not None:
                break
        assert await site.rows(SELECT_PAST) == [("gw1", PHONE, "logged out", 11, 22)]

    @pytest_twisted.ensureDeferred
    async def test_a_frozen_database_keeps_nobody_waiting(self, hurt):
        """Each report has its own deadline, and the ledger goes on when the server does."""
        server, site = hurt
        token = await site.token()
        await code(site, reported(Stage.LOGIN, token))
        server.freeze()
        try:
            for _ in range(4):
                started = reactor.seconds()
                with pytest.raises(StoreUnavailable):
                    await within(5, site.ledger.settle(reported(Stage.COUNTERS, token, Octets(1, 1))))
                assert reactor.seconds() - started < ANSWER_WITHIN + 1.5
        finally:
            server.thaw()
        site.now += timedelta(minutes=1)
        assert await verdict(site, reported(Stage.COUNTERS, token, Octets(9, 9))) is AuthCode.ALLOWED


@pytest_twisted.ensureDeferred
async def test_what_a_process_hears_after_it_was_stopped_may_be_old_news(site):
    """Another server may have settled later totals since: these would look like a gateway that started over."""
    token = await site.token()
    assert await code(site, reported(Stage.COUNTERS, token, Octets(500, 50))) is AuthCode.ALLOWED
    watch = SimpleNamespace(woke_at=reactor.seconds(), set_at=None)
    site.ledger = Ledger(site.database, site.registry, clock=reactor, utc_now=site.utc_now, clock_watch=watch)
    for stage in (Stage.COUNTERS, Stage.LOGIN):
        with pytest.raises(StoreUnavailable, match="was suspended"):
            await code(site, reported(stage, token, Octets(100, 10)))
    assert site.ledger.unsettled_at == NOON
    watch.woke_at -= HELD_MOST
    assert await code(site, reported(Stage.COUNTERS, token, Octets(600, 60))) is AuthCode.ALLOWED
    assert await site.rows(SELECT_OPEN, token_hash=hash_secret(token)) == [(600, 60, 600, 60)]
    watch.woke_at = reactor.seconds()
    assert await code(site, reported(Stage.LOGOUT, token, Octets(700, 70))) is AuthCode.DENIED
    assert await site.rows(SELECT_PAST) == [("gw1", PHONE, "logged out", 700, 70)]


@pytest_twisted.ensureDeferred
async def test_old_news_may_come_for_three_seconds(site):
    """To the instant: then the gateway has asked again, and what it says is fresh."""
    token = await site.token()
    clock = Clock()
    watch = SimpleNamespace(woke_at=0.0, set_at=None)
    ledger = Ledger(site.database, site.registry, clock=clock, utc_now=site.utc_now, clock_watch=watch)
    clock.advance(3.0 - 2**-20)
    with pytest.raises(StoreUnavailable, match=r"^this process was suspended, and the report may be as old$"):
        await within(5, ledger.settle(reported(Stage.LOGIN, token)))
    clock.advance(2**-20)
    assert (await within(5, ledger.settle(reported(Stage.LOGIN, token)))).code is AuthCode.ALLOWED


@pytest_twisted.ensureDeferred
async def test_a_clock_set_forward_between_form_and_login_keeps_nobody_out(site):
    """The token was minted an hour ago as far as the table tells; the device came with it at once."""
    token = await site.token()
    site.now += timedelta(hours=1)
    watch = SimpleNamespace(woke_at=None, set_at=site.now)
    site.ledger = Ledger(site.database, site.registry, clock=reactor, utc_now=site.utc_now, clock_watch=watch)
    assert await code(site, reported(Stage.LOGIN, token)) is AuthCode.ALLOWED


@pytest.mark.impatient
@pytest_twisted.ensureDeferred
async def test_a_report_that_was_kept_too_long_is_not_settled(site, monkeypatch):
    """As when the process is stopped while it waits its turn."""
    monkeypatch.setattr("wifidogd.accounting.dispatcher.HELD_MOST", 0.1)
    token = await site.token()
    assert await verdict(site, reported(Stage.LOGIN, token)) is AuthCode.ALLOWED
    await deferLater(reactor, 2 * PACE)
    settling = site.ledger.settle(reported(Stage.COUNTERS, token, Octets(500, 50)))
    waiting = site.ledger.settle(reported(Stage.COUNTERS, token, Octets(600, 60)))
    time.sleep(ANSWER_WITHIN + 0.2)
    outcomes = await within(10, DeferredList([settling, waiting], consumeErrors=True))
    assert not outcomes[1][0]
    await within(10, site.ledger.drain())
    assert await site.rows(SELECT_OPEN, token_hash=hash_secret(token)) == [(500, 50, 500, 50)]


@pytest.mark.impatient
@pytest_twisted.ensureDeferred
async def test_a_sign_in_that_was_given_up_does_not_throw_out_the_one_after_it(site, dsn):
    """Its gateway was told that nobody can say, the guest signed in anew, and then the lock was released."""
    old, new = [await site.token() for _ in range(2)]
    with closing(psycopg2.connect(dsn)) as somebody:
        somebody.cursor().execute("SELECT 1 FROM sessions WHERE token_hash = %s FOR UPDATE", (hash_secret(old),))
        with pytest.raises(StoreUnavailable):
            await code(site, reported(Stage.COUNTERS, old, Octets()))
        assert await code(site, reported(Stage.LOGIN, new)) is AuthCode.ALLOWED
    await within(10, site.ledger.drain())
    assert [place for place, *_ in await site.rows(SELECT_PAST)] == []
    assert await site.rows(SELECT_OPEN, token_hash=hash_secret(new)) == [(0, 0, 0, 0)]


@pytest.mark.impatient
@pytest_twisted.ensureDeferred
async def test_who_comes_from_another_gateway_keeps_nobody_waiting_while_the_gateways_are_locked(site, dsn):
    """A session that is written twice in a transaction has its gateway looked up; it begins when that can be done."""
    await within(5, site.database.transaction(lambda cursor: adopt(cursor, replace(GATEWAY, gw_id="gw2"), NOON)))
    await within(5, site.registry.refresh())
    old, new, staying = [await site.token() for _ in range(3)]
    assert await code(site, reported(Stage.LOGIN, old)) is AuthCode.ALLOWED
    assert await code(site, reported(Stage.LOGIN, staying, mac="02:ab:cd:ef:01:02")) is AuthCode.ALLOWED
    with closing(psycopg2.connect(dsn)) as somebody, somebody, somebody.cursor() as cursor:
        from_a_router = "roamed_from = %s, browser_hash = NULL, hidden_token = NULL"
        elsewhere = f"UPDATE sessions SET gw_id = 'gw2', {from_a_router} WHERE token_hash = %s"
        cursor.execute(elsewhere, (hash_secret(old), hash_secret(new)))
    with closing(psycopg2.connect(dsn)) as somebody:
        somebody.cursor().execute("LOCK TABLE gateways IN ACCESS EXCLUSIVE MODE")
        first = site.ledger.settle(reported(Stage.COUNTERS, "unknown"))
        coming = reported(Stage.COUNTERS, new, Octets(3, 3), gw_id="gw2")
        staying = reported(Stage.COUNTERS, staying, Octets(5, 5), mac="02:ab:cd:ef:01:02")
        settled = DeferredList([first, *map(site.ledger.settle, (coming, staying))], consumeErrors=True)
        assert [is_settled for is_settled, _ in await within(10, settled)] == [True, False, True]
    assert await verdict(site, coming) is AuthCode.ALLOWED


@pytest.mark.impatient
@pytest_twisted.ensureDeferred
async def test_a_session_that_somebody_holds_keeps_only_its_own_reports_waiting(site, dsn):
    """Those that came with them are settled at once, whatever their number; its own are when it is free."""
    tokens = [await site.token() for _ in range(40)]
    macs = [f"02:ab:cd:ef:04:{number:02x}" for number in range(40)]
    for token, mac in zip(tokens, macs, strict=True):
        assert await code(site, reported(Stage.LOGIN, token, mac=mac)) is AuthCode.ALLOWED
    with closing(psycopg2.connect(dsn)) as somebody:
        held = [hash_secret(token) for token in tokens[::10]]
        somebody.cursor().execute("SELECT 1 FROM sessions WHERE token_hash = ANY(%s) FOR UPDATE", (held,))
        reports = [
            reported(Stage.COUNTERS, token, Octets(7, 7), mac=mac) for token, mac in zip(tokens, macs, strict=True)
        ]
        settled = [site.ledger.settle(report) for report in reports]
        told = await within(10, DeferredList(settled, consumeErrors=True))
        assert [number for number, (is_settled, _) in enumerate(told) if not is_settled] == [0, 10, 20, 30]
    await within(10, site.ledger.drain())
    assert await site.rows("SELECT count(*), sum(incoming) FROM sessions") == [(40, 280)]


@pytest.mark.impatient
@pytest_twisted.ensureDeferred
async def test_ends_that_are_stuck_keep_nobody_else_waiting(site, dsn):
    """
    Somebody makes an index on the history, which takes as long as it takes; then they are settled after all.

    Who signs in again where the end is stuck keeps nobody else waiting either.
    """
    leaving, coming, signing_in = [await site.token() for _ in "abc"], [await site.token() for _ in "abc"], []
    staying, old, new = [await site.token() for _ in "abc"]
    assert await code(site, reported(Stage.LOGIN, old, mac="02:ab:cd:ef:03:00")) is AuthCode.ALLOWED
    for number, token in enumerate(leaving):
        assert await code(site, reported(Stage.LOGIN, token, mac=f"02:ab:cd:ef:02:{number:02}")) is AuthCode.ALLOWED
    with closing(psycopg2.connect(dsn)) as somebody:
        somebody.cursor().execute("LOCK TABLE past_sessions IN SHARE MODE")
        returning = site.ledger.settle(reported(Stage.LOGIN, new, mac="02:ab:cd:ef:03:00"))
        for number, token in enumerate(leaving):
            logout = reported(Stage.LOGOUT, token, Octets(5, 5), mac=f"02:ab:cd:ef:02:{number:02}")
            with pytest.raises(StoreUnavailable):
                await code(site, logout)
            assert await code(site, reported(Stage.COUNTERS, staying, Octets(number, 0))) is AuthCode.ALLOWED
            back = reported(Stage.LOGIN, coming[number], mac=f"02:ab:cd:ef:02:{number:02}")
            signing_in.append(site.ledger.settle(back))
            assert await code(site, reported(Stage.COUNTERS, staying, Octets(number, 1))) is AuthCode.ALLOWED
        assert not returning.called
    assert (await within(10, returning)).code is AuthCode.ALLOWED
    assert {decision.code for decision in await within(10, gatherResults(signing_in))} == {AuthCode.ALLOWED}
    while site.ledger.metrics()["reports_waiting"]:
        await deferLater(reactor, 0.1)
    await within(10, site.ledger.drain())
    ends = sorted(row[2:] for row in await site.rows(SELECT_PAST))
    assert ends == [*[("logged out", 5, 5)] * 3, ("replaced", 0, 0)]


@pytest_twisted.ensureDeferred
async def test_totals_are_settled_in_the_order_in_which_they_came_though_the_first_try_failed(site, dsn):
    """Later ones wait for the second try: else the older ones would look like those of a gateway that started over."""
    token = await site.token()
    assert await code(site, reported(Stage.LOGIN, token)) is AuthCode.ALLOWED
    with closing(psycopg2.connect(dsn)) as somebody:
        somebody.cursor().execute("SELECT 1 FROM sessions FOR UPDATE")
        settled = [site.ledger.settle(reported(Stage.COUNTERS, token, Octets(octets, octets))) for octets in (500, 600)]
        await deferLater(reactor, 0.3)
        with closing(psycopg2.connect(dsn)) as killer:
            killer.cursor().execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            )
    settled.append(site.ledger.settle(reported(Stage.COUNTERS, token, Octets(700, 700))))
    assert [decision.code for decision in await within(20, gatherResults(settled))] == [AuthCode.ALLOWED] * 3
    assert await site.rows(SELECT_OPEN, token_hash=hash_secret(token)) == [(700, 700, 700, 700)]
