"""Open sessions, read, written and ended by whole batches."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred

from tests.support.builders import (
    LOBBY,
    MINUTE,
    NOON,
    adopt_all,
    mac,
    open_online,
    open_pending,
    put,
    rows,
    run,
    save,
    together,
    token_hash,
)
from wifidogd.domain.errors import StoreConflict, StoreRefused
from wifidogd.domain.sessions import MAX_OCTETS, Ended, Octets, Place, Reason, Session
from wifidogd.store.access.guest_sessions import open_session
from wifidogd.store.accounting.sessions import end_sessions, lock_online, lock_sessions, save_sessions
from wifidogd.store.driver.database import Cursor, Database

FULL = Session(
    token_hash(1),
    "lobby",
    opened_at=NOON,
    mac=mac(1),
    ip="2001:db8::1",
    activated_at=NOON + timedelta(microseconds=1),
    reported_at=NOON + MINUTE,
    used=Octets(MAX_OCTETS, MAX_OCTETS - 1),
    last=Octets(MAX_OCTETS - 2, MAX_OCTETS - 3),
    time_limit=2 * MINUTE,
    quota_octets=MAX_OCTETS,
    expires_at=NOON + 2 * MINUTE,
    left_ip="10.0.0.1",
    doubtful=Octets(MAX_OCTETS, 0),
)
"""Every column at an end of its range."""


def at_home(gw_id: str, number: int) -> Place:
    """Return where L{open_online} puts the device of a number."""
    return Place(gw_id, mac(number), "10.0.0.2")


async def open_full(database: Database) -> None:
    """Open what is going to be L{FULL}."""
    await run(
        database,
        open_session,
        FULL.token_hash,
        gw_id="lobby",
        account_id=None,
        url="http://example.com/",
        now=NOON,
        time_limit=FULL.time_limit,
        quota_octets=FULL.quota_octets,
    )


@ensureDeferred
async def test_a_session_comes_back_as_it_was_saved(database: Database) -> None:
    """To the octet up to 2^63-1, to the microsecond, with an IPv6 address."""
    await adopt_all(database, LOBBY)
    await open_full(database)
    await run(database, save, [FULL])
    assert await run(database, lock_sessions, [token_hash(2), FULL.token_hash]) == {FULL.token_hash: FULL}


@ensureDeferred
async def test_a_fresh_session_is_pending(database: Database) -> None:
    """Nothing is known of the device before a gateway has spoken."""
    await adopt_all(database, LOBBY)
    await open_pending(database, 1)
    assert await run(database, lock_sessions, [token_hash(1)]) == {token_hash(1): Session(token_hash(1), "lobby", NOON)}


@ensureDeferred
async def test_saving_touches_only_what_it_names(database: Database) -> None:
    """A batch writes each session its own values and leaves the others alone."""
    await adopt_all(database, LOBBY)
    first, second, third = [await open_online(database, number) for number in (1, 2, 3)]
    changed = [replace(first, used=Octets(1, 2), ip=None), replace(third, last=Octets(3, 4))]
    await run(database, save, changed)
    found = await run(database, lock_sessions, [session.token_hash for session in (first, second, third)])
    assert list(found.values()) == [changed[0], second, changed[1]]


@ensureDeferred
async def test_empty_batches_do_nothing(database: Database) -> None:
    """PostgreSQL must be told the type of an empty array."""
    assert await run(database, lock_sessions, []) == {}
    assert await run(database, lock_online, []) == []
    await run(database, save, [])
    await run(database, end_sessions, [])


@ensureDeferred
async def test_what_somebody_asked_for_is_not_overwritten(database: Database) -> None:
    """A kick that comes between the gateway's reports waits for the next one."""
    await adopt_all(database, LOBBY)
    session = await open_online(database, 1)
    await put(database, "UPDATE sessions SET ending = 'ended by the operator'")
    await run(database, save, [session])
    assert (await run(database, lock_sessions, [token_hash(1)]))[token_hash(1)].ending is Reason.KICKED


