"""wifidogctl voucher sheet: vouchers as a page to print."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from wifidogd.ctl.cli.command import Command, CommandFailed
from wifidogd.ctl.cli.server_address import find_server, server_options
from wifidogd.ctl.nouns.network import find_network
from wifidogd.ctl.nouns.voucher_list import batch_name, fetch_chosen, state_of
from wifidogd.domain.plans import Plan
from wifidogd.store.accounting.plans import fetch_plans
from wifidogd.store.driver.database import Cursor
from wifidogd.web.rendering.language import FALLBACK, NAMES
from wifidogd.web.rendering.voucher_sheet import write_sheet


def add_sheet(verbs: Callable[..., ArgumentParser]) -> None:
    """Add the verb."""
    parser = verbs(
        "sheet",
        parents=[server_options()],
        help="write vouchers as a page to print",
        description="Write a page to print and cut, with a QR code for each voucher of a batch that is not used yet, "
        "to standard output: wifidogctl voucher sheet --batch NAME > sheet.html",
    )
    parser.add_argument("--batch", required=True, type=batch_name, metavar="NAME", help="which vouchers")
    parser.add_argument("--language", choices=NAMES, default=FALLBACK, help="of the page (default: %(default)s)")
    parser.set_defaults(command=sheet)


async def sheet(command: Command) -> None:
    """Write the page to print."""
    wanted = command.arguments
    unused = [
        voucher for voucher in await fetch_chosen(command) if state_of(voucher, command.now) == "new" and voucher.code
    ]
    if not unused:
        raise CommandFailed(
            f"Batch {wanted.batch} has no unused voucher: `wifidogctl voucher list` shows those there are."
        )
    first = unused[0]
    network = await command.transaction(partial(find_network, name=first.network))
    plan = await command.transaction(partial(_plan, name=first.plan))
    server = await find_server(command)
    page = write_sheet(
        [voucher.code for voucher in unused if voucher.code],
        f"{server.pages}v/",
        network=network,
        plan=plan,
        batch=wanted.batch,
        valid_until=first.valid_until and first.valid_until - timedelta(seconds=1),
        now=command.now,
        language=wanted.language,
    )
    sys.stdout.buffer.write(page.encode())


async def _plan(cursor: Cursor, name: str) -> Plan:
    return next(plan for plan in await fetch_plans(cursor) if plan.name == name)
