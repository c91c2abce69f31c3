"""What is old is deleted when it is of no use any more, a bounded number of rows at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pytest_twisted import async_fixture, async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.logger import formatEvent

from tests.support.builders import LOBBY, MINUTE, NOON, SECOND, adopt_all, put, rows, run, together
from tests.support.deadline import within
from tests.support.observing import log_lines
from wifidogd.accounting.retention import ROWS, Retention
from wifidogd.domain.gateways import WaitingGateway
from wifidogd.domain.plans import Network
from wifidogd.gateways.registry import Registry
from wifidogd.store.access.guest_sources import record_source
from wifidogd.store.access.rate_limits import Subject, SubjectKind, count_tries
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.networks import save_network
from wifidogd.store.gateways.waiting_gateways import remember_waiting

HOUR = timedelta(hours=1)


class Watch:
    """
    The wall clock.

    @ivar now: the time it shows.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now


@pytest.fixture
def watch() -> Watch:
    """It is noon."""
    return Watch(NOON)


@async_fixture
async def registry(database: Database) -> Registry:
    """Who is adopted: the lobby."""
    await adopt_all(database, LOBBY)
    registry = Registry(database, utc_now=lambda: NOON)
    await within(10, registry.refresh())
    return registry


@pytest.fixture
def retention(database: Database, registry: Registry, watch: Watch) -> Retention:
    """What is under test."""
    return Retention(database, registry, utc_now=lambda: watch.now)


@async_yield_fixture
async def second_server(dsn: str, database: Database, registry: Registry, watch: Watch) -> AsyncIterator[Retention]:
    """That of another server, on connections of its own."""
    other = Database(clock=reactor)
    other.start(dsn)
    await rows(other, "SELECT 1")
    yield Retention(other, registry, utc_now=lambda: watch.now)
    await within(10, other.stop())


@contextmanager
def said() -> Iterator[list[str]]:
    """Collect what the operator reads of it."""
    lines: list[str] = []
    with log_lines("wifidogd.accounting.retention") as events:
        yield lines
    lines += map(formatEvent, events)


@ensureDeferred
async def test_history_is_kept_as_long_as_its_network_says(
    database: Database, registry: Registry, retention: Retention, second_server: Retention
) -> None:
    """A year, a day, or for ever; more than one transaction's worth, and two servers at once."""
    await run(database, save_network, Network("brief", "Brief", retention=timedelta(days=1)))
    await run(database, save_network, Network("eternal", "Eternal", retention=None))
    await within(10, registry.refresh())
    await put(
        database,
        """INSERT INTO past_sessions (session_id, network, gw_id, opened_at, ended_at, reason, incoming, outgoing)
           SELECT n, network, 'lobby', %(now)s, %(now)s - n * interval '1 day', 'logged out', 0, 0
             FROM generate_series(1, 1600) AS n, unnest(ARRAY['default', 'brief', 'eternal']) AS network""",
        {"now": NOON},
    )
    with said() as lines:
        await together(retention.purge_history(), second_server.purge_history())
        await within(10, retention.purge_history())
    assert sum(int(line.removesuffix(" past sessions deleted")) for line in lines) == 2 * 1600 - 365 - 1
    left = "SELECT network, count(*) FROM past_sessions GROUP BY network ORDER BY network"
    assert await rows(database, left) == [("brief", 1), ("default", 365), ("eternal", 1600)]


@ensureDeferred
async def test_old_tries_silent_strangers_and_lost_servers_are_forgotten(
    database: Database, retention: Retention, watch: Watch
) -> None:
    """Fifteen minutes after a window opened, a week after a stranger's last word, an hour after a server's."""
    await run(database, count_tries, [(Subject(SubjectKind.PASSWORDS_OF_ACCOUNT, name="ann"), 1)], NOON)
    others = [(Subject(SubjectKind.PASSWORDS_OF_ACCOUNT, name=f"{n}"), 1) for n in range(ROWS + 1)]
    await run(database, count_tries, others, NOON - SECOND)
    stranger = WaitingGateway("new", NOON, NOON, "192.0.2.1")
    await run(database, remember_waiting, [stranger, replace(stranger, gw_id="old", last_seen=NOON - SECOND)], 9)
    await put(database, "INSERT INTO servers VALUES ('lost', %(at)s, %(at)s)", {"at": NOON - HOUR})
    await put(database, "INSERT INTO servers VALUES ('quiet', %(at)s, %(at)s)", {"at": NOON - HOUR / 2})
    watch.now = NOON + 15 * MINUTE
    with said() as lines:
        await within(10, retention.forget())
    assert lines == ["500 old sign-in attempts deleted", "1 old sign-in attempts deleted"]
    assert await rows(database, "SELECT name FROM attempts") == [("ann",)]
    assert await rows(database, "SELECT name FROM servers") == [("quiet",)]
    watch.now = NOON + timedelta(days=7)
    await within(10, retention.forget())
    assert await rows(database, "SELECT gw_id FROM waiting_gateways") == [("new",)]


