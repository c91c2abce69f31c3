"""Sessions that a gateway's lists of clients leave out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from wifidogd.store.driver.array_literals import of_octets
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

COMPARE_LIST = """
    SELECT sessions.token_hash, listed.token_hash IS NOT NULL AS is_listed,
           listed.token_hash IS NULL
           AND missed_at >= reported_at
           AND missed_at >= coalesce(restarted_at, missed_at)
           AND missed_at <= %(now)s - 0.75 * check_interval AS has_left
      FROM sessions
      JOIN gateways USING (gw_id)
      LEFT JOIN heartbeats USING (gw_id)
      LEFT JOIN unnest(%(token_hashes)s::bytea[]) AS listed (token_hash) ON listed.token_hash = sessions.token_hash
     WHERE sessions.gw_id = %(gw_id)s
       AND activated_at IS NOT NULL
       AND (%(among)s::bytea[] IS NULL OR sessions.token_hash = ANY(%(among)s::bytea[]))
       AND CASE WHEN listed.token_hash IS NOT NULL
                THEN missed_at IS NOT NULL OR listed_from IS DISTINCT FROM %(source)s
                ELSE (%(source)s::text IS NULL OR listed_from = %(source)s)
                     AND (missed_at IS NULL
                          OR missed_at < greatest(reported_at, restarted_at)
                          OR missed_at <= %(now)s - 0.75 * check_interval) END
     ORDER BY sessions.token_hash
     LIMIT %(limit)s
       FOR UPDATE OF sessions SKIP LOCKED
"""

NOTE_LISTED = """
    UPDATE sessions
       SET missed_at = NULL,
           listed_from = %(source)s
     WHERE token_hash = ANY(%(token_hashes)s::bytea[])
"""

NOTE_MISSED = """
    UPDATE sessions
       SET missed_at = %(now)s
     WHERE token_hash = ANY(%(token_hashes)s::bytea[])
"""


class Compared(NamedTuple):
    """
    A session that a list says something new about; locked until the transaction ends.

    @ivar is_listed: whether the list names it.
    @ivar has_left: whether this list and one before it, but no report since, leave it out.
    """

    token_hash: bytes
    is_listed: bool
    has_left: bool


COMPARED = RowReader(Compared)


async def compare_list(
    cursor: Cursor,
    gw_id: str,
    token_hashes: Collection[bytes],
    *,
    source: str | None,
    now: datetime,
    limit: int,
    among: Collection[bytes] | None = None,
) -> list[Compared]:
    """
    Compare the live sessions of a gateway with a complete list of its clients, and lock those that it changes.

    Two lists count as two if three quarters of the gateway's interval are between them.  A restart of the gateway
    makes the first of them void, as a report on the session does.

    @param token_hashes: of all tokens in the list.
    @param source: the address that the list came from, where no key proves whose it is: it may leave out only
        sessions that a list from there named before; None for a gateway that has proved itself.
    @param among: tokens of the sessions to look at; None for all.
    @return: C{limit} at most, without those that another transaction holds: the next list will show the same of them.
    """
    await cursor.execute(
        COMPARE_LIST,
        {
            "gw_id": gw_id,
            "token_hashes": of_octets(token_hashes),
            "among": None if among is None else of_octets(among),
            "source": source,
            "now": now,
            "limit": limit,
        },
    )
    return COMPARED.all(cursor)


def note_listed(cursor: Cursor, token_hashes: Sequence[bytes], source: str | None) -> None:
    """Record that a list names sessions; all must have been locked in this transaction."""
    cursor.send(NOTE_LISTED, {"token_hashes": of_octets(token_hashes), "source": source})


def note_missed(cursor: Cursor, token_hashes: Sequence[bytes], now: datetime) -> None:
    """Record that a list leaves out sessions; all must have been locked in this transaction."""
    cursor.send(NOTE_MISSED, {"token_hashes": of_octets(token_hashes), "now": now})
