"""What operators see, and how they end sessions by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from tests.support.deadline import within
from wifidogd.domain.gateways import Gateway, Heartbeat, WaitingGateway
from wifidogd.domain.sessions import MAX_OCTETS, Octets, Reason
from wifidogd.store.accounts.accounts import add_account, fetch_account, set_disabled
from wifidogd.store.accounts.outbox import claim_mails, queue_mail
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.gateways.gateway_states import list_gateways
from wifidogd.store.gateways.gateways import adopt
from wifidogd.store.gateways.waiting_gateways import remember_waiting
from wifidogd.store.migrations import fetch_schema_version
from wifidogd.store.operators.reports import (
    Counts,
    Kicked,
    SessionState,
    count_everything,
    kick,
    list_sessions,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PHONE, LAPTOP = "00:00:00:00:00:01", "00:00:00:00:00:02"

OPEN_SESSION = """
    INSERT INTO sessions (token_hash, gw_id, account_id, mac, ip, opened_at, activated_at, reported_at,
                          incoming, outgoing, expires_at, quota_octets)
    VALUES (%(token_hash)s, %(gw_id)s, %(account_id)s, %(mac)s, '192.168.1.100', %(at)s, %(activated)s, %(activated)s,
            %(incoming)s, 7, %(at)s + interval '2 hours', 100)
"""

BEAT = """
    INSERT INTO heartbeats (gw_id, seen_at, source, version, sys_uptime, memory_free, load, wifidog_uptime)
    VALUES ('lobby', %(at)s, '203.0.113.7', 'WiFiDog 1.3.0', interval '3 days', 4096, 0.25, interval '1 hour')
"""

FETCH_HISTORY = """
    SELECT session_id, ended_at, reason
      FROM past_sessions
"""


async def open_session(cursor: Cursor, gw_id: str, mac: str | None, account_id: int | None, incoming: int = 0) -> None:
    """Open a session, online if it has a device."""
    marks = {"gw_id": gw_id, "mac": mac, "account_id": account_id, "incoming": incoming, "at": NOON}
    token_hash = repr((gw_id, mac, account_id)).encode().ljust(32)[:32]
    await cursor.execute(OPEN_SESSION, {**marks, "token_hash": token_hash, "activated": NOON if mac else None})


@pytest_twisted.async_fixture
async def hotel(database: Database) -> Database:
    """Two gateways, one of them silent; Anna's phone online at both and a token of hers pending; two mails."""

    async def work(cursor: Cursor) -> None:
        await adopt(cursor, Gateway("lobby", "default", "192.168.1.1", key_hashes=(b"k" * 32,)), NOON)
        await adopt(cursor, Gateway("attic", "default", "192.168.2.1"), NOON)
        await cursor.execute(BEAT, {"at": NOON})
        await remember_waiting(cursor, [WaitingGateway("stranger", NOON, NOON, "203.0.113.9")], 10)
        await add_account(cursor, "anna", "$argon2id$1", NOON)
        await add_account(cursor, "bob", "$argon2id$1", NOON)
        await set_disabled(cursor, "bob", True)
        for _ in range(2):
            await queue_mail(cursor, "anna@example.org", "Subject: hi", NOON)
        await claim_mails(cursor, NOON, NOON, 1)
        anna = await fetch_account(cursor, "anna")
        assert anna is not None
        await open_session(cursor, "lobby", PHONE, anna.account_id, MAX_OCTETS)
        await open_session(cursor, "attic", PHONE, anna.account_id, MAX_OCTETS)
        await open_session(cursor, "lobby", None, anna.account_id)
        await open_session(cursor, "lobby", LAPTOP, None)

    await within(5, database.transaction(work))
    return database


@pytest_twisted.async_yield_fixture
async def unmigrated(dsn: str) -> AsyncIterator[Database]:
    """A started L{Database} without a schema."""
    database = Database(clock=reactor)  # type: ignore[arg-type]
    database.start(dsn)
    yield database
    await within(10, database.stop())


async def sessions(database: Database, **which: Any) -> list[SessionState]:
    """List sessions."""
    return await within(5, database.transaction(lambda cursor: list_sessions(cursor, limit=10, **which)))


@ensureDeferred
async def test_a_migrated_database_tells_its_version(database: Database) -> None:
    """From the table that migrations keep."""
    assert await within(5, database.transaction(fetch_schema_version)) >= 1


@ensureDeferred
async def test_an_empty_database_has_version_nought(unmigrated: Database) -> None:
    """And no error: wifidogctl may come before the server."""
    assert await within(5, unmigrated.transaction(fetch_schema_version)) == 0


@ensureDeferred
async def test_gateways_are_listed_with_their_last_ping(hotel: Database) -> None:
    """By gw_id; only guests who are online count."""
    attic, lobby = await within(5, hotel.transaction(lambda cursor: list_gateways(cursor, 10)))
    assert (attic.gateway.gw_id, attic.online, attic.heartbeat) == ("attic", 1, None)
    assert lobby.gateway == Gateway("lobby", "default", "192.168.1.1", key_hashes=(b"k" * 32,))
    assert (lobby.online, lobby.adopted_at) == (2, NOON)
    assert lobby.heartbeat == Heartbeat(
        "lobby", NOON, "203.0.113.7", "WiFiDog 1.3.0", timedelta(days=3), 4096, 0.25, timedelta(hours=1)
    )
    assert len(await within(5, hotel.transaction(lambda cursor: list_gateways(cursor, 1)))) == 1


