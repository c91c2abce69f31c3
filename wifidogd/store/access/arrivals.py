"""What is known of a guest who comes to the login page, in one statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wifidogd.domain.guests import EndNotice, RememberedDevice
from wifidogd.domain.sessions import Reason
from wifidogd.store.access.remembered_devices import DEVICES
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

FIND_ONLINE = """
    SELECT 1
      FROM sessions
      LEFT JOIN heartbeats USING (gw_id)
     WHERE gw_id = %(gw_id)s
       AND mac = %(mac)s
       AND (ip = %(ip)s OR ip IS NULL OR %(ip)s::inet IS NULL)
       AND activated_at IS NOT NULL
       AND ending IS NULL
       AND reported_at >= %(reported_since)s
       AND (expires_at IS NULL OR expires_at > %(now)s)
       AND (restarted_at IS NULL OR reported_at >= restarted_at)
"""

_COLUMNS = """is_online,
           notice.gw_id AS notice_gw_id, notice.mac AS notice_mac, notice.reason AS notice_reason,
           notice.ended_at AS notice_ended_at, notice.back_at AS notice_back_at"""
_TABLES = (
    """
      FROM (SELECT EXISTS ("""
    + FIND_ONLINE
    + """) AS is_online) AS guest
      LEFT JOIN farewells AS notice
        ON notice.gw_id = %(gw_id)s
       AND notice.mac = %(mac)s
       AND (notice.ended_at > %(ended_since)s OR notice.back_at > %(now)s)
"""
)

_IS_ELSEWHERE = """,
           (SELECT count(*) = 1 AND bool_and(is_elsewhere)
              FROM (SELECT sessions.gw_id <> %(gw_id)s AND (key_hashes <> '{}' OR trust_macs) AS is_elsewhere
                      FROM sessions
                      JOIN gateways USING (gw_id)
                     WHERE sessions.mac = %(roaming_mac)s
                       AND activated_at IS NOT NULL
                       AND ending IS NULL
                       AND (sessions.expires_at IS NULL OR sessions.expires_at > %(now)s)
                       AND gateways.network = %(network)s
                     LIMIT 2) AS live) AS is_elsewhere"""

_DEVICE_COLUMNS = """,
           is_by_key, device_id, device.mac, account_id, voucher_id, remembered_at, expires_at,
           coalesce(accounts.plan, vouchers.plan) AS plan, vouchers.valid_until,
           coalesce(NOT revoked, NOT disabled AND validated_at IS NOT NULL) AS is_welcome"""
_DEVICE_TABLES = """      LEFT JOIN (
           (SELECT true AS is_by_key, device_id, mac, account_id, voucher_id, remembered_at, expires_at
              FROM devices
             WHERE key_hash = %(key_hash)s
               AND network = %(network)s)
             UNION ALL
           (SELECT false, device_id, mac, account_id, voucher_id, remembered_at, expires_at
              FROM devices
             WHERE network = %(network)s
               AND mac = %(remembered_mac)s
             ORDER BY remembered_at DESC
             LIMIT 1)) AS device
        ON true
      LEFT JOIN accounts USING (account_id)
      LEFT JOIN vouchers USING (voucher_id)
