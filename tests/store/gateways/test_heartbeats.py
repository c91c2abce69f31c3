"""The last ping of each gateway, and what it tells about restarts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_twisted import ensureDeferred

from tests.support.builders import LOBBY, MINUTE, NOON, SECOND, adopt_all, rows, run
from wifidogd.domain.gateways import Heartbeat
from wifidogd.domain.sessions import MAX_OCTETS
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.heartbeats import save_heartbeats

HOUR = timedelta(hours=1)

BEAT = Heartbeat("lobby", NOON, "192.0.2.1", "WiFiDog 1.3.0", 2 * HOUR, MAX_OCTETS, 0.25, HOUR)

ALL = """
    SELECT gw_id, seen_at, source, version, sys_uptime, memory_free, load, wifidog_uptime, restarted_at
      FROM heartbeats
     ORDER BY gw_id
"""


async def known(database: Database) -> tuple[Any, ...]:
    """Read the one row."""
    [row] = await rows(database, ALL)
    return row


async def restarted_at(database: Database) -> datetime | None:
    """Read when the one gateway has restarted."""
    return (await known(database))[-1]


def later(by: timedelta, uptime: timedelta | None) -> Heartbeat:
    """Ping again."""
    return replace(BEAT, seen_at=NOON + by, wifidog_uptime=uptime)


@ensureDeferred
async def test_a_ping_comes_back_as_it_was_saved(database: Database) -> None:
    """In every column; what was not told is NULL."""
    await adopt_all(database, LOBBY, replace(LOBBY, gw_id="bar"))
    await run(database, save_heartbeats, [BEAT, Heartbeat("bar", NOON, "2001:db8::1")])
    assert await rows(database, ALL) == [
        ("bar", NOON, "2001:db8::1", None, None, None, None, None, None),
        ("lobby", NOON, "192.0.2.1", "WiFiDog 1.3.0", 2 * HOUR, MAX_OCTETS, 0.25, HOUR, None),
    ]


@ensureDeferred
async def test_strangers_are_left_out(database: Database) -> None:
    """A gateway may have been removed since it called; the others are saved nevertheless."""
    await adopt_all(database, LOBBY)
    await run(database, save_heartbeats, [replace(BEAT, gw_id="removed"), BEAT])
    assert (await known(database))[0] == "lobby"
    await run(database, save_heartbeats, [])


@ensureDeferred
async def test_a_heartbeat_by_websocket_blanks_nothing(database: Database) -> None:
    """It names no version, and its first says nothing of the router; a ping that leaves something out does."""
    await adopt_all(database, LOBBY)
    greeting = Heartbeat("lobby", NOON + MINUTE, "192.0.2.2", by_websocket=True)
    for beat in (BEAT, greeting, replace(greeting, seen_at=NOON + 2 * MINUTE, load=0.5)):
        await run(database, save_heartbeats, [beat])
    expected = ("WiFiDog 1.3.0", 2 * HOUR, MAX_OCTETS, 0.5, HOUR, None)
    assert await known(database) == ("lobby", NOON + 2 * MINUTE, "192.0.2.2", *expected)
    await run(database, save_heartbeats, [Heartbeat("lobby", NOON + 3 * MINUTE, "192.0.2.2")])
    assert (await known(database))[3:] == (None, None, None, None, HOUR, None)


@pytest.mark.parametrize("by", [-SECOND, timedelta()])
@ensureDeferred
async def test_an_older_ping_never_overwrites_a_newer(database: Database, by: timedelta) -> None:
    """Another server may write late what it heard early; that is no restart either."""
    await adopt_all(database, LOBBY)
    await run(database, save_heartbeats, [BEAT])
    before = await known(database)
    await run(database, save_heartbeats, [later(by, 59 * MINUTE)])
    assert await known(database) == before


@pytest.mark.parametrize(
    ("by", "uptime", "expected"),
    [
        (MINUTE, HOUR + MINUTE, None),
        (MINUTE, HOUR, None),
        (MINUTE, 30 * SECOND, NOON + 30 * SECOND),
        (MINUTE, timedelta(), NOON + MINUTE),
        (2 * HOUR, HOUR + MINUTE, NOON + HOUR - MINUTE),
        (2 * HOUR, 2 * HOUR, None),
        (MINUTE, None, None),
    ],
)
@ensureDeferred
async def test_an_uptime_tells_of_a_restart(
    database: Database, by: timedelta, uptime: timedelta | None, expected: datetime | None
) -> None:
    """It fell, or began after the ping before: then a gateway that was silent for long has grown past what it was."""
    await adopt_all(database, LOBBY)
    await run(database, save_heartbeats, [BEAT])
    await run(database, save_heartbeats, [later(by, uptime)])
    assert await restarted_at(database) == expected


@ensureDeferred
async def test_pings_without_uptime_hide_no_restart(database: Database) -> None:
    """The last uptime told is remembered until the next is, and so is the restart."""
    await adopt_all(database, LOBBY)
    for beat in (BEAT, later(MINUTE, None), later(2 * MINUTE, 30 * SECOND), later(3 * MINUTE, None)):
        await run(database, save_heartbeats, [beat])
    assert await restarted_at(database) == NOON + 90 * SECOND
    await run(database, save_heartbeats, [later(4 * MINUTE, 150 * SECOND)])
    assert await restarted_at(database) == NOON + 90 * SECOND


@ensureDeferred
async def test_a_restart_is_not_taken_for_two(database: Database) -> None:
    """Uptimes are whole seconds, and a ping may take longer than the one before: the same start seems to be later."""
    await adopt_all(database, LOBBY)
    late = MINUTE + timedelta(seconds=60.9)
    for beat in (BEAT, later(MINUTE, timedelta()), later(late, 60 * SECOND), later(late + MINUTE, 119 * SECOND)):
        await run(database, save_heartbeats, [beat])
    assert await restarted_at(database) == NOON + MINUTE


@ensureDeferred
async def test_a_first_uptime_is_no_restart(database: Database) -> None:
    """There is nothing to compare with, neither at the first ping nor after pings without."""
    await adopt_all(database, LOBBY)
    await run(database, save_heartbeats, [later(timedelta(), None)])
    await run(database, save_heartbeats, [later(MINUTE, HOUR)])
    assert await restarted_at(database) is None


@ensureDeferred
async def test_a_clock_that_was_set_tells_of_no_restart(database: Database) -> None:
    """An hour that nobody lived through lies between two pings; what they say of uptimes still counts, and the next."""
    await adopt_all(database, LOBBY)
    await run(database, save_heartbeats, [later(timedelta(), 40 * MINUTE)])
    set_at = NOON + HOUR
    await run(database, save_heartbeats, [later(HOUR + MINUTE, 41 * MINUTE)], set_at)
    assert await restarted_at(database) is None
    await run(database, save_heartbeats, [later(HOUR + 2 * MINUTE, MINUTE)], set_at)
    assert await restarted_at(database) == NOON + HOUR + MINUTE
    await run(database, save_heartbeats, [later(HOUR + 9 * MINUTE, 5 * MINUTE)], set_at)
    assert await restarted_at(database) == NOON + HOUR + 4 * MINUTE
