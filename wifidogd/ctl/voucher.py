"""wifidogctl voucher: codes on paper that sign guests in."""

from __future__ import annotations

import csv
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from wifidogd.credentials import hash_secret
from wifidogd.ctl.days import end_of, until
from wifidogd.ctl.errand import Errand, NotDone
from wifidogd.ctl.network import network_name
from wifidogd.ctl.parsing import JSON, add_nouns, server, setting
from wifidogd.ctl.printing import complain, count, instant, print_json, print_table
from wifidogd.ctl.units import positive
from wifidogd.errors import StoreRefused
from wifidogd.offers import Network, Plan, SignIn
from wifidogd.reach import guess_url
from wifidogd.store.database import Cursor
from wifidogd.store.networks import fetch_networks
from wifidogd.store.plans import fetch_plans
from wifidogd.store.vouchers import Order, Voucher, list_vouchers, revoke_vouchers
from wifidogd.voucher_batch import SpaceIsFull, make_batch
from wifidogd.voucher_codes import ALPHABET, LONGEST_PREFIX, mint_code, read_code, read_prefix, show_code
from wifidogd.web.language import FALLBACK, NAMES
from wifidogd.web.sheet import write_sheet

MOST = 10_000
"""Vouchers in one batch, and in one list."""

HEADINGS = ("ID", "CODE", "BATCH", "PLAN", "NETWORK", "STATE", "UNTIL")


def add_parser(nouns: Callable[..., ArgumentParser]) -> None:
    """Describe the noun and its verbs."""
    verbs = add_nouns(nouns("voucher", help="codes on paper that sign guests in"))
    _add_create(verbs)
    listing = verbs("list", parents=[JSON], help="list vouchers; codes are shown until they are used")
    listing.add_argument("--batch", type=batch_name, metavar="NAME", help="only of this batch")
    listing.set_defaults(command=list_all)
    revoking = verbs(
        "revoke",
        help="take vouchers back",
        description="Take vouchers back.  Guests who are online by them go offline when the gateway next reports, "
        "within a minute by default.",
    )
    which = revoking.add_mutually_exclusive_group(required=True)
    which.add_argument("code", type=code, nargs="?", metavar="CODE", help="one voucher, by its code")
    which.add_argument("--batch", type=batch_name, metavar="NAME", help="all vouchers of a batch")
    revoking.set_defaults(command=revoke)
    exporting = verbs("export", help="write vouchers as CSV to standard output")
    exporting.add_argument("--batch", type=batch_name, metavar="NAME", help="only of this batch")
    exporting.set_defaults(command=export)
    _add_sheet(verbs)


def _add_create(verbs: Callable[..., ArgumentParser]) -> None:
    parser = verbs("create", parents=[JSON], help="make vouchers", description="Make a batch of new vouchers.")
    parser.add_argument("--plan", required=True, metavar="PLAN", help="what each of them allows")
    parser.add_argument("--count", required=True, type=how_many, metavar="N", help=f"how many, {MOST} at most")
    parser.add_argument("--network", type=network_name, default="default", metavar="NAME", help="where they are good")
    parser.add_argument("--prefix", type=prefix, metavar="X", help="what all their codes begin with")
    parser.add_argument("--valid-until", type=until, metavar="D", help="last day, like 2027-01-31; or an instant")
    parser.add_argument("--batch", type=batch_name, metavar="NAME", help="what to call them (default: date and time)")
    parser.set_defaults(command=create)


def _add_sheet(verbs: Callable[..., ArgumentParser]) -> None:
    parser = verbs(
        "sheet",
        help="write vouchers as a page to print",
        description="Write a page to print and cut, with a QR code for each voucher of a batch that is not used yet, "
        "to standard output: wifidogctl voucher sheet --batch NAME > sheet.html",
    )
    parser.add_argument("--batch", required=True, type=batch_name, metavar="NAME", help="which vouchers")
    parser.add_argument(
        "--server",
        metavar="URL",
        type=server,
        default=setting("public-url"),
        help="how guests' devices reach the server: its --public-url (default: this machine's address)",
    )
    parser.add_argument(
        "--path",
        metavar="PATH",
        default=setting("path") or "/wifidog/",
        help="the server's --path (default: %(default)s)",
    )
    parser.add_argument("--language", choices=NAMES, default=FALLBACK, help="of the page (default: %(default)s)")
    parser.set_defaults(command=sheet)


