"""The server processes that take reports, and the time over which each could settle them."""

from __future__ import annotations

from datetime import datetime, timedelta

from wifidogd.store.driver.database import Cursor

LOST_AFTER = timedelta(hours=1)
"""How long the other servers wait for one that records nothing any more before they judge without it."""

SAY = """
    INSERT INTO servers (name, heard_since, said_at)
    VALUES (%(name)s, %(heard_since)s, %(now)s)
        ON CONFLICT (name) DO UPDATE
       SET heard_since = excluded.heard_since, said_at = excluded.said_at
"""

ASK = """
    SELECT max(heard_since), min(said_at)
      FROM servers
     WHERE name <> %(name)s
       AND said_at > %(forgotten_before)s
"""

LEAVE = "DELETE FROM servers WHERE name = %(name)s"

FORGET = "DELETE FROM servers WHERE said_at <= %(before)s"


async def say_heard(cursor: Cursor, name: str, heard_since: datetime, now: datetime) -> None:
    """Record that a server could settle all reports from C{heard_since} until C{now}."""
    await cursor.execute(SAY, {"name": name, "heard_since": heard_since, "now": now})


async def ask_others(cursor: Cursor, name: str, forgotten_before: datetime) -> tuple[datetime | None, datetime | None]:
    """
    Return the time over which all other servers could settle what they heard.

    @param name: of the server that asks.
    @param forgotten_before: a server that has recorded nothing since then does not count.
    @return: from when until when, and the first may be after the second; None twice if there is no other.
    """
    await cursor.execute(ASK, {"name": name, "forgotten_before": forgotten_before})
    ((since, until),) = cursor.fetchall()
    return since, until


async def leave(cursor: Cursor, name: str) -> None:
    """Delete a server that has stopped."""
    await cursor.execute(LEAVE, {"name": name})


async def forget_servers(cursor: Cursor, before: datetime) -> None:
    """Delete servers that have recorded nothing since then."""
    await cursor.execute(FORGET, {"before": before})
