"""Vouchers in the table: made in bounded work, held while being used, taken back with all that hangs on them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import cycle, product

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.builders import (
    LOBBY,
    NOON,
    Recording,
    adopt_all,
    open_online,
    open_pending,
    put,
    rows,
    run,
    token_hash,
)
from wifidogd.access.voucher_batches import ROUNDS, SpaceIsFull, make_batch
from wifidogd.domain.errors import StoreRefused
from wifidogd.domain.sessions import Reason
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.access.vouchers import (
    Order,
    forget_code,
    list_vouchers,
    lock_voucher,
    revoke_vouchers,
)
from wifidogd.store.driver.database import Database

ORDER = Order("first", "day", "default", NOON + timedelta(days=30))

TINY = ["".join(pair) for pair in product("ABC", repeat=2)]
"""A space of nine codes."""


@pytest_twisted.async_yield_fixture
async def database(database: Database) -> AsyncIterator[Database]:
    """A database with a plan, for vouchers to have."""
    await put(database, "INSERT INTO plans (name, title) VALUES ('day', 'A day')")
    yield database


async def draw_on(database: Database, voucher_id: int, *numbers: int) -> None:
    """Give a voucher an allowance, which sessions draw on."""
    await put(
        database,
        "INSERT INTO allowances (voucher_id, network, plan, first_used_at, claimed_at)"
        " VALUES (%(voucher_id)s, 'default', 'day', %(noon)s, %(noon)s)",
        {"voucher_id": voucher_id, "noon": NOON},
    )
    await put(
        database,
        "UPDATE sessions SET allowance_id = (SELECT max(allowance_id) FROM allowances)"
        " WHERE token_hash = ANY(%(hashes)s::bytea[])",
        {"hashes": [token_hash(number) for number in numbers]},
    )


@ensureDeferred
async def test_a_batch_is_as_many_codes_as_were_ordered(database: Database) -> None:
    """In one statement, with what they have in common."""
    recording = Recording(database)
    mint = iter(TINY).__next__
    made = await recording.transaction(lambda cursor: make_batch(cursor, ORDER, 9, NOON, mint))
    assert sorted(made) == TINY
    assert len(recording.statements) == 1
    vouchers = await run(database, list_vouchers, 100)
    assert sorted(str(voucher.code) for voucher in vouchers) == TINY
    assert {(each.batch, each.plan, each.network, each.valid_until) for each in vouchers} == {
        ("first", "day", "default", NOON + timedelta(days=30))
    }
    assert {(each.created_at, each.revoked, each.first_used_at) for each in vouchers} == {(NOON, False, None)}
    assert len(await run(database, list_vouchers, 4)) == 4
    assert await run(database, list_vouchers, 100, "second") == []


@ensureDeferred
async def test_codes_that_are_taken_are_replaced(database: Database) -> None:
    """Also those that one round mints twice."""
    await run(database, make_batch, ORDER, 7, NOON, iter(TINY).__next__)
    minted = iter(["AA", "CC", "CC", "AB", "BA", "CB"])
    assert sorted(await run(database, make_batch, ORDER, 2, NOON, minted.__next__)) == ["CB", "CC"]


@ensureDeferred
async def test_a_space_that_is_full_costs_a_few_statements_and_changes_nothing(database: Database) -> None:
    """However often the codes are minted again, none is free (a loop without bound has killed a server here)."""
    await run(database, make_batch, ORDER, 8, NOON, iter(TINY).__next__)
    recording = Recording(database)
    mint = cycle(TINY).__next__
    with pytest.raises(SpaceIsFull, match="only 1 of 9"):
        await recording.transaction(lambda cursor: make_batch(cursor, ORDER, 9, NOON, mint))
    assert len(recording.statements) <= ROUNDS + 1
    assert len(await run(database, list_vouchers, 100)) == 8


@pytest.mark.parametrize(
    "order", [Order("b", "nothing", "default"), Order("b", "day", "nowhere"), Order("", "day", "default")]
)
@ensureDeferred
async def test_plan_network_and_batch_must_be_right(database: Database, order: Order) -> None:
    """The tables see to that."""
    with pytest.raises(StoreRefused):
        await run(database, make_batch, order, 1, NOON, lambda: "AA")


@ensureDeferred
async def test_a_code_is_found_by_its_hash_and_forgotten_once_used(database: Database) -> None:
    """It can be found, but not read, from then on."""
    await run(database, make_batch, ORDER, 2, NOON, iter(TINY).__next__)
    voucher = await run(database, lock_voucher, hash_secret("AB"))
    assert voucher is not None
    assert voucher.code == "AB"
    assert "AB" not in repr(voucher)
    await run(database, forget_code, voucher.voucher_id)
    used = await run(database, lock_voucher, hash_secret("AB"))
    assert used is not None
    assert (used.code, used.owner) == (None, voucher.owner)
    assert [each.code for each in await run(database, list_vouchers, 9)] == ["AA", None]
    assert await run(database, lock_voucher, hash_secret("CC")) is None


@ensureDeferred
async def test_taking_a_voucher_back_ends_its_sessions_and_no_others(database: Database) -> None:
    """At the next report, so that the last octets are counted; its allowance is closed too."""
    await adopt_all(database, LOBBY)
    await run(database, make_batch, ORDER, 3, NOON, iter(TINY).__next__)
    for number in (1, 2, 3):
        await open_online(database, number)
    await open_pending(database, 4)
    first, second, _ = [each.voucher_id for each in await run(database, list_vouchers, 9)]
    await draw_on(database, first, 1, 4)
    await draw_on(database, second, 2)
    assert await run(database, revoke_vouchers, code_hash=hash_secret("AA")) == 1
    assert await rows(database, "SELECT token_hash, ending FROM sessions WHERE ending IS NOT NULL ORDER BY 1") == [
        (token_hash(1), Reason.REVOKED.value),
        (token_hash(4), Reason.REVOKED.value),
    ]
    assert await rows(database, "SELECT voucher_id FROM allowances WHERE revoked") == [(first,)]
    assert [each.revoked for each in await run(database, list_vouchers, 9)] == [True, False, False]
    assert [each.first_used_at for each in await run(database, list_vouchers, 9)] == [NOON, NOON, None]
    assert await run(database, revoke_vouchers, code_hash=hash_secret("AA")) == 0
    assert await run(database, revoke_vouchers, batch="first") == 2
    assert await run(database, revoke_vouchers, batch="other") == 0
