"""Users and nodes of another server become accounts and waiting gateways, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from wifidogd.ctl.cli.command import Command
from wifidogd.ctl.migration.wifidog_auth import LeftOut, OldNode, OldUser, read_wifidog_auth
from wifidogd.domain.errors import StoreRefused
from wifidogd.domain.gateways import WaitingGateway
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.waiting_gateways import list_waiting, remember_waiting
from wifidogd.store.operators.imports import NewAccount, add_accounts, find_emails, find_gateways, find_names

BATCH = 500
"""Users or nodes that one transaction takes."""

WAITING_ROOM = 10_000
"""How many gateways may wait after an import; strangers find room for 200 only."""

MOST_LEFT_OUT = 1_000
"""How many of those left out are kept to be shown."""

T = TypeVar("T")


@dataclass(slots=True)
class Transfer:
    """
    What an import has done, or would do.

    @ivar unvalidated: of C{new_users}; C{disabled} too.
    @ivar kept_users: whose names are taken by accounts already; C{kept_nodes} are adopted or wait already.
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
        """Count something that is not imported as it is."""
        self.left_out_count += 1
        if len(self.left_out) < MOST_LEFT_OUT:
            self.left_out.append(one)

    def count_users(self, users: Sequence[OldUser]) -> None:
        """Count users who are new here."""
        self.new_users += len(users)
        self.unvalidated += sum(not user.validated for user in users)
        self.disabled += sum(user.disabled for user in users)


async def transfer_all(command: Command, *, write: bool) -> Transfer:
    """
    Read the whole file, a batch at a time.

    @param write: whether to change anything.
    """
    transfer = Transfer()
    with command.arguments.file.open("rb") as file:
        for batch in _batches(read_wifidog_auth(file), BATCH):
            for one in batch:
                if isinstance(one, LeftOut):
                    transfer.leave_out(one)
            if users := [one for one in batch if isinstance(one, OldUser)]:
                await _transfer_users(command, users, transfer, write)
            if nodes := [one for one in batch if isinstance(one, OldNode)]:
                await _transfer_nodes(command, nodes, transfer, write)
    return transfer


def _batches(ones: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of at most C{size} items."""
    remaining = iter(ones)
    while batch := list(islice(remaining, size)):
        yield batch


async def _transfer_users(command: Command, users: list[OldUser], transfer: Transfer, write: bool) -> None:
    """Add a batch of users; if PostgreSQL refuses it, each is added alone, so that only bad ones are left out."""

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
            transfer.leave_out(LeftOut(users[0].line, f"user {users[0].name}", f"was refused: {error}"))
            return
        for user in users:
            await _transfer_users(command, [user], transfer, write)
        return
    transfer.kept_users += len(users) - len(new)
    transfer.count_users(new)
    for user in new:
        if user.email in emails:
            why = "comes without its address: another account here has it"
            transfer.leave_out(LeftOut(user.line, f"user {user.name}", why))


def _account(command: Command, user: OldUser, taken: set[str]) -> NewAccount:
    """
    Return the account that a user becomes.

    One not validated counts as made now: L{wifidogd.store.accounts.accounts} deletes
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


async def _transfer_nodes(command: Command, nodes: list[OldNode], transfer: Transfer, write: bool) -> None:
    """Put a batch of nodes on the waiting list: no table of the old server says where guests reach them."""

    async def work(cursor: Cursor) -> tuple[list[OldNode], int]:
        known = await find_gateways(cursor, [node.gw_id for node in nodes])
        new = [node for node in nodes if node.gw_id not in known]
        room = WAITING_ROOM - len(await list_waiting(cursor)) - (0 if write else transfer.new_nodes)
        if write and new:
            waiting = [
                WaitingGateway(node.gw_id, command.now, command.now, node.source, version=node.version) for node in new
            ]
            await remember_waiting(cursor, waiting[: max(0, room)], WAITING_ROOM)
        return new, room

    new, room = await command.transaction(work)
    transfer.kept_nodes += len(nodes) - len(new)
    transfer.new_nodes += len(new[: max(0, room)])
    for node in new[max(0, room) :]:
        why = f"finds no room: {WAITING_ROOM} gateways wait already"
        transfer.leave_out(LeftOut(node.line, f"node {node.gw_id}", why))