@ensureDeferred
async def test_an_ended_session_is_history_only(database: Database) -> None:
    """The row moves with all it was, and with the network that the gateway has at that moment."""
    await adopt_all(database, LOBBY)
    await put(database, "INSERT INTO accounts (name, password_hash, created_at) VALUES ('ann', 'x', '2026-11-22Z')")
    await open_full(database)
    await put(database, "UPDATE sessions SET account_id = (SELECT account_id FROM accounts)")
    [(session_id, account_id)] = await rows(database, "SELECT session_id, account_id FROM sessions")
    await run(database, end_sessions, [Ended(FULL, NOON + 2 * MINUTE, Reason.TIME_IS_UP)])
    assert await rows(database, "SELECT count(*) FROM sessions") == [(0,)]
    [past] = await rows(
        database,
        """SELECT session_id, network, gw_id, account_id, mac, ip, opened_at, activated_at, ended_at, reason,
                  incoming, outgoing
             FROM past_sessions""",
    )
    assert past == (
        session_id, "default", "lobby", account_id, FULL.mac, FULL.ip, NOON, FULL.activated_at,
        NOON + 2 * MINUTE, "time is up", MAX_OCTETS, MAX_OCTETS - 1,
    )  # fmt: skip


@ensureDeferred
async def test_a_pending_session_may_end_too(database: Database) -> None:
    """With device, address and activation unknown, beside one where they are known."""
    await adopt_all(database, LOBBY)
    await open_pending(database, 1)
    online = await open_online(database, 2)
    pending = Session(token_hash(1), "lobby", NOON)
    await run(database, end_sessions, [Ended(session, NOON, Reason.KICKED) for session in (pending, online)])
    past = await rows(database, "SELECT mac, ip, activated_at FROM past_sessions ORDER BY session_id")
    assert past == [(None, None, None), (mac(2), "10.0.0.2", NOON)]


@ensureDeferred
async def test_a_session_ends_once(database: Database) -> None:
    """Whoever comes second finds nothing to end."""
    await adopt_all(database, LOBBY)
    session = await open_online(database, 1)
    for _ in range(2):
        await run(database, end_sessions, [Ended(session, NOON, Reason.LOGOUT)])
    assert await rows(database, "SELECT count(*) FROM past_sessions") == [(1,)]


@ensureDeferred
async def test_a_device_is_online_once_at_a_gateway(database: Database) -> None:
    """The index refuses a second live session as a conflict, and nothing of the batch is saved."""
    await adopt_all(database, LOBBY, replace(LOBBY, gw_id="bar"))
    first = await open_online(database, 1)
    await open_pending(database, 2)
    await open_pending(database, 3, gw_id="bar")
    elsewhere = replace(first, token_hash=token_hash(3), gw_id="bar")
    await run(database, save, [elsewhere])
    with pytest.raises(StoreConflict):
        await run(database, save, [replace(first, used=Octets(9, 9)), replace(first, token_hash=token_hash(2))])
    assert await run(database, lock_online, [at_home("lobby", 1), at_home("bar", 1)]) == [first, elsewhere]


@ensureDeferred
async def test_a_device_is_taken_over_in_one_transaction(database: Database) -> None:
    """The old session ends first, so that the new one can go online on the same device."""
    await adopt_all(database, LOBBY)
    old = await open_online(database, 1)
    await open_pending(database, 2)
    new = replace(old, token_hash=token_hash(2))

    async def replace_session(cursor: Cursor) -> None:
        end_sessions(cursor, [Ended(old, NOON, Reason.REPLACED)])
        save_sessions(cursor, [new])

    await run(database, replace_session)
    assert await run(database, lock_online, [at_home("lobby", 1)]) == [new]


