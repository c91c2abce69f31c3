"""Counters of tries by what they are limited by; all servers on one database share them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from wifidogd.store.driver.database import Cursor

TRIES_WINDOW = timedelta(minutes=15)
"""How long tries count, from the first of them on."""

COUNT_TRIES = """
    WITH asked AS (
        SELECT place, given.kind, given.gw_id, given.mac, given.source, given.account_id, given.name,
               CASE WHEN is_shared THEN now_permitted END AS permitted,
               spared IS NOT NULL AND EXISTS (SELECT
                                                FROM guest_sources
                                               WHERE guest_sources.gw_id = given.gw_id
                                                 AND guest_sources.source = spared) AS is_spared,
               bool_or(is_used_up)
                   OVER (ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS is_shielded,
               bool_or(is_used_up)
                   OVER (PARTITION BY given.kind ORDER BY place
                         ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS is_within
          FROM unnest(%(kinds)s::text[], %(gw_ids)s::text[], %(macs)s::macaddr[], %(sources)s::text[],
                      %(account_ids)s::bigint[], %(names)s::text[], %(most)s::integer[], %(shared)s::boolean[],
                      %(spared)s::text[])
               WITH ORDINALITY AS given (kind, gw_id, mac, source, account_id, name, most, is_shared, spared, place)
          LEFT JOIN attempts
            ON attempts.kind = given.kind
           AND coalesce(attempts.gw_id, '') = coalesce(given.gw_id, '')
           AND coalesce(attempts.mac, '00:00:00:00:00:00') = coalesce(given.mac, '00:00:00:00:00:00')
           AND coalesce(attempts.source, '') = coalesce(given.source, '')
           AND coalesce(attempts.account_id, 0) = coalesce(given.account_id, 0)
           AND coalesce(attempts.name, '') = coalesce(given.name, '')
         CROSS JOIN LATERAL (SELECT coalesce(started_at > %(window_start)s, false)) AS age (is_current)
         CROSS JOIN LATERAL (
               SELECT CASE WHEN is_shared AND is_current
                           THEN most + floor(most * extract(epoch FROM %(now)s - started_at)
                                                  / extract(epoch FROM %(window)s))::integer
                           ELSE most END) AS budget (now_permitted)
         CROSS JOIN LATERAL (
               SELECT is_current AND least(tries, attempts.permitted) >= now_permitted) AS state (is_used_up)
    )
    INSERT INTO attempts AS known (kind, gw_id, mac, source, account_id, name, tries, permitted, started_at)
    SELECT kind, gw_id, mac, source, account_id, name, 1, permitted, %(now)s
      FROM asked
     WHERE is_shielded IS NOT TRUE
       AND is_within IS NOT TRUE
       AND NOT is_spared
     ORDER BY place
        ON CONFLICT (kind, coalesce(gw_id, ''), coalesce(mac, '00:00:00:00:00:00'), coalesce(source, ''),
                     coalesce(account_id, 0), coalesce(name, '')) DO UPDATE
       SET tries = CASE WHEN known.started_at <= %(window_start)s THEN 1
                        ELSE least(known.tries, known.permitted) + 1 END,
           permitted = excluded.permitted,
           started_at = CASE WHEN known.started_at <= %(window_start)s THEN excluded.started_at
                             ELSE known.started_at END
 RETURNING attempt_id, kind, tries, started_at, source, permitted
"""
"""
Of what many share, C{permitted} tries grow with the window, and a try beyond them takes no place.

So whoever goes on trying does not keep the next place from becoming free.  Nor is a block of addresses counted within
a wider one that has had all its tries, so that a party leaves no more rows than it has tries.
"""

FORGIVE_TRIES = """
    UPDATE attempts
       SET tries = greatest(tries - 1, 0)
     WHERE attempt_id IN (
           SELECT attempt_id
             FROM attempts
             JOIN unnest(%(attempt_ids)s::bigint[]) WITH ORDINALITY AS given (attempt_id, place) USING (attempt_id)
            ORDER BY place
              FOR UPDATE OF attempts)
"""

FORGET_TRIES = """
    DELETE FROM attempts
     WHERE attempt_id IN (
           SELECT attempt_id
             FROM attempts
            WHERE started_at < %(before)s
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED)
"""

FORGET_TRIES_OF_DEVICES = """
    DELETE FROM attempts
     WHERE attempt_id IN (
           SELECT attempt_id
             FROM attempts
             JOIN unnest(%(gw_ids)s::text[], %(macs)s::macaddr[]) AS place (gw_id, mac)
               ON attempts.gw_id = place.gw_id AND attempts.mac = place.mac
            ORDER BY attempt_id
              FOR UPDATE OF attempts)
"""


class SubjectKind(Enum):
    """Which limit tries count against; the values are those of C{attempts.kind}."""

    PASSWORDS_OF_ACCOUNT = "passwords of account"
    PASSWORDS_FROM_SOURCE = "passwords from source"
    DEVICE = "device"
    CODES_AT_GATEWAY = "codes at gateway"
    CODES_FROM_SOURCE = "codes from source"
    SIGN_UPS_ON_DEVICE = "sign-ups on device"
    SIGN_UPS_AT_GATEWAY = "sign-ups at gateway"
    SIGN_UPS_FROM_SOURCE = "sign-ups from source"
    MAILS_FROM_SOURCE = "mails from source"

    @property
    def is_shared(self) -> bool:
        """
        Whether strangers may share what is limited: such a limit slows down, where others close.

        That of mails closes, as it is there for those who get them.
        """
        return self.value.endswith((" source", " gateway")) and self is not SubjectKind.MAILS_FROM_SOURCE


@dataclass(frozen=True, slots=True)
class Subject:
    """
    What tries are counted by; which of the fields are set depends on the kind.

    @ivar source: a block of addresses, as L{wifidogd.domain.addresses.blocks_of} returns them.
    @ivar spared: a source whose tries do not count if guests have signed in from there at this gateway lately; None
        for none.
    @ivar name: what a guest typed: a name without an account.
    """

    kind: SubjectKind
    gw_id: str | None = None
    mac: str | None = None
    source: str | None = None
    account_id: int | None = None
    name: str | None = None
    spared: str | None = None


@dataclass(frozen=True, slots=True)
class Tries:
    """
    Tries of one subject in its window.

    @ivar attempt_id: of the counter, to forgive a try.
    @ivar count: this one included.
    @ivar started_at: when the window opened.
    @ivar source: where they are from, if they are counted by that.
    @ivar permitted: how many there may be by now; None for as many as the limit says.
    """

    attempt_id: int
    kind: SubjectKind
    count: int
    started_at: datetime
    source: str | None = None
    permitted: int | None = None


async def count_tries(cursor: Cursor, limits: Sequence[tuple[Subject, int]], now: datetime) -> list[Tries]:
    """
    Count a try before it is made, so that many at once cannot slip through.

    @param limits: subjects, and how many tries each may have in a window; one that is shared may have as many again,
        spread over the window.  Of each kind and source one at most.  A subject whose predecessor in this order has
        had all its tries is not counted: nobody uses up what others share after that.
    @return: tries of each subject that was counted, in the same order.
    @raise StoreRefused: if a text is too long, or a gateway or account is gone.
    """
    subjects = [subject for subject, _ in limits]
    await cursor.execute(
        COUNT_TRIES,
        {
            "kinds": [subject.kind.value for subject in subjects],
            "gw_ids": [subject.gw_id for subject in subjects],
            "macs": [subject.mac for subject in subjects],
            "sources": [subject.source for subject in subjects],
            "account_ids": [subject.account_id for subject in subjects],
            "names": [subject.name for subject in subjects],
            "most": [most for _, most in limits],
            "shared": [subject.kind.is_shared for subject in subjects],
            "spared": [subject.spared for subject in subjects],
            "now": now,
            "window": TRIES_WINDOW,
            "window_start": now - TRIES_WINDOW,
        },
    )
    return [Tries(attempt_id, SubjectKind(kind), *rest) for attempt_id, kind, *rest in cursor.fetchall()]


def forgive_tries(cursor: Cursor, attempt_ids: Sequence[int]) -> None:
    """Send that a try turned out right; counters that are gone by now have nothing to forgive."""
    cursor.send(FORGIVE_TRIES, {"attempt_ids": list(attempt_ids)})


async def forget_tries(cursor: Cursor, before: datetime, limit: int) -> int:
    """
    Delete counters whose window opened before C{before}.

    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_TRIES, {"before": before, "limit": limit})
    return cursor.rowcount


async def forget_tries_of_devices(cursor: Cursor, devices: Collection[tuple[str, str]]) -> None:
    """
    Delete all counters of devices at gateways.

    @param devices: pairs of gw_id and mac.
    """
    values = {"gw_ids": [gw_id for gw_id, _ in devices], "macs": [mac for _, mac in devices]}
    await cursor.execute(FORGET_TRIES_OF_DEVICES, values)
