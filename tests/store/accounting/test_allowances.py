"""Allowances, plans and end notices in the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.defer import ensureDeferred as start
from twisted.internet.task import deferLater

from tests.support.builders import LOBBY, MINUTE, NOON, adopt_all, mac, open_online, put, rows, run, save
from tests.support.deadline import within
from wifidogd.domain.errors import StoreRefused
from wifidogd.domain.guests import EndNotice
from wifidogd.domain.plans import NOBODY, Allowance, AllowanceOwner, Network, Plan, TimeCounts, WhenFull
from wifidogd.domain.quotas import Amount, Slot, Use
from wifidogd.domain.sessions import MAX_OCTETS, Ended, Octets, Reason, Session
from wifidogd.domain.usage import AllowanceUsage
from wifidogd.store.access.arrivals import fetch_arrival
from wifidogd.store.access.end_notices import forget_end_notices, save_end_notices
from wifidogd.store.accounting.allowances import add_use, begin_use, forget_allowances
from wifidogd.store.accounting.plans import count_users, fetch_plans, remove_plan, save_plan
from wifidogd.store.accounting.recent_use import BY_MINUTE, MOST_SLOTS, add_to_slots, fetch_slots, forget_slots
from wifidogd.store.accounting.sessions import lock_sessions
from wifidogd.store.accounting.usage import claim_allowance, fetch_usage, lock_usage
from wifidogd.store.accounts.accounts import add_account
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.gateways.networks import save_network

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

FULL = Plan(
    "full",
    "Everything",
    time_limit=HOUR,
    time_counts=TimeCounts.USED,
    incoming_octets=1,
    outgoing_octets=2,
    total_octets=MAX_OCTETS,
    devices=100,
    when_full=WhenFull.REPLACE,
    valid_from=NOON,
    valid_until=NOON + DAY,
    hours="mon-fri 08:00-18:00",
    day_time=HOUR,
    day_octets=4,
    span=DAY,
    span_time=HOUR,
    span_octets=5,
)
BARE = Plan("bare", "Nothing")

USE_EVERY_MINUTE = """
    INSERT INTO allowance_slots (allowance_id, starts_at, used_time, octets)
    SELECT %(allowance_id)s, %(now)s - n * interval '1 minute', interval '1 minute', 1
      FROM generate_series(1, 44700) AS n
"""

DRAW = "UPDATE sessions SET allowance_id = %(allowance_id)s WHERE mac = %(mac)s"


VOUCHER = """
    INSERT INTO vouchers (code_hash, batch, plan, network, created_at)
    VALUES (sha256('code'), 'b', 'bare', 'default', %(now)s)
