"""Timers end what nobody has ended, once, and never because of our own trouble."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from pytest_twisted import async_fixture, async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.logger import formatEvent

from tests.support.builders import (
    LOBBY,
    MINUTE,
    NOON,
    SECOND,
    adopt_all,
    history,
    mac,
    open_online,
    open_pending,
    put,
    rows,
    together,
    token_hash,
)
from tests.support.deadline import within
from tests.support.observing import log_lines
from wifidogd.accounting.expiry import Expiry
from wifidogd.accounting.retention import ROWS
from wifidogd.domain.errors import StoreRefused, StoreUnavailable
from wifidogd.domain.sessions import Octets
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.clock_watch import ClockWatch
from wifidogd.store.driver.database import Database

HOUR = timedelta(hours=1)

MANY = """
    INSERT INTO sessions (token_hash, gw_id, mac, opened_at, activated_at, reported_at, expires_at)
    SELECT sha256(n::text::bytea), 'lobby', ('02' || lpad(to_hex(n), 10, '0'))::macaddr,
           %(at)s, activated_at, activated_at, %(expires)s
      FROM generate_series(1, 1200) AS n, (SELECT %(activated)s::timestamptz AS activated_at) AS once
"""


class Watch:
    """
    The two clocks of an L{Expiry}.

    @ivar now: the wall clock.
    @ivar clock: the reactor's, as L{Database.available_since} has it, but moved on.
    @ivar unsettled_at: when the ledger last failed.
    @ivar uninterrupted_since: tells when something was last missed, by C{clock}.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.clock = Clock()
        self.clock.advance(reactor.seconds())
        self.unsettled_at: datetime | None = None
        self.uninterrupted_since: Callable[[], float] = lambda: 0.0

    def listen_for(self, length: timedelta) -> None:
        """Pretend that the store has been there for so long, now being what it is."""
        self.clock.advance(length.total_seconds())

    def expiry(self, database: Database, registry: Registry, name: str | None = None) -> Expiry:
        """Make an upkeep on this watch, of a server that is alone unless it has a name."""
        return Expiry(
            database,
            registry,
            clock=self.clock,
            utc_now=lambda: self.now,
            unsettled_at=lambda: self.unsettled_at,
            uninterrupted_since=self.uninterrupted_since,
            name=name,
        )


@pytest.fixture
def watch() -> Watch:
    """Noon, and the server has been up for a day."""
    watch = Watch(NOON)
    watch.listen_for(timedelta(days=1))
    return watch


@async_fixture
async def registry(database: Database) -> Registry:
    """Who is adopted: the lobby."""
    await adopt_all(database, LOBBY)
    registry = Registry(database, utc_now=lambda: NOON)
    await within(10, registry.refresh())
    return registry


@pytest.fixture
def expiry(database: Database, registry: Registry, watch: Watch) -> Expiry:
    """The upkeep under test."""
    return watch.expiry(database, registry)


@async_yield_fixture
async def second_server(dsn: str, database: Database, registry: Registry, watch: Watch) -> AsyncIterator[Expiry]:
    """Another server's upkeep, on connections of its own."""
    other = Database(clock=reactor)
    other.start(dsn)
    await rows(other, "SELECT 1")
    yield watch.expiry(other, registry)
    await within(10, other.stop())


@contextmanager
def said() -> Iterator[list[str]]:
    """Collect what the operator reads of it."""
    lines: list[str] = []
    with log_lines("wifidogd.accounting.retention") as events:
        yield lines
    lines += map(formatEvent, events)


@ensureDeferred
async def test_a_stale_session_ends_at_its_last_report(database: Database, expiry: Expiry) -> None:
    """What was used stays counted; nobody pays for the silence."""
    await open_online(database, 1, at=NOON - HOUR, reported=NOON - 10 * MINUTE, octets=Octets(5, 6))
    await open_online(database, 2, at=NOON - HOUR, reported=NOON - 9 * MINUTE)
    with said() as lines:
        await within(10, expiry.end_stale())
    assert lines == ["1 sessions ended: no more reports"]
    assert await history(database) == [(mac(1), NOON - 10 * MINUTE, "no more reports", 5, 6)]
    assert await rows(database, "SELECT mac FROM sessions") == [(mac(2),)]


