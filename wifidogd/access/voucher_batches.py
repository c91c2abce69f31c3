"""Batches of vouchers: as many codes as were ordered, or none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from wifidogd.domain.errors import WifidogdError
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.access.vouchers import Order, add_vouchers
from wifidogd.store.driver.database import Cursor

ROUNDS = 5
"""How often codes are minted for those that turned out to be taken; with 53 bits one round is enough."""


class SpaceIsFull(WifidogdError):
    """So many codes are taken that no new ones were found; nothing was added."""


async def make_batch(cursor: Cursor, order: Order, count: int, now: datetime, mint: Callable[[], str]) -> list[str]:
    """
    Add C{count} vouchers.

    @param mint: makes a code in its plain form, which may be taken.
    @return: their codes.
    @raise SpaceIsFull: if L{ROUNDS} statements did not find enough codes that were free.
    @raise StoreRefused: if there is no such plan or network.
    """
    made: list[str] = []
    for _ in range(ROUNDS):
        codes = [mint() for _ in range(count - len(made))]
        made += await add_vouchers(cursor, {code: hash_secret(code) for code in codes}, order, now)
        if len(made) == count:
            return made
    raise SpaceIsFull(f"only {len(made)} of {count} codes were free")
