"""Sign-ups whose guests have yet to show that the address is theirs, and since when they have been in on trust."""

from __future__ import annotations

from datetime import datetime, timedelta

from wifidogd.domain.tokens import hash_secret
from wifidogd.store.driver.database import Cursor

KEPT = timedelta(days=7)
"""How long a device gets no second grace for an address."""

DAY = timedelta(days=1)

MOST_IN_A_DAY = 5
"""Addresses that a device may begin with in a day, and devices that may begin with an address; a family shares one."""

MOST_OF_SOURCE = 1_000
"""Those that a source may begin in a day, whatever devices it names, as many as a conference has guests."""

BEGIN_PROBATION = """
    INSERT INTO probations AS known (address_hash, device_hash, source_hash, began_at)
    SELECT %(address_hash)s, %(device_hash)s, %(source_hash)s, %(now)s
     WHERE EXISTS (SELECT 1
                     FROM probations
                    WHERE address_hash = %(address_hash)s
                      AND device_hash = %(device_hash)s
                      AND began_at > %(kept_since)s)
        OR (SELECT count(*)
              FROM probations
             WHERE address_hash = %(address_hash)s
               AND began_at > %(day_ago)s) < %(most)s
       AND (NOT %(has_device)s
            OR (SELECT count(*)
                  FROM probations
                 WHERE device_hash = %(device_hash)s
                   AND began_at > %(day_ago)s) < %(most)s)
       AND (SELECT count(*)
              FROM probations
             WHERE source_hash = %(source_hash)s
               AND began_at > %(day_ago)s) < %(most_of_source)s
        ON CONFLICT (address_hash, device_hash) DO UPDATE
       SET began_at = CASE WHEN known.began_at > %(kept_since)s THEN known.began_at ELSE excluded.began_at END
 RETURNING began_at
"""

END_PROBATIONS = """
    DELETE FROM probations
     WHERE address_hash = %(address_hash)s
"""

FORGET_PROBATIONS = """
    DELETE FROM probations
     WHERE (address_hash, device_hash) IN (
           SELECT address_hash, device_hash
             FROM probations
            WHERE began_at <= %(before)s
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED)
"""


async def begin_probation(
    cursor: Cursor, email: str, mac: str | None, now: datetime, source: str | None = None
) -> datetime | None:
    """
    Record that somebody on a device signs up with an address that nobody has shown to be theirs.

    @param mac: of the device, as a URL claims; None when it names none, which counts for no device.
    @param source: as L{wifidogd.domain.addresses.delegation_of} returns it; None when unknown.
    @return: when the grace of this device for this address began; None if L{MOST_IN_A_DAY} have begun already, or
        L{MOST_OF_SOURCE}.
    """
    await cursor.execute(
        BEGIN_PROBATION,
        {
            "address_hash": hash_secret(email),
            "device_hash": hash_secret(mac or ""),
            "has_device": mac is not None,
            "source_hash": None if source is None else hash_secret(source),
            "most_of_source": MOST_OF_SOURCE,
            "now": now,
            "day_ago": now - DAY,
            "kept_since": now - KEPT,
            "most": MOST_IN_A_DAY,
        },
    )
    row = cursor.fetchone()
    return None if row is None else row[0]


async def end_probations(cursor: Cursor, email: str) -> None:
    """Forget the sign-ups with an address that has turned out to be its guest's: they count no longer."""
    await cursor.execute(END_PROBATIONS, {"address_hash": hash_secret(email)})


async def forget_probations(cursor: Cursor, before: datetime, limit: int) -> int:
    """
    Delete sign-ups that began by C{before}.

    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_PROBATIONS, {"before": before, "limit": limit})
    return cursor.rowcount
