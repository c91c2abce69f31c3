"""Batches of vouchers, when codes turn out to be taken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred

from tests.support.builders import NOON, put, rows, run
from wifidogd.access.voucher_batches import SpaceIsFull, make_batch
from wifidogd.domain.plans import Network
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.access.vouchers import Order
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.networks import save_network

ORDER = Order("b", "day", "default")


@async_yield_fixture
async def shop(database: Database) -> object:
    """A database with one plan and one network."""
    await put(database, "INSERT INTO plans (name, title) VALUES ('day', 'A day')")
    await run(database, save_network, Network("default", "default"))
    yield database


@ensureDeferred
async def test_as_many_codes_are_minted_as_are_missing(shop: Database) -> None:
    """A code that comes up twice, or is taken, is replaced by another; no more are minted than that."""
    minted: Iterator[str] = iter(["a", "b", "b", "a", "c", "d", "e", "f"])
    assert sorted(await run(shop, make_batch, ORDER, 3, NOON, lambda: next(minted))) == ["a", "b", "c"]
    assert list(minted) == ["d", "e", "f"]
    found = await rows(shop, "SELECT code, code_hash, created_at FROM vouchers ORDER BY code")
    assert [(code, bytes(code_hash), at) for code, code_hash, at in found] == [
        (code, hash_secret(code), NOON) for code in ("a", "b", "c")
    ]


@ensureDeferred
async def test_after_five_rounds_without_free_codes_nothing_is_added(shop: Database) -> None:
    """Three codes in the first round, then two in each, of which none is free."""
    minted: list[str] = []

    def mint() -> str:
        minted.append("a")
        return "a"

    with pytest.raises(SpaceIsFull, match=r"^only 1 of 3 codes were free$"):
        await run(shop, make_batch, ORDER, 3, NOON, mint)
    assert len(minted) == 3 + 4 * 2
    assert await rows(shop, "SELECT code FROM vouchers") == []