"""


def device(number: int) -> AllowanceOwner:
    """Return an owner that needs no rows of its own."""
    return AllowanceOwner(mac=mac(number))


async def stored_owners(database: Database) -> set[AllowanceOwner]:
    """Return whose allowances there are."""
    found = await rows(database, "SELECT voucher_id, account_id, mac, address_hash FROM allowances")
    return {AllowanceOwner(*row) for row in found}


@ensureDeferred
async def test_plans_come_back_as_they_were_saved(database: Database) -> None:
    """By name; saving one again replaces all of it."""
    assert await run(database, save_plan, FULL)
    assert await run(database, save_plan, BARE)
    assert await run(database, fetch_plans) == [BARE, FULL]
    bare_again = replace(BARE, name="full")
    assert not await run(database, save_plan, bare_again)
    assert await run(database, fetch_plans) == [BARE, bare_again]


@ensureDeferred
async def test_a_plan_that_is_used_stays(database: Database) -> None:
    """And says by how many of what."""
    await run(database, save_plan, BARE)
    assert await run(database, count_users, "bare") == (0, 0, 0, 0)
    await run(database, claim_allowance, device(1), "default", "bare", NOON)
    assert await run(database, count_users, "bare") == (0, 0, 0, 1)
    with pytest.raises(StoreRefused):
        await run(database, remove_plan, "bare")
    await put(database, "DELETE FROM allowances")
    assert await run(database, remove_plan, "bare")
    assert not await run(database, remove_plan, "bare")


@ensureDeferred
async def test_an_owner_has_one_allowance(database: Database) -> None:
    """Claiming it again changes its plan and its end, and nothing that was used."""
    for plan in (BARE, FULL):
        await run(database, save_plan, plan)
    first = await run(database, claim_allowance, device(1), "default", "bare", NOON)
    allowance = first.allowance
    assert first == AllowanceUsage(Allowance(allowance.allowance_id, device(1), "default", "UTC", BARE))
    await run(database, begin_use, [allowance.allowance_id], NOON)
    await run(database, begin_use, [allowance.allowance_id], NOON + HOUR)
    second = await run(database, claim_allowance, device(1), "default", "full", NOON, NOON + DAY)
    renewed = replace(allowance, plan=FULL, valid_until=NOON + DAY, first_used_at=NOON)
    assert second == AllowanceUsage(renewed)
    assert await run(database, fetch_usage, allowance.allowance_id, NOON) == second
    other = await run(database, claim_allowance, device(2), "default", "bare", NOON)
    both = await run(database, lock_usage, {other.allowance.allowance_id, allowance.allowance_id}, NOON)
    assert both == {allowance.allowance_id: second, other.allowance.allowance_id: other}
    with pytest.raises(StoreRefused):
        await run(database, claim_allowance, device(3), "default", "none", NOON)


def ended(allowance_id: int | None, minutes: int, *octets: int) -> Ended:
    """A session that was online for so long."""
    at = NOON + minutes * MINUTE
    session = Session(b"", "lobby", NOON, activated_at=NOON, reported_at=at, used=Octets(*octets))
    return Ended(replace(session, allowance_id=allowance_id), at, Reason.LOGOUT)


@ensureDeferred
async def test_what_ended_sessions_used_adds_up(database: Database) -> None:
    """Several of one allowance too; up to the largest number instead of failing."""
    await run(database, save_plan, BARE)
    ids = [
        (await run(database, claim_allowance, device(number), "default", "bare", NOON)).allowance.allowance_id
        for number in (1, 2)
    ]
    await run(database, add_use, [ended(ids[0], 1, 5, 6), ended(None, 9, 9, 9), ended(ids[0], 2, 7, 8)])
    await run(database, add_use, [ended(ids[1], 0, MAX_OCTETS, 0), ended(ids[0], 1, 1, 1)])
    await run(database, add_use, [ended(ids[1], 0, MAX_OCTETS, 0)])
    found = {key: usage.allowance for key, usage in (await run(database, lock_usage, ids, NOON)).items()}
    assert (found[ids[0]].used_time, found[ids[0]].used) == (4 * MINUTE, Octets(13, 15))
    assert (found[ids[1]].used_time, found[ids[1]].used) == (timedelta(), Octets(MAX_OCTETS, 0))


@ensureDeferred
async def test_recent_use_is_summed_by_day_and_window(database: Database) -> None:
    """A minute counts to the day in which it begins, and in a window until as long after its beginning."""
    plan = replace(BARE, day_octets=1, span=DAY, span_octets=1)
    await run(database, save_plan, plan)
    allowance = (await run(database, claim_allowance, device(1), "default", "bare", NOON)).allowance
    key = allowance.allowance_id
    midnight = NOON - 12 * HOUR
    for at, octets in ((NOON - DAY, 1), (NOON - DAY + MINUTE, 10), (midnight - MINUTE, 100), (midnight, 1000)):
        await run(database, add_to_slots, {key: Amount(MINUTE, octets)}, at)
    await run(database, add_to_slots, {key: Amount(MINUTE, 10_000)}, midnight)
    use = Use(day=Amount(2 * MINUTE, 11_000), span=Amount(4 * MINUTE, 11_110))
    assert await run(database, fetch_usage, key, NOON) == AllowanceUsage(allowance, use)
    assert await run(database, fetch_slots, key, midnight + HOUR, HOUR + MINUTE) == [
        Slot(midnight, Amount(2 * MINUTE, 11_000))
    ]
    assert await run(database, forget_slots, midnight, 2) == 2
    assert await run(database, forget_slots, midnight, 2) == 1
    assert await run(database, forget_slots, midnight, 2) == 0


@ensureDeferred
async def test_open_sessions_are_part_of_the_tally(database: Database) -> None:
    """All add up; the devices are those that are heard of and not asked to end."""
    await run(database, save_plan, BARE)
    await adopt_all(database, LOBBY)
    allowance = (await run(database, claim_allowance, device(1), "default", "bare", NOON)).allowance
    key = allowance.allowance_id
    for number, reported in ((1, NOON + 9 * MINUTE), (2, NOON + 6 * MINUTE), (3, NOON + 7 * MINUTE), (4, NOON)):
        await open_online(database, number, reported=reported, octets=Octets(number, 0))
        await put(database, DRAW, {"allowance_id": key, "mac": mac(number)})
    await put(database, "UPDATE sessions SET ending = 'logged out' WHERE mac = %(mac)s", {"mac": mac(3)})
    usage = await run(database, fetch_usage, key, NOON + 9 * MINUTE)
    assert usage.use == Use(22 * MINUTE, Octets(10, 0))
    assert set(usage.online) == {mac(1), mac(2)}


@ensureDeferred
async def test_who_waited_for_an_allowance_reads_what_its_holder_has_written(database: Database) -> None:
    """Sums of a snapshot from before the wait would give out twice what is left."""
    await run(database, save_plan, BARE)
    await adopt_all(database, LOBBY)
    key = (await run(database, claim_allowance, device(1), "default", "bare", NOON)).allowance.allowance_id
    await open_online(database, 1, octets=Octets(1, 0))
    await put(database, DRAW, {"allowance_id": key, "mac": mac(1)})
    waiting: list[Deferred[dict[int, AllowanceUsage]]] = []

    async def write(cursor: Cursor) -> None:
        await lock_usage(cursor, [key], NOON)
        for work in (lock_usage, fetch_usage_of_claim):
            waiting.append(start(run(database, work, [key], NOON)))
        await blocked(database, 2)
        await cursor.execute("UPDATE sessions SET incoming = 100")
        await cursor.execute("UPDATE allowances SET incoming = 1000")

    await run(database, write)
    for read in waiting:
        assert (await within(10, read))[key].use.octets == Octets(1100, 0)


async def fetch_usage_of_claim(cursor: Cursor, allowance_ids: list[int], now: datetime) -> dict[int, AllowanceUsage]:
    """Lock an allowance as a sign-in does."""
    usage = await claim_allowance(cursor, device(1), "default", "bare", now)
    return {usage.allowance.allowance_id: usage}


async def blocked(database: Database, count: int) -> None:
    """Wait until so many statements wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    for _ in range(500):
        if await rows(database, query) == [(count,)]:
            return
        await deferLater(reactor, 0.01)
    raise AssertionError(f"not {count} statements wait for a lock")