@ensureDeferred
async def test_sessions_are_listed_newest_first(hotel: Database) -> None:
    """With all that is known of each."""
    listed = await sessions(hotel)
    assert [(one.gw_id, one.mac, one.account) for one in listed] == [
        ("lobby", LAPTOP, None),
        ("lobby", None, "anna"),
        ("attic", PHONE, "anna"),
        ("lobby", PHONE, "anna"),
    ]
    assert listed[-1] == SessionState(
        session_id=listed[-1].session_id,
        gw_id="lobby",
        account="anna",
        mac=PHONE,
        ip="192.168.1.100",
        opened_at=NOON,
        activated_at=NOON,
        reported_at=NOON,
        used=Octets(MAX_OCTETS, 7),
        expires_at=NOON + 2 * HOUR,
        quota_octets=100,
        ending=None,
        dialect=None,
    )


@pytest.mark.parametrize(
    ("which", "number"),
    [
        ({"gw_id": "lobby"}, 3),
        ({"gw_id": "nowhere"}, 0),
        ({"mac": PHONE}, 2),
        ({"mac": PHONE, "gw_id": "attic"}, 1),
        ({"account_id": 1}, 3),
        ({"account_id": 1, "mac": LAPTOP}, 0),
    ],
)
@ensureDeferred
async def test_lists_can_be_narrowed(hotel: Database, which: dict[str, Any], number: int) -> None:
    """All that is asked for must hold."""
    assert len(await sessions(hotel, **which)) == number


@pytest.mark.parametrize(
    ("marks", "kicked"),
    [
        ({"mac": PHONE}, Kicked(Counter(attic=1, lobby=1), ended=0)),
        ({"account_id": 1}, Kicked(Counter(attic=1, lobby=1), ended=1)),
        ({"session_id": 4}, Kicked(Counter(lobby=1), ended=0)),
        ({"session_id": 3}, Kicked(Counter(), ended=1)),
        ({"session_id": 99}, Kicked(Counter(), ended=0)),
        ({}, Kicked(Counter(), ended=0)),
    ],
)
@ensureDeferred
async def test_kicking_asks_online_sessions_to_end_and_ends_pending_ones(
    hotel: Database, marks: dict[str, Any], kicked: Kicked
) -> None:
    """Only the gateway's next report brings the last octets of a guest who is online."""

    async def history(cursor: Cursor) -> list[tuple[Any, ...]]:
        await cursor.execute(FETCH_HISTORY)
        return cursor.fetchall()

    assert await within(5, hotel.transaction(lambda cursor: kick(cursor, NOON + HOUR, **marks))) == kicked
    listed = await sessions(hotel)
    assert [one.ending for one in listed if one.ending] == [Reason.KICKED] * sum(kicked.ending.values())
    assert len(listed) == 4 - kicked.ended
    past = await within(5, hotel.transaction(history))
    assert [row[1:] for row in past] == [(NOON + HOUR, Reason.KICKED.value)] * kicked.ended


@ensureDeferred
async def test_a_session_that_is_ending_anyway_keeps_its_reason(hotel: Database) -> None:
    """A guest who logged out was not thrown out."""

    async def log_out(cursor: Cursor) -> None:
        await cursor.execute("UPDATE sessions SET ending = %(reason)s", {"reason": Reason.LOGOUT.value})

    await within(5, hotel.transaction(log_out))
    kicked = await within(5, hotel.transaction(lambda cursor: kick(cursor, NOON, mac=LAPTOP)))
    assert kicked == Kicked(Counter(lobby=1), ended=0)
    assert [one.ending for one in await sessions(hotel, mac=LAPTOP)] == [Reason.LOGOUT]


@pytest.mark.parametrize(("later", "silent"), [(timedelta(minutes=3), 1), (timedelta(minutes=3, seconds=1), 2)])
@ensureDeferred
async def test_everything_is_counted(hotel: Database, later: timedelta, silent: int) -> None:
    """A gateway is silent after three intervals; octets may add up to more than a bigint holds."""
    counts = await within(5, hotel.transaction(lambda cursor: count_everything(cursor, NOON + later)))
    assert counts == Counts(
        gateways=2,
        silent=silent,
        waiting=1,
        networks=1,
        online=3,
        pending=1,
        used=Octets(2 * MAX_OCTETS, 28),
        accounts=1,
        disabled=1,
        mails=2,
        late_mails=1,
    )


@ensureDeferred
async def test_nothing_counts_as_nought(database: Database) -> None:
    """A fresh installation has a network and nothing else."""
    counts = await within(5, database.transaction(lambda cursor: count_everything(cursor, NOON)))
    assert counts == Counts(0, 0, 0, 1, 0, 0, Octets(0, 0), 0, 0, 0, 0)
