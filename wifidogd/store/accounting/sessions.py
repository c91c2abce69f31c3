"""Open sessions, as the ledger reads, writes and ends them: whole batches, one statement each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from wifidogd.domain.sessions import Ended, Octets, Place, Reason, Session
from wifidogd.store.accounting.allowances import add_use
from wifidogd.store.driver.array_literals import of_addresses, of_counts, of_counts_or_null, of_instants, of_octets
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

LOCK_BY_TOKEN = """
    SELECT token_hash, gw_id, mac, ip, opened_at, activated_at, reported_at, incoming, outgoing,
           last_incoming, last_outgoing, time_limit, quota_octets, expires_at, ending, allowance_id, claimed_mac,
           probation_until, left_ip, doubtful_incoming, doubtful_outgoing, roamed_from
      FROM sessions
     WHERE token_hash = ANY(%(token_hashes)s::bytea[])
     ORDER BY token_hash
       FOR UPDATE
"""

LOCK_BY_TOKEN_AT_ONCE = f"{LOCK_BY_TOKEN.rstrip()} NOWAIT"

LOCK_ONLINE = """
    SELECT token_hash, sessions.gw_id, sessions.mac, sessions.ip, opened_at, activated_at, reported_at, incoming,
           outgoing,
           CASE WHEN has_restarted THEN 0 ELSE last_incoming END AS last_incoming,
           CASE WHEN has_restarted THEN 0 ELSE last_outgoing END AS last_outgoing,
           time_limit, quota_octets, expires_at, ending, allowance_id, claimed_mac, probation_until, left_ip,
           doubtful_incoming, doubtful_outgoing
      FROM sessions
      JOIN unnest(%(gw_ids)s::text[], %(macs)s::macaddr[], %(ips)s::inet[]) AS place (gw_id, mac, ip)
        ON sessions.gw_id = place.gw_id
       AND sessions.mac = place.mac
       AND coalesce(sessions.ip, '0.0.0.0'::inet) = coalesce(place.ip, '0.0.0.0'::inet)
     CROSS JOIN LATERAL (SELECT coalesce((SELECT restarted_at > reported_at
                                            FROM heartbeats
                                           WHERE heartbeats.gw_id = sessions.gw_id), false)) AS known (has_restarted)
     WHERE activated_at IS NOT NULL
     ORDER BY token_hash
       FOR UPDATE OF sessions
"""

LOCK_ONLINE_AT_ONCE = f"{LOCK_ONLINE.rstrip()} NOWAIT"

SAVE = """
    UPDATE sessions
       SET mac = said.mac, ip = said.ip, activated_at = said.activated_at, reported_at = said.reported_at,
           incoming = said.incoming, outgoing = said.outgoing,
           last_incoming = said.last_incoming, last_outgoing = said.last_outgoing, expires_at = said.expires_at,
           left_ip = said.left_ip,
           doubtful_incoming = said.doubtful_incoming, doubtful_outgoing = said.doubtful_outgoing
      FROM unnest(%(token_hashes)s::bytea[], %(macs)s::macaddr[], %(ips)s::inet[], %(activated)s::timestamptz[],
                  %(reported)s::timestamptz[], %(incoming)s::bigint[], %(outgoing)s::bigint[],
                  %(last_incoming)s::bigint[], %(last_outgoing)s::bigint[], %(expires)s::timestamptz[],
                  %(left)s::inet[], %(doubtful_incoming)s::bigint[], %(doubtful_outgoing)s::bigint[])
        AS said (token_hash, mac, ip, activated_at, reported_at, incoming, outgoing, last_incoming, last_outgoing,
                 expires_at, left_ip, doubtful_incoming, doubtful_outgoing)
     WHERE sessions.token_hash = said.token_hash
"""

END = """
    WITH ended AS (
        DELETE FROM sessions
         USING unnest(%(token_hashes)s::bytea[], %(macs)s::macaddr[], %(ips)s::inet[], %(activated)s::timestamptz[],
                      %(incoming)s::bigint[], %(outgoing)s::bigint[], %(ended)s::timestamptz[], %(reasons)s::text[])
            AS said (token_hash, mac, ip, activated_at, incoming, outgoing, ended_at, reason)
         WHERE sessions.token_hash = said.token_hash
     RETURNING session_id, gw_id, account_id, opened_at, said.activated_at, said.ended_at, said.reason,
               said.incoming, said.outgoing, terms_version, browser_hash,
               CASE WHEN ending IS DISTINCT FROM 'erased by the guest' THEN said.mac END AS mac,
               CASE WHEN ending IS DISTINCT FROM 'erased by the guest' THEN said.ip END AS ip,
               CASE WHEN ending IS DISTINCT FROM 'erased by the guest' THEN allowance_id END AS allowance_id
    ), told AS (
        INSERT INTO ended_sessions (browser_hash, gw_id, reason, ended_at)
        SELECT browser_hash, gw_id, reason, ended_at
          FROM ended
         WHERE browser_hash IS NOT NULL
    )
    INSERT INTO past_sessions (session_id, network, gw_id, account_id, mac, ip, opened_at, activated_at, ended_at,
                               reason, incoming, outgoing, allowance_id, terms_version)
    SELECT session_id, (SELECT network FROM gateways WHERE gateways.gw_id = ended.gw_id), gw_id, account_id,
           mac, ip, opened_at, activated_at, ended_at, reason, incoming, outgoing, allowance_id, terms_version
      FROM ended