@ensureDeferred
async def test_a_token_never_used_ends_when_it_lapsed(database: Database, expiry: Expiry) -> None:
    """Three minutes after it was minted, and it is no part of the history, which strangers could fill."""
    await open_pending(database, 1, at=NOON - 3 * MINUTE)
    await open_pending(database, 2, at=NOON - 3 * MINUTE + SECOND)
    await open_pending(database, 3, at=NOON - HOUR)
    with said() as lines:
        await within(10, expiry.end_unused())
    assert lines == ["2 tokens never used deleted"]
    assert await history(database) == []
    assert await rows(database, "SELECT opened_at FROM sessions") == [(NOON - 3 * MINUTE + SECOND,)]


@ensureDeferred
async def test_an_overdue_session_ends_at_its_limit(database: Database, expiry: Expiry) -> None:
    """Not two intervals later, when the timer gave up waiting for the last report."""
    await open_online(database, 1, at=NOON - HOUR, reported=NOON, expires=NOON - 2 * MINUTE)
    await open_online(database, 2, at=NOON - HOUR, reported=NOON, expires=NOON - MINUTE)
    await within(10, expiry.end_overdue())
    assert await history(database) == [(mac(1), NOON - 2 * MINUTE, "time is up", 0, 0)]


@ensureDeferred
async def test_a_dialect_that_reports_nobody_is_not_silent(
    database: Database, registry: Registry, expiry: Expiry
) -> None:
    """Its sessions end with their time, and were used until then; one that is to end anyway goes like any other."""
    await put(database, "UPDATE gateways SET dialect = 'wifidog-ng 2'")
    await within(10, registry.refresh())
    await open_online(database, 1, at=NOON - HOUR, reported=NOON - HOUR)
    await open_online(database, 2, at=NOON - HOUR, reported=NOON - HOUR, expires=NOON - 2 * MINUTE)
    await open_online(database, 3, at=NOON - HOUR, reported=NOON - HOUR)
    await open_online(database, 4, at=NOON - HOUR, reported=NOON - timedelta(days=50))
    await put(
        database,
        "UPDATE sessions SET ending = 'ended by the operator' WHERE mac = %(mac)s::macaddr",
        {"mac": mac(3)},
    )
    await within(10, expiry.end_stale())
    await within(10, expiry.end_overdue())
    assert sorted((row[0], row[1], row[2]) for row in await history(database)) == [
        (mac(2), NOON - 2 * MINUTE, "time is up"),
        (mac(3), NOON - HOUR, "ended by the operator"),
        (mac(4), NOON - timedelta(days=50), "no more reports"),
    ]
    assert await rows(database, "SELECT mac FROM sessions") == [(mac(1),)]


@ensureDeferred
async def test_the_end_of_trust_is_an_end_of_time(database: Database, expiry: Expiry) -> None:
    """Whatever the gateway reports; two intervals later, as for every session over its time."""
    on_trust = "UPDATE sessions SET probation_until = %(at)s WHERE token_hash = %(hash)s"
    for number, until in ((1, NOON - 2 * MINUTE), (2, NOON - 2 * MINUTE + SECOND)):
        await open_online(database, number, at=NOON - MINUTE)
        await put(database, on_trust, {"at": until, "hash": token_hash(number)})
    await within(10, expiry.end_overdue())
    ended = "SELECT mac, reason, ended_at FROM past_sessions"
    assert await rows(database, ended) == [(mac(1), "address not validated in time", NOON - 2 * MINUTE)]


@ensureDeferred
async def test_guests_lost_in_a_restart_end_at_their_last_report(database: Database, expiry: Expiry) -> None:
    """Those whom the gateway has reported since it restarted stay."""
    await open_online(database, 1, at=NOON - HOUR, reported=NOON - 4 * MINUTE)
    await open_online(database, 2, at=NOON - HOUR, reported=NOON - 3 * MINUTE)
    await put(
        database,
        "INSERT INTO heartbeats (gw_id, seen_at, source, restarted_at) VALUES ('lobby', %(now)s, '::1', %(then)s)",
        {"now": NOON, "then": NOON - 3 * MINUTE},
    )
    await within(10, expiry.end_lost_in_restart())
    assert await history(database) == [(mac(1), NOON - 4 * MINUTE, "gateway restarted", 0, 0)]


