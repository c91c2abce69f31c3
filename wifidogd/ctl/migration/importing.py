"""wifidogctl import: users and nodes of the old server in PHP."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

from wifidogd.ctl.cli.arguments import JSON, add_nouns
from wifidogd.ctl.cli.command import Command, CommandFailed, WrongUsage
from wifidogd.ctl.cli.output import count, print_json, printable
from wifidogd.ctl.migration.wifidog_auth import LeftOut, OldNode, OldUser, read_wifidog_auth
from wifidogd.ctl.nouns.network import network_name
from wifidogd.domain.errors import StoreRefused
from wifidogd.domain.gateways import WaitingGateway
from wifidogd.runtime.endpoints import ctl_command
from wifidogd.settings import checked_data_dir, default_data_dir
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.networks import fetch_networks
from wifidogd.store.gateways.waiting_gateways import list_waiting, remember_waiting
from wifidogd.store.operators.imports import NewAccount, add_accounts, find_emails, find_gateways, find_names

BATCH = 500
"""Users or nodes that one transaction takes."""

WAITING_ROOM = 10_000
"""How many gateways may wait after an import; strangers find room for 200 only."""

SHOWN = 50
"""How much of what was left out people are told one by one; C{--json} tells of twenty times as much."""

T = TypeVar("T")


@dataclass(slots=True)
class Tally:
    """
    What an import does, or would do.

    @ivar unvalidated: of C{new_users}; C{disabled} too.
    @ivar kept_users: whose name an account has already; C{kept_nodes} are adopted or wait already.
    @ivar left_out: the first of them; C{left_out_count} counts all.
    """

    new_users: int = 0
    unvalidated: int = 0
    disabled: int = 0
    kept_users: int = 0
    new_nodes: int = 0
    kept_nodes: int = 0
    left_out: list[LeftOut] = field(default_factory=list)
    left_out_count: int = 0

    def leave_out(self, one: LeftOut) -> None:
        """Count something that is not taken over as it is."""
        self.left_out_count += 1
        if len(self.left_out) < 20 * SHOWN:
            self.left_out.append(one)

    def count_users(self, users: Sequence[OldUser]) -> None:
        """Count users who are new here."""
        self.new_users += len(users)
        self.unvalidated += sum(not user.validated for user in users)
        self.disabled += sum(user.disabled for user in users)


def add_parser(nouns: Callable[..., ArgumentParser]) -> None:
    """Describe the noun and its verbs."""
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
    Look at the file, and at how the operator will see the summary.

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
    tally = await _go_through(command, write=False)
    if not wanted.json:
        _print_summary(tally, "would be new" if wanted.dry_run else "to import")
    if not wanted.dry_run and (tally.new_users or tally.new_nodes):
        if not wanted.yes and input("Import this (y or n): ").strip().lower() not in ("y", "yes"):
            raise CommandFailed("Nothing was imported.")
        tally = await _go_through(command, write=True)
        if not wanted.json:
            print(f"\nImported {count(tally.new_users, 'account')} and {count(tally.new_nodes, 'gateway')}.")
    if wanted.json:
        print_json(_document(tally, imported=not wanted.dry_run))
    elif tally.new_nodes:
        _print_advice(command)


async def _expect_network(command: Command) -> None:
    name = command.arguments.network
    if name not in {network.name for network in await command.transaction(fetch_networks)}:
        raise CommandFailed(f"There is no network {name}: make it with `wifidogctl network set {name}`.")


async def _go_through(command: Command, *, write: bool) -> Tally:
    """
    Read the whole file, a batch at a time.

    @param write: whether to change anything.
    """
    tally = Tally()
    with command.arguments.file.open("rb") as file:
        for batch in _batches(read_wifidog_auth(file), BATCH):
            for one in batch:
                if isinstance(one, LeftOut):
                    tally.leave_out(one)
            if users := [one for one in batch if isinstance(one, OldUser)]:
                await _take_users(command, users, tally, write)
            if nodes := [one for one in batch if isinstance(one, OldNode)]:
                await _take_nodes(command, nodes, tally, write)
    return tally


def _batches(ones: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut an iterable into lists."""
    remaining = iter(ones)
    while batch := list(islice(remaining, size)):
        yield batch