@ensureDeferred
async def test_an_account_is_locked_before_its_allowance(database: Database) -> None:
    """As by those who remove it; the other way round, a sign-in and a removal would wait for one another."""
    await run(database, save_plan, BARE)
    await run(database, add_account, "anna", "hash", NOON)
    await run(database, claim_allowance, AllowanceOwner(account_id=1), "default", "bare", NOON)
    claims: list[Deferred[AllowanceUsage]] = []

    async def remove(cursor: Cursor) -> None:
        await cursor.execute("SELECT 1 FROM accounts FOR UPDATE")
        claims.append(start(run(database, claim_allowance, AllowanceOwner(account_id=1), "default", "bare", NOON)))
        await blocked(database, 1)
        await cursor.execute("DELETE FROM accounts")

    await run(database, remove)
    with pytest.raises(StoreRefused, match="foreign key"):
        await within(10, claims[0])


@ensureDeferred
async def test_allowances_of_devices_that_stay_away_are_forgotten(database: Database) -> None:
    """With their minutes; not those of vouchers and accounts, nor of who is online."""
    await run(database, save_plan, BARE)
    await adopt_all(database, LOBBY)
    await put(database, VOUCHER, {"now": NOON})
    await run(database, add_account, "anna", "hash", NOON)
    others = (AllowanceOwner(voucher_id=1), AllowanceOwner(account_id=1), AllowanceOwner(address_hash=b"a" * 32))
    owners = (device(1), device(2), device(3), *others)
    for number, owner in enumerate(owners):
        at = NOON if number == 1 else NOON - DAY
        allowance = (await run(database, claim_allowance, owner, "default", "bare", at)).allowance
        await run(database, add_to_slots, {allowance.allowance_id: Amount(MINUTE, 1)}, NOON)
        if number == 2:
            await open_online(database, 1)
            await put(database, DRAW, {"allowance_id": allowance.allowance_id, "mac": mac(1)})
    assert await run(database, forget_allowances, NOON, NOON, 500) == 1
    assert await stored_owners(database) == set(owners[1:])