@ensureDeferred
async def test_only_live_sessions_are_online(database: Database) -> None:
    """Pairs are matched as pairs: the device of one gateway is not looked for at another."""
    await adopt_all(database, LOBBY, replace(LOBBY, gw_id="bar"))
    first = await open_online(database, 1)
    await open_online(database, 2, gw_id="bar")
    await open_pending(database, 3)
    await put(database, "UPDATE sessions SET mac = %(mac)s WHERE activated_at IS NULL", {"mac": mac(3)})
    devices = [at_home(*each) for each in [("lobby", 1), ("lobby", 2), ("bar", 1), ("lobby", 3), ("nowhere", 1)]]
    assert await run(database, lock_online, devices) == [first]


@ensureDeferred
async def test_batches_lock_in_key_order(database: Database) -> None:
    """Batches that name the same sessions in opposite orders take turns; none is chosen to die."""
    await adopt_all(database, LOBBY)
    sessions = [await open_online(database, number) for number in range(1, 41)]
    hashes = [session.token_hash for session in sessions]
    devices = [Place(session.gw_id, str(session.mac), session.ip) for session in sessions]

    async def count_up(turn: int) -> None:
        for _ in range(10):
            await run(database, add_one, hashes[::turn], devices[::-turn])

    async def add_one(cursor: Cursor, hashes: list[bytes], devices: list[Place]) -> None:
        locked = await lock_sessions(cursor, hashes)
        assert list(locked) == sorted(hashes)
        online = await lock_online(cursor, devices)
        assert [session.token_hash for session in online] == sorted(hashes)
        save_sessions(
            cursor, [replace(locked[hash_], used=Octets(locked[hash_].used.incoming + 1)) for hash_ in hashes]
        )

    await together(count_up(1), count_up(-1), count_up(1), count_up(-1))
    assert await rows(database, "SELECT DISTINCT incoming FROM sessions") == [(40,)]


@ensureDeferred
async def test_a_locked_session_is_waited_for(database: Database) -> None:
    """Who comes second sees what the first has written, never what was before."""
    await adopt_all(database, LOBBY)
    session = await open_online(database, 1)
    is_locked: Deferred[None] = Deferred()

    async def write(cursor: Cursor) -> None:
        await lock_sessions(cursor, [session.token_hash])
        is_locked.callback(None)
        await cursor.execute("SELECT pg_sleep(0.2)")
        save_sessions(cursor, [replace(session, used=Octets(5, 6))])

    async def read() -> Octets:
        await is_locked
        return (await run(database, lock_sessions, [session.token_hash]))[session.token_hash].used

    assert await together(run(database, write), read()) == [None, Octets(5, 6)]


@pytest.mark.parametrize(
    "impossible",
    [replace(FULL, used=Octets(-1, 0)), replace(FULL, last=Octets(0, MAX_OCTETS + 1)), replace(FULL, mac="printer")],
)
@ensureDeferred
async def test_the_schema_refuses_impossible_sessions(database: Database, impossible: Session) -> None:
    """Whatever a caller forgot to check is not stored."""
    await adopt_all(database, LOBBY)
    await open_full(database)
    with pytest.raises(StoreRefused):
        await run(database, save, [impossible])


@pytest.mark.parametrize(
    ("restarted", "last"),
    [("NULL", Octets(5, 6)), ("'2026-11-22 11:59Z'", Octets(5, 6)), ("'2026-11-22 12:01Z'", Octets())],
)
@ensureDeferred
async def test_a_gateway_that_restarted_has_forgotten_what_it_reported(
    database: Database, restarted: str, last: Octets
) -> None:
    """Whoever takes the place of a live session there counts from zero; what it has used stays."""
    await adopt_all(database, LOBBY)
    session = replace(await open_online(database, 1), reported_at=NOON, used=Octets(7, 8), last=Octets(5, 6))
    await run(database, save, [session])
    await put(
        database,
        f"INSERT INTO heartbeats (gw_id, seen_at, source, restarted_at) VALUES ('lobby', now(), '::1', {restarted})",
    )
    assert await run(database, lock_online, [at_home("lobby", 1)]) == [replace(session, last=last)]
    assert await run(database, lock_sessions, [session.token_hash]) == {session.token_hash: session}