async def _take_users(command: Command, users: list[OldUser], tally: Tally, write: bool) -> None:
    """Take a batch of users; one that PostgreSQL refuses is found by taking each alone."""

    async def work(cursor: Cursor) -> tuple[list[OldUser], set[str]]:
        names = await find_names(cursor, [user.name for user in users])
        emails = await find_emails(cursor, [user.email for user in users if user.email])
        new = [user for user in users if user.name not in names]
        if write and new:
            await add_accounts(cursor, [_account(command, user, emails) for user in new])
        return new, emails

    try:
        new, emails = await command.transaction(work)
    except StoreRefused as error:
        if len(users) == 1:
            tally.leave_out(LeftOut(users[0].line, f"user {users[0].name}", f"was refused: {error}"))
            return
        for user in users:
            await _take_users(command, [user], tally, write)
        return
    tally.kept_users += len(users) - len(new)
    tally.count_users(new)
    for user in new:
        if user.email in emails:
            why = "comes without its address: another account here has it"
            tally.leave_out(LeftOut(user.line, f"user {user.name}", why))


def _account(command: Command, user: OldUser, taken: set[str]) -> NewAccount:
    """
    Make the account that a user becomes.

    One not validated counts as made now: L{wifidogd.store.accounts.accounts} forgets
    those that stay so for too long.
    """
    created_at = user.registered_at if user.validated and user.registered_at else command.now
    return NewAccount(
        name=user.name,
        email=None if user.email in taken else user.email,
        old_hash=user.old_hash,
        validated_at=created_at if user.validated else None,
        disabled=user.disabled,
        created_at=created_at,
    )


async def _take_nodes(command: Command, nodes: list[OldNode], tally: Tally, write: bool) -> None:
    """Put a batch of nodes on the waiting list: no table of the old server says where guests reach them."""

    async def work(cursor: Cursor) -> tuple[list[OldNode], int]:
        known = await find_gateways(cursor, [node.gw_id for node in nodes])
        new = [node for node in nodes if node.gw_id not in known]
        room = WAITING_ROOM - len(await list_waiting(cursor)) - (0 if write else tally.new_nodes)
        if write and new:
            waiting = [
                WaitingGateway(node.gw_id, command.now, command.now, node.source, version=node.version) for node in new
            ]
            await remember_waiting(cursor, waiting[: max(0, room)], WAITING_ROOM)
        return new, room

    new, room = await command.transaction(work)
    tally.kept_nodes += len(nodes) - len(new)
    tally.new_nodes += len(new[: max(0, room)])
    for node in new[max(0, room) :]:
        why = f"finds no room: {WAITING_ROOM} gateways wait already"
        tally.leave_out(LeftOut(node.line, f"node {node.gw_id}", why))


def _print_summary(tally: Tally, what: str) -> None:
    details = f"{tally.unvalidated} not validated, {tally.disabled} disabled"
    print(f"Accounts  {tally.new_users} {what} ({details}), {tally.kept_users} here already and kept")
    print(f"Gateways  {tally.new_nodes} {what}, {tally.kept_nodes} here already and kept")
    print(f"Left out or changed  {tally.left_out_count}")
    for one in tally.left_out[:SHOWN]:
        print(f"  line {one.line}: {printable(one.what)} {printable(one.why)}")
    if tally.left_out_count > SHOWN:
        print(f"  and {tally.left_out_count - SHOWN} more: see them with --dry-run --json")


def _print_advice(command: Command) -> None:
    """Say how nodes become gateways."""
    data_dir = checked_data_dir(command.arguments.data_dir)
    ctl = ctl_command(None if data_dir == default_data_dir() else data_dir)
    network = f" --network {command.arguments.network}" if command.arguments.network != "default" else ""
    print(
        "\nThe old server does not know where guests reach a gateway.  Adopt each with"
        f"\n  {ctl} gateway adopt GW_ID --address ITS-ADDRESS-FOR-GUESTS{network}"
        f"\nor let it call here first: `{ctl} gateway list` then shows the address to type."
        "\nThose that do neither leave the waiting list after 7 days."
    )


def _document(tally: Tally, *, imported: bool) -> dict[str, object]:
    return {
        "imported": imported,
        "accounts": {
            "new": tally.new_users,
            "not_validated": tally.unvalidated,
            "disabled": tally.disabled,
            "kept": tally.kept_users,
        },
        "gateways": {"new": tally.new_nodes, "kept": tally.kept_nodes},
        "left_out": tally.left_out_count,
        "problems": [{"line": one.line, "what": one.what, "why": one.why} for one in tally.left_out],
    }
