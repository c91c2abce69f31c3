"""wifidogctl session: open sessions of guests, online or pending."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime

from wifidogd.access.device_admission import DeviceAdmission, NotAdmitted
from wifidogd.access.open_session import Refused
from wifidogd.ctl.cli.arguments import (
    JSON,
    add_nouns,
    device_address,
    gateway_id,
    mac_address,
    positive,
    show_duration,
    show_octets,
)
from wifidogd.ctl.cli.command import Command, CommandFailed
from wifidogd.ctl.cli.output import complain, count, instant, print_json, print_table
from wifidogd.ctl.nouns.account import account_name
from wifidogd.domain.reports.capabilities import capabilities_of, effect_of_ending
from wifidogd.gateways.command_relay import CommandRelay
from wifidogd.gateways.registry import Registry
from wifidogd.gateways.router_commands import ConnectedRouters
from wifidogd.store.accounts.accounts import fetch_account
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.gateways import fetch_gateways
from wifidogd.store.gateways.router_connections import fetch_connected
from wifidogd.store.operators.reports import Kicked, SessionState, kick, list_sessions

NOT_REPORTED = "not reported"
"""The state of a guest whose router tells nothing of them."""


_ADVICE = {
    NotAdmitted.UNKNOWN_GATEWAY: "`wifidogctl gateway list` shows those there are.",
    NotAdmitted.NO_KEY: "Make one: `wifidogctl gateway config {gw_id} --new-key`.",
    NotAdmitted.RARE_REPORTS: "Set its CheckInterval to 60, there and with `wifidogctl gateway adopt {gw_id} "
    "--interval 60`.",
    NotAdmitted.NOT_CONNECTED: "Only apfree-wifidog has one: `wifidogctl gateway config {gw_id} --for apfree` shows "
    "how.  Other routers let a device in by its TrustedMACList.",
    NotAdmitted.NOT_CONFIRMED: "It may know the device already, or be gone: `wifidogctl gateway show {gw_id}`.",
}


def add_parser(nouns: Callable[..., ArgumentParser]) -> None:
    """Add the noun and its verbs."""
    verbs = add_nouns(nouns("session", help="open sessions of guests"))
    listing = verbs("list", parents=[JSON], help="list open sessions, the newest first")
    listing.add_argument("--gateway", type=gateway_id, metavar="GW_ID", help="only at this gateway")
    listing.add_argument("--account", type=account_name, metavar="NAME", help="only of this account")
    listing.add_argument("--mac", type=mac_address, metavar="MAC", help="only of this device")
    listing.add_argument("--limit", type=positive, default=100, metavar="N", help="how many at most (default: 100)")
    listing.set_defaults(command=list_open)
    kicking = verbs(
        "kick",
        help="end sessions",
        description="End sessions.  A guest who is online goes offline within a second if the router keeps a WebSocket "
        "open, else when it next reports, within its CheckInterval.  A router with wifidog-ng 2 reports nobody: its "
        "guests stay until they log out.",
    )
    which = kicking.add_mutually_exclusive_group(required=True)
    which.add_argument("session_id", type=positive, nargs="?", metavar="ID", help="number in the list")
    which.add_argument("--mac", type=mac_address, metavar="MAC", help="all sessions of this device")
    which.add_argument("--account", type=account_name, metavar="NAME", help="all sessions of this account")
    kicking.set_defaults(command=kick_some)
    admitting = verbs(
        "admit",
        help="let a device in that has no browser",
        description="Let in a device that has no browser, with the plan of its network.  Its router must keep a "
        "WebSocket open, as apfree-wifidog can, and have a key.  The device is counted, limited and kicked like any; "
        "when its session has ended it needs this again.  TrustedMACList in the router's configuration lets a device "
        "in for good, without being counted.",
    )
    admitting.add_argument("--gateway", type=gateway_id, required=True, metavar="GW_ID", help="where it is")
    admitting.add_argument("--mac", type=mac_address, required=True, metavar="MAC", help="of the device")
    admitting.add_argument("--ip", type=device_address, required=True, metavar="IP", help="its address there")
    admitting.set_defaults(command=admit)


async def list_open(command: Command) -> None:
    """List open sessions."""
    wanted = command.arguments

    async def work(cursor: Cursor) -> list[SessionState]:
        if wanted.gateway is not None and wanted.gateway not in {one.gw_id for one in await fetch_gateways(cursor)}:
            raise CommandFailed(
                f"No gateway {wanted.gateway} is adopted: `wifidogctl gateway list` shows those there are."
            )
        account_id = await _account_id(cursor, wanted.account)
        return await list_sessions(
            cursor, limit=wanted.limit, gw_id=wanted.gateway, account_id=account_id, mac=wanted.mac
        )

    sessions = await command.transaction(work)
    if wanted.json:
        print_json([_document(session) for session in sessions])
    elif sessions:
        print_table(
            ("ID", "GATEWAY", "ACCOUNT", "DEVICE", "STATE", "FOR", "DOWN", "UP"),
            [_row(session, command.now) for session in sessions],
        )
    else:
        print("No session is open.")
    if any(_state(session) == NOT_REPORTED for session in sessions):
        complain(
            "Not reported: the routers of these guests, with wifidog-ng 2, tell nothing of them.  They may have left; "
            "limits and `session kick` do not reach them, and their data is not counted."
        )
    if len(sessions) == wanted.limit:
        complain(f"There may be more than these {wanted.limit}: see them with --limit.")


async def kick_some(command: Command) -> None:
    """End the sessions that were named, and print when that takes effect."""
    wanted = command.arguments

    async def work(cursor: Cursor) -> tuple[Kicked, list[str]]:
        account_id = await _account_id(cursor, wanted.account)
        kicked = await kick(cursor, command.now, session_id=wanted.session_id, mac=wanted.mac, account_id=account_id)
        connected = await fetch_connected(cursor, kicked.ending) if kicked.ending else set()
        gateways = [one for one in await fetch_gateways(cursor) if one.gw_id in kicked.ending] if kicked.ending else []
        return kicked, [
            f"{count(kicked.ending[one.gw_id], 'session')} at {one.gw_id}: the guest goes offline "
            + effect_of_ending(one.dialect, one.interval, is_connected=one.gw_id in connected)
            for one in gateways
        ]

    kicked, effects = await command.transaction(work)
    if not kicked.ending and not kicked.ended:
        raise CommandFailed("No open session is meant by that: `wifidogctl session list` shows those there are.")
    for effect in effects:
        print(f"{effect}.")
    if kicked.ended:
        print(f"{count(kicked.ended, 'session')} not yet in use ended at once.")


async def admit(command: Command) -> None:
    """Let a device in, and print when it will be counted; or say why it is not in."""
    wanted, database = command.arguments, command.database

    def now() -> datetime:
        return command.now

    registry = Registry(database, utc_now=now)
    await registry.refresh()
    relay = CommandRelay(
        database, registry, ConnectedRouters(), server="wifidogctl", clock=command.reactor, utc_now=now
    )
    admission = DeviceAdmission(database, registry, relay, utc_now=now)
    refused = await admission.admit(wanted.gateway, wanted.mac, wanted.ip)
    if isinstance(refused, Refused):
        until = "" if refused.back_at is None else f" until {instant(refused.back_at)}"
        limit = "" if refused.limit is None else f" ({refused.limit.value.value}{until})"
        raise CommandFailed(
            f"{wanted.mac} is not let in: {refused.why.value}{limit}.  `wifidogctl session list --mac {wanted.mac}` "
            "shows its sessions."
        )
    if refused is not None:
        advice = _ADVICE[refused].format(gw_id=wanted.gateway)
        raise CommandFailed(f"{wanted.mac} is not let in: {refused.value}.  {advice}")
    gateway = registry.gateway(wanted.gateway)
    within = f", within {int(gateway.interval.total_seconds())} seconds" if gateway is not None else ""
    print(f"{wanted.mac} is in.  Its session begins with the next report of {wanted.gateway}{within}.")


async def _account_id(cursor: Cursor, name: str | None) -> int | None:
    """Return the number of the account that was named; None if none was."""
    if name is None:
        return None
    account = await fetch_account(cursor, name)
    if account is None:
        raise CommandFailed(f"There is no account {name}: `wifidogctl account list` shows those there are.")
    return account.account_id


def _state(session: SessionState) -> str:
    if session.activated_at is None:
        return "pending"
    if not capabilities_of(session.dialect).reports_use:
        return NOT_REPORTED
    return "online" if session.ending is None else "ending"


def _row(session: SessionState, now: datetime) -> tuple[str, ...]:
    return (
        str(session.session_id),
        session.gw_id,
        session.account or "-",
        session.mac or "-",
        _state(session),
        show_duration(now - (session.activated_at or session.opened_at)),
        show_octets(session.used.incoming),
        show_octets(session.used.outgoing),
    )


def _document(session: SessionState) -> dict[str, object]:
    return {
        "session_id": session.session_id,
        "gw_id": session.gw_id,
        "account": session.account,
        "mac": session.mac,
        "ip": session.ip,
        "state": _state(session),
        "opened_at": instant(session.opened_at),
        "activated_at": instant(session.activated_at),
        "reported_at": instant(session.reported_at),
        "expires_at": instant(session.expires_at),
        "incoming_octets": session.used.incoming,
        "outgoing_octets": session.used.outgoing,
        "quota_octets": session.quota_octets,
        "ending": None if session.ending is None else session.ending.value,
    }