def batch_name(text: str) -> str:
    """Check what a batch is called; a spreadsheet must not take it for a formula."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}", text):
        raise ArgumentTypeError(f"{text!r} cannot name a batch: 1 to 40 letters, digits, blanks, and . _ -")
    return text


def prefix(text: str) -> str:
    """Read what codes begin with."""
    plain = read_prefix(text)
    if plain is None:
        raise ArgumentTypeError(f"{text!r} cannot begin codes: write 1 to {LONGEST_PREFIX} of {ALPHABET}")
    return plain


def code(text: str) -> str:
    """Read the code of a voucher."""
    plain = read_code(text)
    if plain is None:
        raise ArgumentTypeError(f"{text!r} has a typo: compare it with the voucher, character by character")
    return plain


def how_many(text: str) -> int:
    """Read how many vouchers to make."""
    number = positive(text)
    if number > MOST:
        raise ArgumentTypeError(f"{text} are too many at once: {MOST} is the most")
    return number


async def create(errand: Errand) -> None:
    """Make a batch, or nothing."""
    wanted = errand.arguments
    network = await errand.transaction(partial(_network, name=wanted.network))
    order = Order(
        wanted.batch or f"{errand.now:%Y-%m-%d %H.%M.%S}",
        wanted.plan,
        wanted.network,
        end_of(wanted.valid_until, network.time_zone) if wanted.valid_until else None,
    )
    if order.valid_until is not None and order.valid_until <= errand.now:
        raise NotDone(f"Those vouchers would have ended at {instant(order.valid_until)}: name a day to come.")

    async def work(cursor: Cursor) -> list[str]:
        if await list_vouchers(cursor, 1, order.batch):
            raise NotDone(f"There is a batch {order.batch} already: name another one with --batch.")
        return await make_batch(cursor, order, wanted.count, errand.now, partial(mint_code, wanted.prefix or ""))

    try:
        codes = await errand.transaction(work)
    except StoreRefused:
        raise NotDone(f"There is no plan {wanted.plan}: `wifidogctl plan list` shows those there are.") from None
    except SpaceIsFull as error:
        raise NotDone(f"Nothing was made, {error}: use another prefix.") from None
    if wanted.json:
        print_json({"batch": order.batch, "codes": [show_code(code) for code in codes]})
    else:
        print(f"Made {count(len(codes), 'voucher')}: print them with")
        print(f'wifidogctl voucher sheet --batch "{order.batch}" > sheet.html')
    if SignIn.VOUCHER not in network.methods:
        ways = ",".join([*(method.value for method in network.methods), SignIn.VOUCHER.value])
        complain(f"Guests are not asked for vouchers yet: `wifidogctl network set {network.name} --sign-in {ways}`.")


async def list_all(errand: Errand) -> None:
    """List vouchers in the order in which they were made."""
    vouchers = await _vouchers(errand)
    if errand.arguments.json:
        print_json([_document(voucher, errand.now) for voucher in vouchers])
    elif vouchers:
        print_table(HEADINGS, [_row(voucher, errand.now) for voucher in vouchers])
    else:
        print("There are no vouchers: make some with `wifidogctl voucher create --plan PLAN --count N`.")


async def export(errand: Errand) -> None:
    """Write vouchers for a spreadsheet."""
    documents = [_document(voucher, errand.now) for voucher in await _vouchers(errand)]
    columns = ("voucher_id", "code", "batch", "plan", "network", "state", "valid_until", "created_at", "first_used_at")
    lines = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    lines.writeheader()
    lines.writerows(documents)


async def revoke(errand: Errand) -> None:
    """Take back one voucher or a batch."""
    wanted = errand.arguments
    code_hash = hash_secret(wanted.code) if wanted.code else None
    revoked = await errand.transaction(partial(revoke_vouchers, code_hash=code_hash, batch=wanted.batch))
    if not revoked:
        raise NotDone(
            "No voucher that is still good is meant by that: `wifidogctl voucher list` shows those there are."
        )
    print(f"Took back {count(revoked, 'voucher')}.")


async def sheet(errand: Errand) -> None:
    """Write the page to print."""
    wanted = errand.arguments
    unused = [voucher for voucher in await _vouchers(errand) if _state(voucher, errand.now) == "new" and voucher.code]
    if not unused:
        raise NotDone(f"Batch {wanted.batch} has no unused voucher: `wifidogctl voucher list` shows those there are.")
    first = unused[0]
    network = await errand.transaction(partial(_network, name=first.network))
    plan = await errand.transaction(partial(_plan, name=first.plan))
    if wanted.server is None:
        complain(f"The QR codes lead to {guess_url('tcp:8080')}: name another address with --server.")
    page = write_sheet(
        [voucher.code for voucher in unused if voucher.code],
        f"{wanted.server or guess_url('tcp:8080')}/{wanted.path.strip('/')}/v/".replace("//v/", "/v/"),
        network=network,
        plan=plan,
        batch=wanted.batch,
        valid_until=first.valid_until and first.valid_until - timedelta(seconds=1),
        now=errand.now,
        language=wanted.language,
    )
    sys.stdout.buffer.write(page.encode())


async def _vouchers(errand: Errand) -> list[Voucher]:
    vouchers = await errand.transaction(partial(list_vouchers, limit=MOST, batch=errand.arguments.batch))
    if len(vouchers) == MOST:
        complain(f"These are only the first {MOST}: see others with --batch.")
    return vouchers


async def _network(cursor: Cursor, name: str) -> Network:
    for network in await fetch_networks(cursor):
        if network.name == name:
            return network
    raise NotDone(f"There is no network {name}: `wifidogctl network list` shows those there are.")


async def _plan(cursor: Cursor, name: str) -> Plan:
    return next(plan for plan in await fetch_plans(cursor) if plan.name == name)


def _state(voucher: Voucher, now: datetime) -> str:
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
        _state(voucher, now),
        instant(voucher.valid_until) or "-",
    )


def _document(voucher: Voucher, now: datetime) -> dict[str, object]:
    return {
        "voucher_id": voucher.voucher_id,
        "code": show_code(voucher.code) if voucher.code else None,
        "batch": voucher.batch,
        "plan": voucher.plan,
        "network": voucher.network,
        "state": _state(voucher, now),
        "valid_until": instant(voucher.valid_until),
        "created_at": instant(voucher.created_at),
        "first_used_at": instant(voucher.first_used_at),
    }
