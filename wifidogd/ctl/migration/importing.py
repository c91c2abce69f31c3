"""wifidogctl import: users and nodes of the old server in PHP."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from wifidogd.ctl.cli.arguments import JSON, add_nouns
from wifidogd.ctl.cli.command import Command, CommandFailed, WrongUsage
from wifidogd.ctl.cli.output import count, print_json, printable
from wifidogd.ctl.migration.transfer import Transfer, transfer_all
from wifidogd.ctl.nouns.network import network_name
from wifidogd.settings import checked_data_dir, ctl_command
from wifidogd.store.gateways.networks import fetch_networks

SHOWN = 50
"""How many of those left out are printed one by one; C{--json} prints twenty times as many."""


def add_parser(nouns: Callable[..., ArgumentParser]) -> None:
    """Add the noun and its verbs."""
    verbs = add_nouns(nouns("import", help="take over users and nodes of another server"), "FROM")
    parser = verbs(
        "wifidog-auth",
        parents=[JSON],
        help="the old server in PHP, from a pg_dump of its database",
        description="Take over users and nodes from a plain pg_dump of wifidog-auth's database.  Passwords go on to "
        "work.  What is here already stays as it is.  A summary comes first, and a question.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="written by pg_dump without --format")
    parser.add_argument("--dry-run", action="store_true", help="show the summary and change nothing")
    parser.add_argument("--yes", action="store_true", help="import without asking")
    parser.add_argument("--network", type=network_name, metavar="NAME", default="default", help="to adopt nodes into")
    parser.set_defaults(command=import_wifidog_auth, prepare=check_words)


def check_words(arguments: Namespace) -> None:
    """
    Refuse a file that cannot be read, and an import that nobody would be asked about.

    @raise WrongUsage: if the file cannot be read, or nobody would be asked.
    """
    try:
        arguments.file.open("rb").close()
    except OSError as error:
        raise WrongUsage(f"Cannot read {arguments.file}: {error.strerror}.") from None
    nobody_asked = arguments.json or not sys.stdin.isatty()
    if nobody_asked and not arguments.dry_run and not arguments.yes:
        raise WrongUsage("See first what would be imported, with --dry-run; then import it with --yes.")


async def import_wifidog_auth(command: Command) -> None:
    """Show what there is to import, ask, and import it."""
    wanted = command.arguments
    await _expect_network(command)
    transfer = await transfer_all(command, write=False)
    if not wanted.json:
        _print_summary(transfer, "would be new" if wanted.dry_run else "to import")
    if not wanted.dry_run and (transfer.new_users or transfer.new_nodes):
        if not wanted.yes and input("Import this (y or n): ").strip().lower() not in ("y", "yes"):
            raise CommandFailed("Nothing was imported.")
        transfer = await transfer_all(command, write=True)
        if not wanted.json:
            print(f"\nImported {count(transfer.new_users, 'account')} and {count(transfer.new_nodes, 'gateway')}.")
    if wanted.json:
        print_json(_document(transfer, imported=not wanted.dry_run))
    elif transfer.new_nodes:
        _print_advice(command)


async def _expect_network(command: Command) -> None:
    name = command.arguments.network
    if name not in {network.name for network in await command.transaction(fetch_networks)}:
        raise CommandFailed(f"There is no network {name}: make it with `wifidogctl network set {name}`.")


def _print_summary(transfer: Transfer, what: str) -> None:
    details = f"{transfer.unvalidated} not validated, {transfer.disabled} disabled"
    print(f"Accounts  {transfer.new_users} {what} ({details}), {transfer.kept_users} here already and kept")
    print(f"Gateways  {transfer.new_nodes} {what}, {transfer.kept_nodes} here already and kept")
    print(f"Left out or changed  {transfer.left_out_count}")
    for one in transfer.left_out[:SHOWN]:
        print(f"  line {one.line}: {printable(one.what)} {printable(one.why)}")
    if transfer.left_out_count > SHOWN:
        print(f"  and {transfer.left_out_count - SHOWN} more: see them with --dry-run --json")


def _print_advice(command: Command) -> None:
    """Print how nodes become gateways."""
    ctl = ctl_command(checked_data_dir(command.arguments.data_dir), command.arguments.database)
    network = f" --network {command.arguments.network}" if command.arguments.network != "default" else ""
    print(
        "\nThe old server does not know where guests reach a gateway.  Adopt each with"
        f"\n  {ctl} gateway adopt GW_ID --address ITS-ADDRESS-FOR-GUESTS{network}"
        f"\nor let it call here first: `{ctl} gateway list` then shows the address to type."
        "\nThose that do neither leave the waiting list after 7 days."
    )


def _document(transfer: Transfer, *, imported: bool) -> dict[str, object]:
    return {
        "imported": imported,
        "accounts": {
            "new": transfer.new_users,
            "not_validated": transfer.unvalidated,
            "disabled": transfer.disabled,
            "kept": transfer.kept_users,
        },
        "gateways": {"new": transfer.new_nodes, "kept": transfer.kept_nodes},
        "left_out": transfer.left_out_count,
        "problems": [{"line": one.line, "what": one.what, "why": one.why} for one in transfer.left_out],
    }
