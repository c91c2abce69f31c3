"""Open sessions as operators see them, how operators end them, and the whole installation in a few numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from wifidogd.domain.sessions import Dialect, Ended, Octets, Reason
from wifidogd.store.accounting.sessions import end_sessions, lock_sessions
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

LIST_SESSIONS = """
    SELECT session_id, gw_id, accounts.name AS account, mac, ip, opened_at, activated_at, reported_at, incoming,
           outgoing, expires_at, quota_octets, ending, dialect
      FROM sessions
      JOIN gateways USING (gw_id)
      LEFT JOIN accounts USING (account_id)
     WHERE (%(gw_id)s::text IS NULL OR gw_id = %(gw_id)s)
       AND (%(account_id)s::bigint IS NULL OR account_id = %(account_id)s)
       AND (%(mac)s::macaddr IS NULL OR mac = %(mac)s::macaddr)
     ORDER BY session_id DESC
     LIMIT %(limit)s
"""

FIND_SESSIONS = """
    SELECT token_hash
      FROM sessions
     WHERE session_id = %(session_id)s
        OR mac = %(mac)s::macaddr
        OR account_id = %(account_id)s
     LIMIT 10000
"""

ASK_TO_END = """
    UPDATE sessions
       SET ending = %(reason)s
     WHERE token_hash = ANY(%(token_hashes)s::bytea[])
       AND ending IS NULL
"""

COUNT = """
    SELECT (SELECT count(*) FROM gateways) AS gateways,
           (SELECT count(*)
              FROM gateways
              LEFT JOIN heartbeats ON heartbeats.gw_id = gateways.gw_id
             WHERE seen_at IS NULL
                OR seen_at < %(now)s - 3 * check_interval) AS silent,
           (SELECT count(*) FROM waiting_gateways) AS waiting,
           (SELECT count(*) FROM networks) AS networks,
           count(*) FILTER (WHERE activated_at IS NOT NULL) AS online,
           count(*) FILTER (WHERE activated_at IS NULL) AS pending,
           coalesce(sum(incoming), 0) AS incoming,
           coalesce(sum(outgoing), 0) AS outgoing,
           (SELECT count(*) FROM accounts WHERE NOT disabled) AS accounts,
           (SELECT count(*) FROM accounts WHERE disabled) AS disabled,
           (SELECT count(*) FROM mails) AS mails,
           (SELECT count(*) FROM mails WHERE tries > 0) AS late_mails
      FROM sessions
"""


@dataclass(frozen=True, slots=True)
class SessionState:
    """
    An open session, for people.

    @ivar account: who signed in; None for splash.
    @ivar mac: None while pending, as are the instants that follow C{opened_at}.
    @ivar expires_at: None for no time limit too.
    @ivar quota_octets: both directions together; None for no limit.
    @ivar ending: why the next report will end it; None normally.
    @ivar dialect: of its gateway; None before that has reported anybody.
    """

    session_id: int
    gw_id: str
    account: str | None
    mac: str | None
    ip: str | None
    opened_at: datetime
    activated_at: datetime | None
    reported_at: datetime | None
    used: Octets
    expires_at: datetime | None
    quota_octets: int | None
    ending: Reason | None
    dialect: Dialect | None


@dataclass(frozen=True, slots=True)
class Counts:
    """
    The whole installation in a few numbers.

    @ivar gateways: adopted ones.
    @ivar silent: how many of them have missed three pings or never called.
    @ivar waiting: gateways that wait to be adopted.
    @ivar online: sessions of guests who are online.
    @ivar pending: tokens that no gateway has asked about yet.
    @ivar used: octets of all open sessions, since each began.
    @ivar accounts: those that may sign in.
    @ivar disabled: those that may not.
    @ivar mails: waiting to be sent.
    @ivar late_mails: those of them that the mail server has not taken so far.
    """

    gateways: int
    silent: int
    waiting: int
    networks: int
    online: int
    pending: int
    used: Octets
    accounts: int
    disabled: int
    mails: int
    late_mails: int


@dataclass(frozen=True, slots=True)
class Kicked:
    """
    What became of sessions that the operator wants to end.

    @ivar ending: how many are to end, and have not yet, by gw_id.
    @ivar ended: were pending and have ended at once.
    """

    ending: Mapping[str, int]
    ended: int


async def list_sessions(
    cursor: Cursor, *, limit: int, gw_id: str | None = None, account_id: int | None = None, mac: str | None = None
) -> list[SessionState]:
    """
    Fetch open sessions, the newest first, C{limit} at most.

    @param gw_id: only those of this gateway; None for all, as for the others.
    """
    wanted = {"limit": limit, "gw_id": gw_id, "account_id": account_id, "mac": mac}
    await cursor.execute(LIST_SESSIONS, wanted)
    return SESSION_STATES.all(cursor)


async def kick(
    cursor: Cursor,
    now: datetime,
    *,
    session_id: int | None = None,
    mac: str | None = None,
    account_id: int | None = None,
) -> Kicked:
    """
    End the sessions that match any of the criteria given, 10,000 at most.

    A guest who is online stays online until the gateway's next report: only then
    are the last octets known, and only the answer to it ends the guest's access.
    """
    found = await _find_sessions(cursor, {"session_id": session_id, "mac": mac, "account_id": account_id})
    sessions = (await lock_sessions(cursor, found)).values()
    pending = [session for session in sessions if session.activated_at is None]
    online = [session for session in sessions if session.activated_at is not None]
    end_sessions(cursor, [Ended(session, now, Reason.KICKED) for session in pending])
    await cursor.execute(
        ASK_TO_END, {"token_hashes": [session.token_hash for session in online], "reason": Reason.KICKED.value}
    )
    return Kicked(Counter(session.gw_id for session in online), len(pending))


async def count_everything(cursor: Cursor, now: datetime) -> Counts:
    """Count what C{wifidogctl status} shows; reads no history."""
    await cursor.execute(COUNT, {"now": now})
    [counts] = COUNTS.all(cursor)
    return counts


async def _find_sessions(cursor: Cursor, marks: Mapping[str, object]) -> list[bytes]:
    await cursor.execute(FIND_SESSIONS, marks)
    return [token_hash for (token_hash,) in cursor.fetchall()]


def _session_state(
    session_id: int,
    gw_id: str,
    account: str | None,
    mac: str | None,
    ip: str | None,
    opened_at: datetime,
    activated_at: datetime | None,
    reported_at: datetime | None,
    incoming: int,
    outgoing: int,
    expires_at: datetime | None,
    quota_octets: int | None,
    ending: str | None,
    dialect: str | None,
) -> SessionState:
    return SessionState(
        session_id,
        gw_id,
        account,
        mac,
        ip,
        opened_at,
        activated_at,
        reported_at,
        Octets(incoming, outgoing),
        expires_at,
        quota_octets,
        None if ending is None else Reason(ending),
        None if dialect is None else Dialect(dialect),
    )


def _counts(
    gateways: int,
    silent: int,
    waiting: int,
    networks: int,
    online: int,
    pending: int,
    incoming: int,
    outgoing: int,
    accounts: int,
    disabled: int,
    mails: int,
    late_mails: int,
) -> Counts:
    used = Octets(int(incoming), int(outgoing))
    return Counts(gateways, silent, waiting, networks, online, pending, used, accounts, disabled, mails, late_mails)


SESSION_STATES = RowReader(_session_state)
COUNTS = RowReader(_counts)
