"""
C{wifidogctl voucher create} where every code is taken: C{python -m benchmarks.loads.full_space DSN RATE SECONDS}.

A space of 53 bits cannot be filled, so codes are drawn from a hundred, which are all sold first; the rest is what
wifidogctl does.  Prints as JSON when each attempt was due, how many seconds it took and what came of it.
"""

from __future__ import annotations

import json
import random
import sys
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

from twisted.internet.task import deferLater, react

from wifidogd.access.voucher_batches import SpaceIsFull, make_batch
from wifidogd.domain.voucher_codes import ALPHABET, check_character
from wifidogd.store.access.vouchers import Order
from wifidogd.store.driver.database import Cursor, Database

FEW = 100
AT_ONCE = 10

PLAN = "INSERT INTO plans (name, title) VALUES ('day', 'Day pass')"
ORDER = Order("spring", "day", "default", None)

MADE, REFUSED = "made", "refused"


def draw(number: int) -> str:
    """Make one of L{FEW} codes."""
    body = "0" * 9 + ALPHABET[number // 10] + ALPHABET[number % 10]
    return body + check_character(body)


async def run(reactor: Any, dsn: str, rate: str, seconds: str) -> None:
    """Sell all codes there are, then try to make more."""
    database = Database(clock=reactor, size=1)
    database.start(dsn)
    await database.transaction(sell_all)
    began = time.monotonic()
    samples = []
    for number in range(int(float(rate) * float(seconds))):
        due = began + number / float(rate)
        await deferLater(reactor, max(0.0, due - time.monotonic()))
        said = await order(database)
        samples.append((due, time.monotonic() - due, said))
    await database.stop()
    print(json.dumps(samples))


async def sell_all(cursor: Cursor) -> None:
    """Make a voucher of each code."""
    await cursor.execute(PLAN)
    left = list(range(FEW))
    await make_batch(cursor, ORDER, FEW, datetime.now(UTC), lambda: draw(left.pop()))


async def order(database: Database) -> str:
    """Try to make some more."""
    mint = partial(random.choice, [draw(number) for number in range(FEW)])
    try:
        await database.transaction(lambda cursor: make_batch(cursor, ORDER, AT_ONCE, datetime.now(UTC), mint))
    except SpaceIsFull:
        return REFUSED
    return MADE


if __name__ == "__main__":
    react(run, sys.argv[1:])
