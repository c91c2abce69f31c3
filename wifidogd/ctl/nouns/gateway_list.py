"""wifidogctl gateway list: routers and their state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from wifidogd.ctl.cli.arguments import show_duration
from wifidogd.ctl.cli.command import Command
from wifidogd.ctl.cli.output import complain, instant, print_json, print_table, printable, seconds
from wifidogd.domain.addresses import is_private
from wifidogd.domain.gateways import Gateway, Heartbeat, WaitingGateway, propose_gw_id
from wifidogd.domain.plans import Network
from wifidogd.domain.reports.unreached_limits import doubts_about_limits, first_of
from wifidogd.settings import checked_data_dir, ctl_command
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.gateway_states import GatewayState, list_gateways
from wifidogd.store.gateways.networks import fetch_networks
from wifidogd.store.gateways.waiting_gateways import list_waiting

MOST = 10_000
"""How many gateways are listed."""

CLASH_SHOWN_FOR = timedelta(hours=1)
"""How long after it was last noticed that two gateways use one name."""


async def list_all(command: Command) -> None:
    """List adopted gateways with their last heartbeat, then those that wait."""

    async def work(cursor: Cursor) -> tuple[list[GatewayState], list[WaitingGateway], list[Network]]:
        return await list_gateways(cursor, MOST), await list_waiting(cursor), await fetch_networks(cursor)

    adopted, waiting, networks = await command.transaction(work)
    if command.arguments.json:
        print_json({"adopted": [_adopted(one) for one in adopted], "waiting": [_waiting(one) for one in waiting]})
        return
    if adopted:
        print_table(
            ("GATEWAY", "ADDRESS", "NETWORK", "KEY", "SEEN", "VERSION", "LOAD", "UPTIME", "ONLINE"),
            [_adopted_row(one, command.now) for one in adopted],
        )
    else:
        print("No gateway is adopted.")
    if waiting:
        _print_waiting(waiting, command)
    pings = [one.heartbeat for one in adopted if one.heartbeat is not None]
    for doubt in (*shared_names([*pings, *waiting], command.now), *doubts(_gateways(adopted), networks)):
        complain(doubt)
    if len(adopted) == MOST:
        complain(f"Only the first {MOST} gateways are listed.")


def _gateways(states: Iterable[GatewayState]) -> list[Gateway]:
    return [state.gateway for state in states]


def shared_names(heard: Iterable[Heartbeat | WaitingGateway], now: datetime) -> list[str]:
    """Return a sentence for each name that two gateways seemed to use within the last hour."""
    return [
        f"Two routers seem to call themselves {one.gw_id}: give each a GatewayID of its own in its wifidog.conf, or "
        "guests of one are sent to the other."
        for one in heard
        if one.shared_at is not None and now - one.shared_at < CLASH_SHOWN_FOR
    ]


def doubts(gateways: Sequence[Gateway], networks: Sequence[Network]) -> list[str]:
    """Return what operators must know of networks whose settings some of their gateways cannot keep."""
    return [*_doubts_about_macs(gateways, networks), *doubts_about_limits(gateways, networks)]


def _doubts_about_macs(gateways: Iterable[Gateway], networks: Iterable[Network]) -> list[str]:
    """
    Return what operators must know of networks whose settings are about devices, and of their gateways without a key.

    @return: a sentence or two for each such network.
    """
    keyless: dict[str, list[str]] = {}
    for gateway in gateways:
        if not gateway.proves_macs:
            keyless.setdefault(gateway.network, []).append(gateway.gw_id)
    found = []
    for network in networks:
        missed = [
            *(["lets no device come back by its MAC address"] if network.recognizes_macs else []),
            *([f"gives plan {network.plan} to each sign-in instead of each device"] if network.limits_devices else []),
        ]
        if missed and network.name in keyless:
            first, who = keyless[network.name][0], first_of(keyless[network.name])
            found.append(
                f"Network {network.name} {' and '.join(missed)} at {who}, as anybody can report a device where there "
                f"is no key.  Make one: `wifidogctl gateway config {first} --new-key`; or believe what is reported all "
                f"the same: `wifidogctl gateway adopt {first} --trust-macs`."
            )
    return found


def _adopted_row(state: GatewayState, now: datetime) -> tuple[str, ...]:
    gateway, ping = state.gateway, state.heartbeat or Heartbeat(state.gateway.gw_id, now, "")
    return (
        gateway.gw_id,
        gateway.address,
        gateway.network,
        "yes" if gateway.key_hashes else "trusted" if gateway.trust_macs else "no",
        "never" if state.heartbeat is None else f"{show_duration(now - ping.seen_at)} ago",
        ping.version or "-",
        "-" if ping.load is None else f"{ping.load:.2f}",
        show_duration(ping.sys_uptime),
        str(state.online),
    )


def _print_waiting(waiting: list[WaitingGateway], command: Command) -> None:
    """List strangers, each with the command that adopts it."""
    print("\nWaiting to be adopted:")
    print_table(
        ("GATEWAY", "ADDRESS", "CALLED FROM", "SEEN", "VERSION"),
        [
            (
                one.gw_id,
                one.address or "-",
                one.source,
                f"{show_duration(command.now - one.last_seen)} ago",
                one.version or "-",
            )
            for one in waiting
        ],
    )
    ctl = ctl_command(checked_data_dir(command.arguments.data_dir), command.arguments.database)
    for one in waiting:
        if not one.is_adoptable:
            print(
                f'\nNone can be adopted as "{printable(one.gw_id)}": change GatewayID in its wifidog.conf, for example '
                f"to {propose_gw_id(one.gw_id)}, and restart it."
            )
    adoptable = [one for one in waiting if one.is_adoptable]
    if adoptable:
        print("\nAdopt one with:")
    for one in adoptable:
        address = one.address if one.address is not None and is_private(one.address) else "ITS-ADDRESS-FOR-GUESTS"
        print(f"  {ctl} gateway adopt {one.gw_id} --address {address} --port {one.port or 2060}")
    on_device = Counter(one.device_id for one in adoptable if one.device_id is not None)
    for device_id, waiting_there in on_device.items():
        if waiting_there > 1:
            print(f"\nOr all {waiting_there} gateways on {device_id}:\n  {ctl} gateway adopt {device_id}")


def _adopted(state: GatewayState) -> dict[str, object]:
    gateway, ping = state.gateway, state.heartbeat
    return {
        "gw_id": gateway.gw_id,
        "network": gateway.network,
        "address": gateway.address,
        "port": gateway.port,
        "check_interval_seconds": seconds(gateway.interval),
        "keys": len(gateway.key_hashes),
        "trust_macs": gateway.trust_macs,
        "counters": gateway.counters.value,
        "counters_seen": None if gateway.counters_seen is None else gateway.counters_seen.value,
        "dialect": None if gateway.dialect is None else gateway.dialect.value,
        "device_ids": list(gateway.device_ids),
        "adopted_at": instant(state.adopted_at),
        "sessions_online": state.online,
        "heartbeat": None
        if ping is None
        else {
            "seen_at": instant(ping.seen_at),
            "source": ping.source,
            "version": ping.version,
            "uptime_seconds": seconds(ping.sys_uptime),
            "memory_free_octets": ping.memory_free,
            "load": ping.load,
            "wifidog_uptime_seconds": seconds(ping.wifidog_uptime),
            "name_shared_at": instant(ping.shared_at),
        },
    }


def _waiting(gateway: WaitingGateway) -> dict[str, object]:
    return {
        "gw_id": gateway.gw_id,
        "device_id": gateway.device_id,
        "address": gateway.address,
        "port": gateway.port,
        "source": gateway.source,
        "version": gateway.version,
        "adoptable": gateway.is_adoptable,
        "name_shared_at": instant(gateway.shared_at),
        "first_seen": instant(gateway.first_seen),
        "last_seen": instant(gateway.last_seen),
    }
