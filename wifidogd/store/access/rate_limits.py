"""Tries to sign in, counted to limit guessing; shared by all servers on one database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from wifidogd.domain.addresses import neighbourhood
from wifidogd.store.driver.database import Cursor

COUNT_TRY = """
    INSERT INTO attempts AS known (subject, tries, started_at)
    SELECT subject, 1, %(now)s
      FROM unnest(%(subjects)s::text[]) AS subject
     ORDER BY subject
        ON CONFLICT (subject) DO UPDATE
       SET tries = CASE WHEN known.started_at <= %(window_start)s THEN 1 ELSE known.tries + 1 END,
           started_at = CASE WHEN known.started_at <= %(window_start)s THEN excluded.started_at
                             ELSE known.started_at END
 RETURNING tries, started_at
"""

FORGIVE_TRY = """
    UPDATE attempts
       SET tries = greatest(tries - 1, 0)
     WHERE subject IN (
           SELECT subject
             FROM attempts
            WHERE subject = ANY(%(subjects)s::text[])
            ORDER BY subject
              FOR UPDATE)
"""

FORGET_TRIES = """
    DELETE FROM attempts
     WHERE subject IN (
           SELECT subject
             FROM attempts
            WHERE started_at < %(before)s
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED)
"""


def of_account(name: str) -> str:
    """Say what tries at an account are counted by."""
    return f"account {name}"


def of_device(gw_id: str, mac: str) -> str:
    """Say what tries of a device at a gateway are counted by."""
    return f"device {gw_id} {mac}"


def of_sign_ups(gw_id: str, mac: str) -> str:
    """Say what accounts made on a device at a gateway are counted by."""
    return f"sign-up device {gw_id} {mac}"


def of_source(address: str) -> str:
    """Say what wrong passwords from an address are counted by."""
    return f"passwords from {neighbourhood(address)}"


async def count_try(
    cursor: Cursor, subjects: Sequence[str], now: datetime, window_start: datetime
) -> list[tuple[int, datetime]]:
    """
    Count a try before it is made, so that many at once cannot slip through.

    @param subjects: what the try counts against, each at most 200 characters.
    @param window_start: windows opened at or before it are over.
    @return: tries so far, this one included, and the opening of the window, of each subject.
    """
    await cursor.execute(COUNT_TRY, {"subjects": list(subjects), "now": now, "window_start": window_start})
    return [(tries, started_at) for tries, started_at in cursor.fetchall()]


async def forgive_try(cursor: Cursor, subjects: Sequence[str]) -> None:
    """Take back a try that turned out right."""
    await cursor.execute(FORGIVE_TRY, {"subjects": list(subjects)})


async def forget_tries(cursor: Cursor, before: datetime, limit: int) -> int:
    """
    Forget windows opened before C{before}.

    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_TRIES, {"before": before, "limit": limit})
    return cursor.rowcount