"""

# Planning what a guest does not need, such as devices for one who cannot be remembered, costs PostgreSQL as much again.
FETCH_GUEST = "SELECT " + _COLUMNS + _TABLES
FETCH_ARRIVAL = "SELECT " + _COLUMNS + _DEVICE_COLUMNS + _TABLES + _DEVICE_TABLES
FETCH_ROAMING_GUEST = "SELECT " + _COLUMNS + _IS_ELSEWHERE + _TABLES
FETCH_ROAMING_ARRIVAL = "SELECT " + _COLUMNS + _IS_ELSEWHERE + _DEVICE_COLUMNS + _TABLES + _DEVICE_TABLES


@dataclass(frozen=True, slots=True)
class Arrival:
    """
    A guest at the login page, as far as the database knows them.

    @ivar is_online: True while the device has a live session at the gateway.
    @ivar end_notice: which limit ended its last session, if its guest should still see that.
    @ivar by_key: the remembered device of the cookie, which may have expired; None for none.
    @ivar is_elsewhere: True while the device has one live session in the network, and that at another gateway.
    @ivar by_mac: the one that a gateway last reported with the MAC; likewise.
    """

    is_online: bool
    end_notice: EndNotice | None = None
    by_key: RememberedDevice | None = None
    by_mac: RememberedDevice | None = None
    is_elsewhere: bool = False


async def is_online(
    cursor: Cursor, gw_id: str, mac: str, now: datetime, reported_since: datetime, *, ip: str | None = None
) -> bool:
    """
    Return whether a device has a live session at a gateway.

    @param ip: of the device; a session of its MAC at another address is that of another guest behind the same
        repeater, or over.  None if unknown: any address counts then.
    @param reported_since: a session without a report since then, or since the gateway restarted, is not live.
    """
    values = {"gw_id": gw_id, "mac": mac, "ip": ip, "now": now, "reported_since": reported_since}
    await cursor.execute(FIND_ONLINE, values)
    return cursor.fetchone() is not None


async def fetch_arrival(
    cursor: Cursor,
    gw_id: str,
    network: str,
    *,
    mac: str | None,
    key_hash: bytes | None,
    remembered_mac: str | None,
    now: datetime,
    reported_since: datetime,
    ended_since: datetime,
    ip: str | None = None,
    roaming_mac: str | None = None,
) -> Arrival:
    """
    Fetch what the login page shows of a guest.

    @param mac: of the device; None if unknown.
    @param key_hash: SHA-256 of the secret in the cookie of the device; None for no cookie.
    @param remembered_mac: the MAC, where that is enough to be remembered by; None elsewhere.
    @param reported_since: as L{is_online} takes it.
    @param ended_since: end notices of before are of no interest, unless the guest may not come back yet.
    @param ip: as L{is_online} takes it.
    @param roaming_mac: the MAC, where that is enough to go on from another gateway; None elsewhere.
    """
    values: dict[str, object] = {
        "gw_id": gw_id,
        "network": network,
        "mac": mac,
        "ip": ip,
        "key_hash": key_hash,
        "remembered_mac": remembered_mac,
        "roaming_mac": roaming_mac,
        "now": now,
        "reported_since": reported_since,
        "ended_since": ended_since,
    }
    may_be_remembered = key_hash is not None or remembered_mac is not None
    if roaming_mac is None:
        await cursor.execute(FETCH_ARRIVAL if may_be_remembered else FETCH_GUEST, values)
    else:
        await cursor.execute(FETCH_ROAMING_ARRIVAL if may_be_remembered else FETCH_ROAMING_GUEST, values)
    return _read_arrival(cursor)


def _read_arrival(cursor: Cursor) -> Arrival:
    """Return what the rows say, one for each device that was found; C{FETCH_GUEST} has no columns of devices."""
    rows, columns = cursor.fetchall(), cursor.columns
    online, noticed = map(columns.index, ("is_online", "notice_reason"))
    notice = None if rows[0][noticed] is None else END_NOTICES.over(columns)(rows[0])
    is_elsewhere = "is_elsewhere" in columns and rows[0][columns.index("is_elsewhere")]
    if "is_by_key" not in columns:
        return Arrival(rows[0][online], notice, is_elsewhere=bool(is_elsewhere))
    by_key, device_in = columns.index("is_by_key"), DEVICES.over(columns)
    devices = {row[by_key]: device_in(row) for row in rows if row[by_key] is not None}
    return Arrival(rows[0][online], notice, devices.get(True), devices.get(False), bool(is_elsewhere))


def _end_notice(gw_id: str, mac: str, reason: str, ended_at: datetime, back_at: datetime | None) -> EndNotice:
    return EndNotice(gw_id, mac, Reason(reason), ended_at, back_at)


END_NOTICES = RowReader(_end_notice, prefix="notice_")