@ensureDeferred
async def test_browsers_are_told_for_two_hours_why_their_session_ended(
    database: Database, retention: Retention, watch: Watch
) -> None:
    """Counted from its end."""
    ended = """
        INSERT INTO ended_sessions (browser_hash, gw_id, reason, ended_at)
        SELECT sha256(minutes::text::bytea), minutes, 'time is up', %(noon)s - minutes * interval '1 minute'
          FROM unnest('{0, 119, 120, 121}'::integer[]) AS minutes
    """
    await put(database, ended, {"noon": NOON})
    watch.now = NOON
    await within(10, retention.forget())
    assert await rows(database, "SELECT gw_id FROM ended_sessions ORDER BY gw_id") == [("0",), ("119",), ("120",)]


@ensureDeferred
async def test_sources_of_guests_are_known_for_a_day(database: Database, retention: Retention, watch: Watch) -> None:
    """From the last sign-in there, which is written once an hour."""
    await adopt_all(database, LOBBY)
    for source, minutes in (
        ("192.0.2.1", 0),
        ("192.0.2.2", 0),
        ("192.0.2.2", 60),
        ("192.0.2.2", 61),
        ("192.0.2.2", 99),
    ):
        await run(database, record_source, "lobby", source, NOON + minutes * MINUTE)
    assert await rows(database, "SELECT source, signed_in_at FROM guest_sources ORDER BY source") == [
        ("192.0.2.1", NOON),
        ("192.0.2.2", NOON + 61 * MINUTE),
    ]
    watch.now = NOON + timedelta(days=1)
    await within(10, retention.forget())
    assert len(await rows(database, "SELECT source FROM guest_sources")) == 2
    watch.now += SECOND
    await within(10, retention.forget())
    assert await rows(database, "SELECT source FROM guest_sources") == [("192.0.2.2",)]


@ensureDeferred
async def test_minutes_farewells_and_devices_that_stay_away_are_forgotten(
    database: Database, retention: Retention, watch: Watch
) -> None:
    """A day after the longest window, and a year after the device was last seen; what others own stays."""
    await put(
        database,
        """
        INSERT INTO plans (name, title) VALUES ('p', 'P');
        INSERT INTO vouchers (code_hash, batch, plan, network, created_at)
        VALUES (sha256('code'), 'b', 'p', 'default', %(noon)s);
        INSERT INTO allowances (mac, voucher_id, network, plan, claimed_at, first_used_at)
        VALUES ('02:00:00:00:00:01', NULL, 'default', 'p', %(noon)s, %(noon)s),
               (NULL, 1, 'default', 'p', %(noon)s, NULL);
        INSERT INTO allowance_slots SELECT allowance_id, %(noon)s, '1 minute', 1 FROM allowances;
        INSERT INTO farewells VALUES ('lobby', '02:00:00:00:00:01', 'time is up', %(noon)s, NULL)
        """,
        {"noon": NOON},
    )
    count = """
        SELECT (SELECT count(*) FROM allowance_slots), (SELECT count(*) FROM farewells),
               (SELECT count(*) FROM allowances)
    """
    for age, left, expected in (
        (timedelta(days=32), (2, 1, 2), []),
        (timedelta(days=32) + SECOND, (0, 0, 2), ["2 minutes of use deleted", "1 end notices deleted"]),
        (timedelta(days=366), (0, 0, 2), []),
        (timedelta(days=366) + SECOND, (0, 0, 1), ["1 allowances of devices deleted"]),
    ):
        watch.now = NOON + age
        with said() as lines:
            await within(10, retention.forget())
        assert await rows(database, count) == [left]
        assert lines == expected


@ensureDeferred
async def test_an_allowance_that_no_gateway_has_used_is_kept_for_an_hour(
    database: Database, retention: Retention, watch: Watch
) -> None:
    """Anybody can invent devices; the hour is counted from the sign-in."""
    await put(
        database,
        """
        INSERT INTO plans (name, title) VALUES ('p', 'P');
        INSERT INTO allowances (mac, network, plan, claimed_at) VALUES ('02:00:00:00:00:01', 'default', 'p', %(noon)s)
        """,
        {"noon": NOON},
    )
    for age, left in ((timedelta(), 1), (HOUR, 1), (HOUR + SECOND, 0)):
        watch.now = NOON + age
        await within(10, retention.forget())
        assert await rows(database, "SELECT count(*) FROM allowances") == [(left,)]


@ensureDeferred
async def test_devices_are_remembered_until_their_time_is_over(
    database: Database, retention: Retention, watch: Watch
) -> None:
    """Those that no gateway has let in for an hour only."""
    await put(
        database,
        """
        INSERT INTO accounts (name, password_hash, created_at) VALUES ('anna', 'x', %(noon)s);
        INSERT INTO devices (network, account_id, remembered_at, expires_at, seen)
        SELECT 'default', account_id, %(noon)s, %(noon)s + length, seen
          FROM accounts, (VALUES (interval '1 day', true), ('2 days', true), ('2 days', false)) AS kept (length, seen)
        """,
        {"noon": NOON},
    )
    for later, left in ((timedelta(minutes=59), 3), (timedelta(hours=2), 2), (timedelta(days=1), 1)):
        watch.now = NOON + later
        with said() as lines:
            await within(10, retention.forget())
        assert await rows(database, "SELECT count(*) FROM devices") == [(left,)]
        assert lines == ([] if left == 3 else ["1 devices deleted"])
