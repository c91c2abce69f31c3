"""wifidogctl voucher list and export: which vouchers there are."""

from __future__ import annotations

import csv
import re
from argparse import ArgumentTypeError
from datetime import datetime
from functools import partial

from wifidogd.ctl.cli.command import Command, CommandFailed
from wifidogd.ctl.cli.output import complain, in_utf8, instant, print_json, print_table
from wifidogd.domain.voucher_codes import show_code
from wifidogd.store.access.vouchers import Voucher, list_vouchers

MOST = 10_000
"""Vouchers in one batch, and in one list."""

HEADINGS = ("ID", "CODE", "BATCH", "PLAN", "NETWORK", "STATE", "UNTIL")


def batch_name(text: str) -> str:
    """Check what a batch is called; a spreadsheet must not take it for a formula."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}", text):
        raise ArgumentTypeError(f"{text!r} cannot name a batch: 1 to 40 letters, digits, blanks, and . _ -")
    return text


async def list_all(command: Command) -> None:
    """List vouchers in the order in which they were made."""
    vouchers = await fetch_chosen(command)
    if command.arguments.json:
        print_json([_document(voucher, command.now) for voucher in vouchers])
    elif vouchers:
        print_table(HEADINGS, [_row(voucher, command.now) for voucher in vouchers])
    else:
        print("There are no vouchers: make some with `wifidogctl voucher create --plan PLAN --count N`.")


async def export(command: Command) -> None:
    """Write vouchers for a spreadsheet."""
    documents = [_document(voucher, command.now) for voucher in await fetch_chosen(command)]
    columns = ("voucher_id", "code", "batch", "plan", "network", "state", "valid_until", "created_at", "first_used_at")
    lines = csv.DictWriter(in_utf8(), columns, lineterminator="\n")
    lines.writeheader()
    lines.writerows(documents)


async def fetch_chosen(command: Command) -> list[Voucher]:
    """
    Fetch the vouchers of the batch that was named, else all, L{MOST} at most.

    @raise CommandFailed: if there is no such batch.
    """
    batch = command.arguments.batch
    vouchers = await command.transaction(partial(list_vouchers, limit=MOST, batch=batch))
    if batch is not None and not vouchers:
        raise no_batch(batch)
    if len(vouchers) == MOST:
        complain(f"These are only the first {MOST}: see others with --batch.")
    return vouchers


def no_batch(name: str) -> CommandFailed:
    """Return the error for a batch that does not exist."""
    return CommandFailed(f"There is no batch {name}: `wifidogctl voucher list` shows those there are.")


def state_of(voucher: Voucher, now: datetime) -> str:
    """Return the state of a voucher in a word."""
    if voucher.revoked:
        return "revoked"
    if voucher.valid_until is not None and voucher.valid_until <= now:
        return "expired"
    return "used" if voucher.code is None else "new"


def _row(voucher: Voucher, now: datetime) -> tuple[str, ...]:
    return (
        str(voucher.voucher_id),
        show_code(voucher.code) if voucher.code else "-",
        voucher.batch,
        voucher.plan,
        voucher.network,
        state_of(voucher, now),
        instant(voucher.valid_until) or "-",
    )


def _document(voucher: Voucher, now: datetime) -> dict[str, object]:
    return {
        "voucher_id": voucher.voucher_id,
        "code": show_code(voucher.code) if voucher.code else None,
        "batch": voucher.batch,
        "plan": voucher.plan,
        "network": voucher.network,
        "state": state_of(voucher, now),
        "valid_until": instant(voucher.valid_until),
        "created_at": instant(voucher.created_at),
        "first_used_at": instant(voucher.first_used_at),
    }