@pytest.mark.parametrize("asked", ["ended by the operator", "logged out"])
@pytest.mark.parametrize("timer", ["end_stale", "end_overdue", "end_lost_in_restart"])
@ensureDeferred
async def test_a_reason_asked_for_earlier_wins(database: Database, expiry: Expiry, asked: str, timer: str) -> None:
    """Who was thrown out, or has logged out, did not just fall silent."""
    await open_online(database, 1, at=NOON - HOUR, expires=NOON - HOUR)
    await put(database, "UPDATE sessions SET ending = %(asked)s", {"asked": asked})
    await put(
        database,
        "INSERT INTO heartbeats (gw_id, seen_at, source, restarted_at) VALUES ('lobby', %(now)s, '::1', %(then)s)",
        {"now": NOON, "then": NOON - HOUR + SECOND},
    )
    await within(10, getattr(expiry, timer)())
    assert await history(database) == [(mac(1), NOON - HOUR, asked, 0, 0)]


@pytest.mark.parametrize(
    ("listened", "unsettled", "ends"),
    [
        (11 * MINUTE, None, True),
        (9 * MINUTE, None, False),
        (HOUR, NOON - 10 * MINUTE, True),
        (HOUR, NOON - 9 * MINUTE, False),
        (9 * MINUTE, NOON - HOUR, False),
    ],
)
@ensureDeferred
async def test_our_own_trouble_ends_nobody(
    database: Database, registry: Registry, listened: timedelta, unsettled: datetime | None, ends: bool
) -> None:
    """After a late start, an outage or overload, gateways get the whole time to report again."""
    watch = Watch(NOON)
    watch.listen_for(listened)
    watch.unsettled_at = unsettled
    expiry = watch.expiry(database, registry)
    await open_online(database, 1, at=NOON - HOUR)
    await put(
        database,
        "INSERT INTO heartbeats (gw_id, seen_at, source, restarted_at) VALUES ('lobby', %(now)s, '::1', %(then)s)",
        {"now": NOON, "then": NOON - MINUTE},
    )
    await within(10, expiry.end_lost_in_restart())
    await within(10, expiry.end_stale())
    assert len(await history(database)) == ends


@pytest.mark.parametrize(
    ("heard_since", "said_at", "ends"),
    [
        (HOUR, timedelta(), True),
        (10 * MINUTE, timedelta(), True),
        (9 * MINUTE, timedelta(), False),
        (HOUR, SECOND, False),
        (HOUR, 59 * MINUTE, False),
        (2 * HOUR, HOUR, True),
    ],
)
@ensureDeferred
async def test_the_trouble_of_another_server_ends_nobody(
    database: Database,
    registry: Registry,
    watch: Watch,
    heard_since: timedelta,
    said_at: timedelta,
    ends: bool,
) -> None:
    """
    Guests may have been reported to it, over times that it could not settle, or has not said that it could.

    One that was lost for good is waited for an hour.
    """
    await open_online(database, 1, at=NOON - HOUR, reported=NOON - 10 * MINUTE)
    said = {"since": NOON - heard_since, "at": NOON - said_at}
    await put(database, "INSERT INTO servers VALUES ('the other', %(since)s, %(at)s)", said)
    expiry = watch.expiry(database, registry, "this one")
    await within(10, expiry.end_stale())
    assert len(await history(database)) == ends


@ensureDeferred
async def test_servers_tell_each_other_of_their_trouble_until_they_take_leave(
    database: Database, registry: Registry, watch: Watch
) -> None:
    """One that could not settle a report lately holds the others back, without a word about guests."""
    troubled = Watch(NOON)
    troubled.listen_for(timedelta(days=1))
    troubled.unsettled_at = NOON - MINUTE
    theirs = troubled.expiry(database, registry, "theirs")
    ours = watch.expiry(database, registry, "ours")
    await open_online(database, 1, at=NOON - HOUR)
    await open_online(database, 2, at=NOON - HOUR, expires=NOON - HOUR / 2)
    await within(10, theirs.record_heard())
    await within(10, ours.record_heard())
    known = "SELECT name, heard_since, said_at FROM servers ORDER BY name"
    assert [row[0] for row in await rows(database, known)] == ["ours", "theirs"]
    assert (await rows(database, known))[1][1:] == (NOON - MINUTE, NOON)
    for expiry in (ours, theirs):
        await within(10, expiry.end_stale())
        await within(10, expiry.end_overdue())
    assert await history(database) == []
    await within(10, theirs.sign_off())
    await within(10, ours.end_overdue())
    await within(10, ours.end_stale())
    assert [reason for _, _, reason, *_ in await history(database)] == ["no more reports", "time is up"]


