"""wifidogctl status: the whole installation in a few lines."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable

from wifidogd.ctl.cli.arguments import JSON, show_octets
from wifidogd.ctl.cli.command import Command
from wifidogd.ctl.cli.output import print_json
from wifidogd.store.driver.database import Cursor
from wifidogd.store.migrations import fetch_schema_version
from wifidogd.store.operators.reports import Counts, count_everything


def add_parser(nouns: Callable[..., ArgumentParser]) -> None:
    """Add the noun, which has no verbs."""
    nouns("status", parents=[JSON], help="the whole installation in a few lines").set_defaults(command=show)


async def show(command: Command) -> None:
    """Count what there is."""

    async def work(cursor: Cursor) -> tuple[int, Counts]:
        return await fetch_schema_version(cursor), await count_everything(cursor, command.now)

    schema, counts = await command.transaction(work)
    if command.arguments.json:
        print_json(_document(schema, counts))
        return
    print(f"Database  reachable, schema {schema}")
    print(f"Gateways  {counts.gateways} adopted, {counts.silent} of them silent, {counts.waiting} waiting")
    print(f"Networks  {counts.networks}")
    print(f"Sessions  {counts.online} online, {counts.pending} pending")
    print(f"Traffic   {show_octets(counts.used.incoming)} down, {show_octets(counts.used.outgoing)} up (open sessions)")
    print(f"Accounts  {counts.accounts} enabled, {counts.disabled} disabled")
    print(f"Mails     {counts.mails} waiting, {counts.late_mails} of them failed so far")


def _document(schema: int, counts: Counts) -> dict[str, object]:
    return {
        "database": {"reachable": True, "schema": schema},
        "gateways": {"adopted": counts.gateways, "silent": counts.silent, "waiting": counts.waiting},
        "networks": counts.networks,
        "sessions": {
            "online": counts.online,
            "pending": counts.pending,
            "incoming_octets": counts.used.incoming,
            "outgoing_octets": counts.used.outgoing,
        },
        "accounts": {"enabled": counts.accounts, "disabled": counts.disabled},
        "mails": {"waiting": counts.mails, "late": counts.late_mails},
    }