@ensureDeferred
async def test_the_allowance_of_a_removed_account_is_nobodys_and_is_forgotten(database: Database) -> None:
    """As that of a device is."""
    await run(database, save_plan, BARE)
    await run(database, add_account, "anna", "hash", NOON)
    await run(database, claim_allowance, AllowanceOwner(account_id=1), "default", "bare", NOON)
    await put(database, "DELETE FROM accounts")
    assert await stored_owners(database) == {NOBODY}
    assert await run(database, forget_allowances, NOON + DAY, NOON + DAY, 500) == 1


@ensureDeferred
async def test_an_allowance_has_one_owner_who_exists(database: Database) -> None:
    """The database itself sees to that."""
    await run(database, save_plan, BARE)
    for owner in (AllowanceOwner(voucher_id=1), AllowanceOwner(account_id=1)):
        with pytest.raises(StoreRefused, match="foreign key"):
            await run(database, claim_allowance, owner, "default", "bare", NOON)
    with pytest.raises(StoreRefused, match="allowances_have_one_owner"):
        await put(
            database,
            "INSERT INTO allowances (mac, address_hash, network, plan, claimed_at)"
            " VALUES ('02:00:00:00:00:01', sha256('a'), 'default', 'bare', now())",
        )
    with pytest.raises(ValueError, match="nobody"):
        await run(database, claim_allowance, NOBODY, "default", "bare", NOON)


@ensureDeferred
async def test_an_account_and_a_device_have_an_allowance_in_each_network(database: Database) -> None:
    """A voucher has one."""
    await run(database, save_plan, BARE)
    await run(database, save_network, Network("cafe", "Café"))
    await run(database, add_account, "anna", "hash", NOON)
    await put(database, VOUCHER, {"now": NOON})
    for owner in (device(1), AllowanceOwner(account_id=1), AllowanceOwner(address_hash=b"a" * 32)):
        one, other = [await run(database, claim_allowance, owner, name, "bare", NOON) for name in ("default", "cafe")]
        assert one.allowance.owner == other.allowance.owner == owner
        assert (one.allowance.network, other.allowance.network) == ("default", "cafe")
    voucher = AllowanceOwner(voucher_id=1)
    claimed = [await run(database, claim_allowance, voucher, "default", "bare", NOON) for _ in range(2)]
    assert claimed[0] == claimed[1]
    assert claimed[0].allowance.owner == voucher


@ensureDeferred
async def test_allowances_of_devices_that_no_gateway_let_in_are_forgotten_soon(database: Database) -> None:
    """Anybody can invent a MAC; what was ever used is kept, and so is the present one of who is about to come."""
    await run(database, save_plan, BARE)
    used, invented, present = device(1), device(2), device(3)
    for owner, at in ((used, NOON), (invented, NOON), (present, NOON + HOUR)):
        await run(database, claim_allowance, owner, "default", "bare", at)
    await put(database, "UPDATE allowances SET first_used_at = claimed_at WHERE mac = %(mac)s", {"mac": used.mac})
    assert await run(database, forget_allowances, NOON - DAY, NOON + HOUR, 500) == 1
    assert await stored_owners(database) == {used, present}