@ensureDeferred
async def test_a_server_that_cannot_vouch_for_itself_says_nothing(
    database: Database, registry: Registry, watch: Watch
) -> None:
    """Without a store it cannot; one that is alone has nobody to tell."""
    await within(10, watch.expiry(Database(clock=reactor), registry, "away").record_heard())
    alone = watch.expiry(database, registry)
    await within(10, alone.record_heard())
    await within(10, alone.sign_off())
    assert await rows(database, "SELECT * FROM servers") == []


@ensureDeferred
async def test_last_octets_are_waited_for_after_our_own_trouble(
    database: Database, watch: Watch, expiry: Expiry
) -> None:
    """Time ran out while no report could be settled: the gateway still has its two intervals, then the limit counts."""
    await open_online(database, 1, at=NOON - HOUR, expires=NOON - HOUR / 2)
    watch.unsettled_at = NOON - MINUTE
    await within(10, expiry.end_overdue())
    assert await history(database) == []
    watch.now = NOON + MINUTE
    watch.listen_for(MINUTE)
    await within(10, expiry.end_overdue())
    assert await history(database) == [(mac(1), NOON - HOUR / 2, "time is up", 0, 0)]


@ensureDeferred
async def test_without_a_store_nobody_is_judged(watch: Watch, registry: Registry) -> None:
    """Nothing was heard, nothing can be asked, and that is not an error worth a line."""
    expiry = watch.expiry(Database(clock=reactor), registry)
    await within(5, expiry.end_stale())
    await within(5, expiry.end_lost_in_restart())
    await within(5, expiry.end_overdue())


@pytest.mark.parametrize(
    ("timer", "reason", "activated", "expires"),
    [
        ("end_stale", "no more reports", NOON - HOUR, None),
        ("end_overdue", "time is up", NOON - HOUR, NOON - HOUR / 2),
    ],
)
@ensureDeferred
async def test_two_servers_do_each_piece_of_work_once(
    database: Database,
    expiry: Expiry,
    second_server: Expiry,
    timer: str,
    reason: str,
    activated: datetime | None,
    expires: datetime | None,
) -> None:
    """More than two transactions' worth of sessions: both go on while there are more, and none is ended twice."""
    assert ROWS == 500
    await put(database, MANY, {"at": NOON - HOUR, "activated": activated, "expires": expires})
    await together(getattr(expiry, timer)(), getattr(second_server, timer)())
    await within(10, getattr(expiry, timer)())
    counted = "SELECT reason, count(*), count(DISTINCT session_id) FROM past_sessions GROUP BY reason"
    assert await rows(database, counted) == [(reason, 1200, 1200)]
    assert await rows(database, "SELECT count(*) FROM sessions") == [(0,)]


@ensureDeferred
async def test_one_run_goes_on_while_there_is_more(database: Database, expiry: Expiry) -> None:
    """Each transaction is bounded: 1,200 sessions take three."""
    await put(database, MANY, {"at": NOON - HOUR, "activated": NOON - HOUR, "expires": None})
    await within(10, expiry.end_stale())
    counted = "SELECT count(*) FROM past_sessions GROUP BY xmin::text ORDER BY count(*) DESC"
    assert await rows(database, counted) == [(500,), (500,), (200,)]


@ensureDeferred
async def test_a_run_that_failed_is_made_good_by_the_next(database: Database, expiry: Expiry) -> None:
    """The error is the caller's to log; nothing is half done and nothing is forgotten."""
    await open_online(database, 1, at=NOON - HOUR)
    await put(database, "ALTER TABLE past_sessions ADD CONSTRAINT broken CHECK (reason = 'never') NOT VALID")
    with pytest.raises(StoreRefused):
        await within(10, expiry.end_stale())
    assert await rows(database, "SELECT count(*) FROM sessions") == [(1,)]
    await put(database, "ALTER TABLE past_sessions DROP CONSTRAINT broken")
    await within(10, expiry.end_stale())
    assert len(await history(database)) == 1


