"""Counts of mails and of sign-ups without a confirmed address, in a real PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_twisted import ensureDeferred

from tests.support.builders import NOON, SECOND, run, together
from wifidogd.store.accounts import probations
from wifidogd.store.accounts.mail_limits import AT_ONCE, PAUSE, count_mail_of, count_mail_to, forget_counts
from wifidogd.store.accounts.outbox import queue_mail
from wifidogd.store.accounts.probations import (
    DAY,
    KEPT,
    MOST_IN_A_DAY,
    begin_probation,
    end_probations,
    forget_probations,
)
from wifidogd.store.driver.database import Database

ZOE = "zoe@example.org"
HOUR = timedelta(hours=1)
PHONE = "02:ab:cd:ef:01:01"


@ensureDeferred
async def test_an_address_is_written_to_three_times_and_then_once_an_hour(database: Database) -> None:
    """To the very second; however many ask at once, and whatever others are sent."""
    assert (3, timedelta(hours=1)) == (AT_ONCE, PAUSE)
    allowed = await together(*(run(database, count_mail_to, ZOE, NOON) for _ in range(5)))
    assert sorted(allowed) == [False, False, True, True, True]
    assert await run(database, count_mail_to, "eve@example.org", NOON)
    assert not await run(database, count_mail_to, "zoe+1@example.org", NOON)
    for hour in range(1, 4):
        assert not await run(database, count_mail_to, ZOE, NOON + hour * HOUR - SECOND)
        assert await run(database, count_mail_to, ZOE, NOON + hour * HOUR)
        assert not await run(database, count_mail_to, ZOE, NOON + hour * HOUR)
    assert [await run(database, count_mail_to, ZOE, NOON + 9 * HOUR) for _ in range(4)] == [True] * 3 + [False]


@ensureDeferred
async def test_no_more_than_three_wait_for_an_address(database: Database) -> None:
    """Or all that was written while the mail server was away would arrive together."""
    for day in range(AT_ONCE):
        assert await run(database, count_mail_to, ZOE, NOON + day * DAY)
        await run(database, queue_mail, ZOE, "m", NOON)
    assert not await run(database, count_mail_to, ZOE, NOON + 9 * DAY)
    assert await run(database, count_mail_to, "eve@example.org", NOON + 9 * DAY)


@ensureDeferred
async def test_mails_of_an_account_are_counted_by_themselves(database: Database) -> None:
    """Accounts are not addresses; counts that are over are forgotten."""
    assert [await run(database, count_mail_of, 1, NOON) for _ in range(4)] == [True] * 3 + [False]
    assert await run(database, count_mail_of, 2, NOON)
    assert await run(database, forget_counts, NOON + HOUR - SECOND, 10) == 0
    assert await run(database, forget_counts, NOON + HOUR, 10) == 1
    assert await run(database, forget_counts, NOON + 3 * HOUR, 10) == 1


@ensureDeferred
async def test_a_device_gets_one_grace_for_an_address(database: Database) -> None:
    """For a week, unless the address turns out to be its guest's."""
    for later in (timedelta(), HOUR, KEPT - SECOND):
        assert await run(database, begin_probation, ZOE, PHONE, NOON + later) == NOON
    assert await run(database, begin_probation, ZOE, PHONE, NOON + KEPT) == NOON + KEPT
    await run(database, end_probations, ZOE)
    assert await run(database, begin_probation, ZOE, PHONE, NOON + KEPT + HOUR) == NOON + KEPT + HOUR
    assert await run(database, forget_probations, NOON + KEPT, 10) == 0
    assert await run(database, forget_probations, NOON + KEPT + HOUR, 10) == 1


@ensureDeferred
async def test_a_device_and_an_address_begin_five_times_a_day(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that have begun go on; a device that is not known is not counted, only the source it comes from."""
    for number in range(MOST_IN_A_DAY):
        assert await run(database, begin_probation, f"guest{number}@example.org", PHONE, NOON) == NOON
        assert await run(database, begin_probation, "all@example.org", f"02:00:00:00:00:0{number}", NOON) == NOON
    assert await run(database, begin_probation, ZOE, PHONE, NOON + DAY - SECOND) is None
    assert await run(database, begin_probation, "all@example.org", None, NOON + DAY - SECOND) is None
    assert await run(database, begin_probation, "guest0@example.org", PHONE, NOON + HOUR) == NOON
    assert await run(database, begin_probation, ZOE, PHONE, NOON + DAY) == NOON + DAY
    for number in range(MOST_IN_A_DAY + 1):
        assert await run(database, begin_probation, f"other{number}@example.org", None, NOON) == NOON
    monkeypatch.setattr(probations, "MOST_OF_SOURCE", 2)
    begun = [
        await run(database, begin_probation, f"g{number}@example.org", None, NOON, "192.0.2.1") for number in range(3)
    ]
    assert begun == [NOON, NOON, None]
    assert await run(database, begin_probation, "g0@example.org", None, NOON + HOUR, "192.0.2.1") == NOON
    assert await run(database, begin_probation, "g2@example.org", None, NOON, "192.0.2.2") == NOON
    assert await run(database, begin_probation, "g3@example.org", None, NOON + DAY, "192.0.2.1") == NOON + DAY
