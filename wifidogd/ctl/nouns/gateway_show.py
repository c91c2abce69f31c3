"""wifidogctl gateway show: one router, and how far its installation has come."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Sequence

from wifidogd.ctl.cli.arguments import JSON, gateway_id
from wifidogd.ctl.cli.command import Command, CommandFailed
from wifidogd.ctl.cli.output import print_json, print_table
from wifidogd.ctl.cli.server_address import find_server, server_options
from wifidogd.gateways.checklist import Check, Evidence, checklist
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.activity import fetch_activity
from wifidogd.store.gateways.gateways import lock_gateway
from wifidogd.store.gateways.heartbeats import fetch_heartbeat

STATES = {True: "yes", False: "no", None: "-"}


def add_show(verbs: Callable[..., ArgumentParser]) -> None:
    """Add the verb."""
    parser = verbs(
        "show",
        parents=[server_options(), JSON],
        help="show how far the installation of a router has come",
        description="Show what an adopted router has done so far, and for what it has not, what to do next.",
    )
    parser.add_argument("gw_id", type=gateway_id, metavar="GW_ID", help="GatewayID of the router")
    parser.set_defaults(command=show_one)


async def show_one(command: Command) -> None:
    """Print the check-list of an adopted gateway, and the next step of each thing that is missing."""
    gw_id = command.arguments.gw_id
    server = await find_server(command)

    async def work(cursor: Cursor) -> Evidence:
        gateway = await lock_gateway(cursor, gw_id)
        if gateway is None:
            raise unknown(gw_id)
        heartbeat, activity = await fetch_heartbeat(cursor, gw_id), await fetch_activity(cursor, gw_id)
        return Evidence(gateway, heartbeat, activity, command.now)

    evidence = await command.transaction(work)
    checks = checklist(evidence, server)
    if command.arguments.json:
        print_json({"gw_id": gw_id, "network": evidence.gateway.network, "checks": [_document(one) for one in checks]})
        return
    gateway = evidence.gateway
    host = f"[{gateway.address}]" if ":" in gateway.address else gateway.address
    print(f"{gw_id} of network {gateway.network}: guests go to http://{host}:{gateway.port}/")
    print_table(("CHECK", "DONE", "WHAT IS KNOWN"), [(one.name, STATES[one.passed], one.detail) for one in checks])
    _print_next_steps(checks)


def unknown(gw_id: str) -> CommandFailed:
    """Return what is said of a gateway that is not adopted."""
    return CommandFailed(f"No gateway {gw_id} is adopted: `wifidogctl gateway list` shows which are and which wait.")


def _print_next_steps(checks: Sequence[Check]) -> None:
    steps = [one for one in checks if one.next_step is not None]
    if steps:
        print("\nNext:")
    for one in steps:
        print(f"- {one.name}: {one.next_step}")


def _document(check: Check) -> dict[str, object]:
    return {"check": check.name, "passed": check.passed, "detail": check.detail, "next_step": check.next_step}