@ensureDeferred
async def test_an_end_notice_is_shown_for_a_while_or_as_long_as_it_holds(database: Database) -> None:
    """The last one of a device at a gateway."""
    await adopt_all(database, LOBBY)
    first = EndNotice("lobby", mac(1), Reason.TIME_IS_UP, NOON, None)
    last = EndNotice("lobby", mac(1), Reason.DAY_IS_SPENT, NOON + HOUR, NOON + 12 * HOUR)
    other = EndNotice("lobby", mac(2), Reason.CLOSED, NOON, None)
    await run(database, save_end_notices, [other, first])

    async def shown(at: timedelta, number: int = 1) -> EndNotice | None:
        now = NOON + at
        arrival = await run(
            database,
            fetch_arrival,
            "lobby",
            "default",
            mac=mac(number),
            key_hash=None,
            remembered_mac=None,
            now=now,
            reported_since=now,
            ended_since=now - HOUR,
        )
        return arrival.end_notice

    assert await shown(HOUR - MINUTE) == first
    assert await shown(HOUR) is None
    await run(database, save_end_notices, [last])
    assert await shown(12 * HOUR - MINUTE) == last
    assert await shown(12 * HOUR) is None
    assert await shown(MINUTE, 2) == other
    assert await shown(MINUTE, 3) is None
    assert await run(database, forget_end_notices, NOON + MINUTE, 500) == 1


@ensureDeferred
async def test_sessions_come_back_with_what_they_draw_on(database: Database) -> None:
    """As they were opened."""
    await run(database, save_plan, BARE)
    await adopt_all(database, LOBBY)
    allowance = (await run(database, claim_allowance, device(1), "default", "bare", NOON)).allowance
    session = await open_online(database, 1)
    await put(
        database,
        "UPDATE sessions SET allowance_id = %(allowance_id)s, claimed_mac = %(mac)s, probation_until = %(now)s",
        {"allowance_id": allowance.allowance_id, "mac": mac(7), "now": NOON},
    )

    async def lock(cursor: Cursor) -> Session:
        await save(cursor, [session])
        return (await lock_sessions(cursor, [session.token_hash]))[session.token_hash]

    found = await run(database, lock)
    assert found == replace(session, allowance_id=allowance.allowance_id, claimed_mac=mac(7), probation_until=NOON)


@ensureDeferred
async def test_recent_use_is_read_by_the_minute_or_over_long_windows_by_the_hour(database: Database) -> None:
    """A month has 44,640 minutes; an hour of them stands at the last that was used, so that nobody comes too early."""
    await run(database, save_plan, BARE)
    key = (await run(database, claim_allowance, device(1), "default", "bare", NOON)).allowance.allowance_id

    async def use_all(cursor: Cursor) -> None:
        await cursor.execute(USE_EVERY_MINUTE, {"allowance_id": key, "now": NOON})

    await run(database, use_all)
    minutes = await run(database, fetch_slots, key, NOON, BY_MINUTE)
    assert len(minutes) == 2 * 24 * 60 - 1
    assert minutes[-1] == Slot(NOON - MINUTE, Amount(MINUTE, 1))
    hours = await run(database, fetch_slots, key, NOON, 31 * DAY)
    assert len(hours) == 31 * 24
    assert hours[-1] == Slot(NOON - MINUTE, Amount(HOUR, 60))
    assert sum(slot.used.octets for slot in hours) == 31 * 24 * 60 - 1
    assert [slot.starts_at for slot in hours] == sorted(slot.starts_at for slot in hours)
    assert max(BY_MINUTE // MINUTE, 31 * DAY // HOUR + 1) < MOST_SLOTS