@ensureDeferred
async def test_a_store_that_is_away_is_said_to_be(watch: Watch, registry: Registry) -> None:
    """L{periodic.every} logs it and comes back."""
    with pytest.raises(StoreUnavailable):
        await within(10, watch.expiry(Database(clock=reactor), registry).end_unused())


class SetClock(Watch):
    """A watch whose wall clock somebody sets, and what an upkeep makes of it that looks at both."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self.listen_for(timedelta(days=1))
        clock_watch = ClockWatch(self.clock, lambda: self.now)  # type: ignore[arg-type]
        self.uninterrupted_since = lambda: clock_watch.since

    def go_on(self, length: timedelta) -> None:
        """Let time pass, with a look at the clocks each second."""
        for _ in range(length // SECOND):
            self.now += SECOND
            self.clock.advance(1)
            assert self.uninterrupted_since() <= self.clock.seconds()


async def sweep(expiry: Expiry) -> None:
    """Do all that may end a guest who is online."""
    for job in (expiry.record_heard, expiry.end_stale, expiry.end_lost_in_restart, expiry.end_overdue):
        await within(10, job())


@pytest.mark.parametrize("name", [None, "a 8080 1"], ids=["alone", "one of several"])
@ensureDeferred
async def test_a_clock_set_forward_reaps_nobody(database: Database, registry: Registry, name: str | None) -> None:
    """Whoever was reported a minute ago was not silent for an hour; who stays silent from then on goes as ever."""
    watch = SetClock(NOON)
    expiry = watch.expiry(database, registry, name)
    await open_online(database, 1, at=NOON - HOUR, reported=NOON - MINUTE)
    await sweep(expiry)
    watch.now += HOUR
    await sweep(expiry)
    watch.go_on(9 * MINUTE)
    await sweep(expiry)
    assert await history(database) == []
    watch.go_on(MINUTE)
    await sweep(expiry)
    assert [reason for _, _, reason, *_ in await history(database)] == ["no more reports"]


@pytest.mark.parametrize("name", [None, "a 8080 1"], ids=["alone", "one of several"])
@ensureDeferred
async def test_a_clock_set_back_keeps_a_silent_guest_no_longer_than_that(
    database: Database, registry: Registry, name: str | None
) -> None:
    """Nobody goes early, nothing that is stored contradicts itself, and an hour later all is as ever."""
    watch = SetClock(NOON)
    expiry = watch.expiry(database, registry, name)
    await open_online(database, 1, at=NOON - HOUR, reported=NOON - MINUTE)
    await sweep(expiry)
    watch.now -= HOUR
    watch.unsettled_at = NOON
    await sweep(expiry)
    watch.go_on(HOUR)
    await sweep(expiry)
    assert await history(database) == []
    watch.go_on(10 * MINUTE)
    await sweep(expiry)
    assert [reason for _, _, reason, *_ in await history(database)] == ["no more reports"]


@ensureDeferred
async def test_a_stopped_process_reaps_nobody_when_it_goes_on(database: Database, registry: Registry) -> None:
    """While it was frozen, or the machine slept, nobody could report."""
    watch = SetClock(NOON)
    expiry = watch.expiry(database, registry)
    await open_online(database, 1, at=NOON - HOUR, reported=NOON - MINUTE)
    watch.now += HOUR
    watch.clock.advance(3600)
    await sweep(expiry)
    watch.go_on(9 * MINUTE)
    await sweep(expiry)
    assert await history(database) == []


@ensureDeferred
async def test_a_clock_that_was_set_gives_tokens_their_time_anew(database: Database, registry: Registry) -> None:
    """The guest may be on the way to the gateway."""
    watch = SetClock(NOON)
    expiry = watch.expiry(database, registry)
    await open_pending(database, 1, at=NOON)
    watch.now += HOUR
    watch.go_on(3 * MINUTE - 2 * SECOND)
    await within(10, expiry.end_unused())
    assert len(await rows(database, "SELECT FROM sessions")) == 1
    watch.go_on(3 * SECOND)
    await within(10, expiry.end_unused())
    assert await rows(database, "SELECT FROM sessions") == []