"""


async def lock_sessions(cursor: Cursor, token_hashes: Sequence[bytes], *, waits: bool = True) -> dict[bytes, Session]:
    """
    Return open sessions, and lock them until the transaction ends.

    Rows are locked in key order, so two batches that share sessions take
    turns instead of deadlocking.

    @param waits: whether to wait for whoever holds one of them.
    @return: by token hash; a token that names no open session is absent.
    @raise StoreLocked: if somebody holds one, and C{waits} is false.
    """
    await cursor.execute(LOCK_BY_TOKEN if waits else LOCK_BY_TOKEN_AT_ONCE, {"token_hashes": of_octets(token_hashes)})
    return {session.token_hash: session for session in SESSIONS.all(cursor)}


async def lock_online(cursor: Cursor, places: Collection[Place], *, waits: bool = True) -> list[Session]:
    """
    Return the live session in each place, and lock it until the transaction ends.

    @param waits: as for L{lock_sessions}.
    @return: at most one for each; a unique index sees to that.  The gateway's last totals are 0 if its
        pings show that it has restarted since.
    @raise StoreLocked: as L{lock_sessions}.
    """
    columns = {
        "gw_ids": [place.gw_id for place in places],
        "macs": [place.mac for place in places],
        "ips": [place.ip for place in places],
    }
    await cursor.execute(LOCK_ONLINE if waits else LOCK_ONLINE_AT_ONCE, columns)
    return SESSIONS.all(cursor)


def save_sessions(cursor: Cursor, sessions: Sequence[Session]) -> None:
    """Save sessions that continue; all must have been locked in this transaction."""
    doubtful = [session.doubtful for session in sessions]
    cursor.send(
        SAVE,
        {
            "token_hashes": of_octets([session.token_hash for session in sessions]),
            "macs": of_addresses([session.mac for session in sessions]),
            "ips": of_addresses([session.ip for session in sessions]),
            "activated": of_instants([session.activated_at for session in sessions]),
            "reported": of_instants([session.reported_at for session in sessions]),
            "incoming": of_counts([session.used.incoming for session in sessions]),
            "outgoing": of_counts([session.used.outgoing for session in sessions]),
            "last_incoming": of_counts([session.last.incoming for session in sessions]),
            "last_outgoing": of_counts([session.last.outgoing for session in sessions]),
            "expires": of_instants([session.expires_at for session in sessions]),
            "left": of_addresses([session.left_ip for session in sessions]),
            "doubtful_incoming": of_counts_or_null([None if each is None else each.incoming for each in doubtful]),
            "doubtful_outgoing": of_counts_or_null([None if each is None else each.outgoing for each in doubtful]),
        },
    )


def end_sessions(cursor: Cursor, endings: Sequence[Ended]) -> None:
    """
    Move sessions to the history, and what they have used to their allowances; keep why for their browsers.

    All must have been locked in this transaction; of allowances only those of
    locked sessions.
    """
    cursor.send(
        END,
        {
            "token_hashes": [ended.session.token_hash for ended in endings],
            "macs": [ended.session.mac for ended in endings],
            "ips": [ended.session.ip for ended in endings],
            "activated": [ended.session.activated_at for ended in endings],
            "incoming": [ended.session.used.incoming for ended in endings],
            "outgoing": [ended.session.used.outgoing for ended in endings],
            "ended": [ended.at for ended in endings],
            "reasons": [ended.reason.value for ended in endings],
        },
    )
    add_use(cursor, endings)


def session_of(
    token_hash: bytes,
    gw_id: str,
    opened_at: datetime,
    mac: str | None,
    activated_at: datetime | None,
    reported_at: datetime | None,
    incoming: int,
    outgoing: int,
    ip: str | None = None,
    last_incoming: int = 0,
    last_outgoing: int = 0,
    time_limit: timedelta | None = None,
    quota_octets: int | None = None,
    expires_at: datetime | None = None,
    ending: str | None = None,
    allowance_id: int | None = None,
    claimed_mac: str | None = None,
    probation_until: datetime | None = None,
    left_ip: str | None = None,
    doubtful_incoming: int | None = None,
    doubtful_outgoing: int | None = None,
    roamed_from: bytes | None = None,
) -> Session:
    """Return the session that a row of the table stands for; usage asks for the first columns alone."""
    return Session(
        token_hash,
        gw_id,
        opened_at,
        mac,
        ip,
        activated_at,
        reported_at,
        Octets(incoming, outgoing),
        Octets(last_incoming, last_outgoing),
        time_limit,
        quota_octets,
        expires_at,
        None if ending is None else Reason(ending),
        allowance_id,
        claimed_mac,
        probation_until,
        left_ip,
        None
        if doubtful_incoming is None or doubtful_outgoing is None
        else Octets(doubtful_incoming, doubtful_outgoing),
        roamed_from,
    )


SESSIONS = RowReader(session_of)
