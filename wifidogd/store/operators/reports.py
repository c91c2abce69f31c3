"""What the operator sees of gateways and sessions, and how a session is ended by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wifidogd.domain.gateways import Gateway, Heartbeat
from wifidogd.domain.sessions import Ended, Octets, Reason
from wifidogd.store.accounting.sessions import end_sessions, lock_sessions
from wifidogd.store.driver.database import Cursor

LIST_GATEWAYS = """
    WITH counted AS (
        SELECT gw_id, count(activated_at) AS online
          FROM sessions
         GROUP BY gw_id
    )
    SELECT gateways.gw_id, network, address, port, check_interval, key_hashes, adopted_at, coalesce(online, 0),
           seen_at, source, version, sys_uptime, memory_free, load, wifidog_uptime
      FROM gateways
      LEFT JOIN counted ON counted.gw_id = gateways.gw_id
      LEFT JOIN heartbeats ON heartbeats.gw_id = gateways.gw_id
     ORDER BY gateways.gw_id
     LIMIT %(limit)s
"""

LIST_SESSIONS = """
    SELECT session_id, gw_id, accounts.name, mac, ip, opened_at, activated_at, reported_at, incoming, outgoing,
           expires_at, quota_octets, ending
      FROM sessions
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
    SELECT (SELECT count(*) FROM gateways),
           (SELECT count(*)
              FROM gateways
              LEFT JOIN heartbeats ON heartbeats.gw_id = gateways.gw_id
             WHERE seen_at IS NULL
                OR seen_at < %(now)s - 3 * check_interval),
           (SELECT count(*) FROM waiting_gateways),
           (SELECT count(*) FROM networks),
           count(*) FILTER (WHERE activated_at IS NOT NULL),
           count(*) FILTER (WHERE activated_at IS NULL),
           coalesce(sum(incoming), 0),
           coalesce(sum(outgoing), 0),
           (SELECT count(*) FROM accounts WHERE NOT disabled),
           (SELECT count(*) FROM accounts WHERE disabled),
           (SELECT count(*) FROM mails),
           (SELECT count(*) FROM mails WHERE tries > 0)
      FROM sessions
"""


@dataclass(frozen=True, slots=True)
class GatewayState:
    """
    An adopted gateway and how it does.

    @ivar online: its guests that are online.
    @ivar heartbeat: its last ping; None when it has not called since it was adopted.
    """

    gateway: Gateway
    adopted_at: datetime
    online: int
    heartbeat: Heartbeat | None


@dataclass(frozen=True, slots=True)
class SessionState:
    """
    An open session, for people.

    @ivar account: who signed in; None for splash.
    @ivar mac: None while pending, as are the instants that follow C{opened_at}.
    @ivar expires_at: None for no time limit too.
    @ivar quota_octets: both directions together; None for no limit.
    @ivar ending: why the next report will end it; None normally.
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

    @ivar ending: end at their gateway's next counters report.
    @ivar ended: were pending and have ended at once.
    """

    ending: int
    ended: int


async def list_gateways(cursor: Cursor, limit: int) -> list[GatewayState]:
    """Fetch adopted gateways by C{gw_id}, C{limit} at most."""
    await cursor.execute(LIST_GATEWAYS, {"limit": limit})
    return [_gateway_state(row) for row in cursor.fetchall()]


async def list_sessions(
    cursor: Cursor, *, limit: int, gw_id: str | None = None, account_id: int | None = None, mac: str | None = None
) -> list[SessionState]:
    """
    Fetch open sessions, the newest first, C{limit} at most.

    @param gw_id: only those of this gateway; None for all, as for the others.
    """
    wanted = {"limit": limit, "gw_id": gw_id, "account_id": account_id, "mac": mac}
    await cursor.execute(LIST_SESSIONS, wanted)
    return [_session_state(row) for row in cursor.fetchall()]


async def kick(
    cursor: Cursor,
    now: datetime,
    *,
    session_id: int | None = None,
    mac: str | None = None,
    account_id: int | None = None,
) -> Kicked:
    """
    End the sessions that match any of the marks given, 10,000 at most.

    A guest who is online stays so until the gateway reports next: only then
    are the last octets known, and only its answer closes the gateway.
    """
    found = await _find_sessions(cursor, {"session_id": session_id, "mac": mac, "account_id": account_id})
    sessions = (await lock_sessions(cursor, found)).values()
    pending = [session for session in sessions if session.activated_at is None]
    online = [session.token_hash for session in sessions if session.activated_at is not None]
    end_sessions(cursor, [Ended(session, now, Reason.KICKED) for session in pending])
    await cursor.execute(ASK_TO_END, {"token_hashes": online, "reason": Reason.KICKED.value})
    return Kicked(len(online), len(pending))


async def count_everything(cursor: Cursor, now: datetime) -> Counts:
    """Count what C{wifidogctl status} shows; reads no history."""
    await cursor.execute(COUNT, {"now": now})
    [row] = cursor.fetchall()
    gateways, silent, waiting, networks, online, pending, incoming, outgoing, *rest = map(int, row)
    return Counts(gateways, silent, waiting, networks, online, pending, Octets(incoming, outgoing), *rest)


async def _find_sessions(cursor: Cursor, marks: Mapping[str, object]) -> list[bytes]:
    await cursor.execute(FIND_SESSIONS, marks)
    return [bytes(token_hash) for (token_hash,) in cursor.fetchall()]


def _gateway_state(row: tuple[Any, ...]) -> GatewayState:
    gw_id, network, address, port, interval, key_hashes, adopted_at, online, seen_at, *ping = row
    gateway = Gateway(gw_id, network, address, port, interval, tuple(bytes(key_hash) for key_hash in key_hashes))
    heartbeat = None if seen_at is None else Heartbeat(gw_id, seen_at, *ping)
    return GatewayState(gateway, adopted_at, online, heartbeat)


def _session_state(row: tuple[Any, ...]) -> SessionState:
    session_id, gw_id, account, mac, ip, opened_at, activated_at, reported_at, incoming, outgoing, *limits = row
    expires_at, quota_octets, ending = limits
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
    )
