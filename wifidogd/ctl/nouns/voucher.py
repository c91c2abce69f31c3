"""wifidogctl voucher: codes on paper that sign guests in."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from functools import partial

from wifidogd.access.voucher_batches import SpaceIsFull, make_batch
from wifidogd.ctl.cli.arguments import JSON, add_nouns, end_of, positive, until
from wifidogd.ctl.cli.command import Command, CommandFailed
from wifidogd.ctl.cli.output import complain, count, instant, print_json
from wifidogd.ctl.nouns.network import find_network, network_name
from wifidogd.ctl.nouns.voucher_list import MOST, batch_name, export, list_all, no_batch
from wifidogd.ctl.nouns.voucher_sheet import add_sheet
from wifidogd.domain.errors import StoreRefused
from wifidogd.domain.plans import SignInMethod
from wifidogd.domain.reports.unreached_limits import doubts_about_plan
from wifidogd.domain.tokens import hash_secret
from wifidogd.domain.voucher_codes import ALPHABET, LONGEST_PREFIX, mint_code, read_code, read_prefix, show_code
from wifidogd.store.access.vouchers import Order, list_vouchers, revoke_vouchers
from wifidogd.store.accounting.plans import fetch_plans
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.gateways import fetch_gateways


def add_parser(nouns: Callable[..., ArgumentParser]) -> None:
    """Add the noun and its verbs."""
    verbs = add_nouns(nouns("voucher", help="codes on paper that sign guests in"))
    _add_create(verbs)
    listing = verbs("list", parents=[JSON], help="list vouchers; codes are shown until they are used")
    listing.add_argument("--batch", type=batch_name, metavar="NAME", help="only of this batch")
    listing.set_defaults(command=list_all)
    revoking = verbs(
        "revoke",
        help="revoke vouchers",
        description="Revoke vouchers.  Guests who are online with them go offline when the gateway next reports, "
        "within a minute by default.",
    )
    which = revoking.add_mutually_exclusive_group(required=True)
    which.add_argument("code", type=code, nargs="?", metavar="CODE", help="one voucher, by its code")
    which.add_argument("--batch", type=batch_name, metavar="NAME", help="all vouchers of a batch")
    revoking.set_defaults(command=revoke)
    exporting = verbs("export", help="write vouchers as CSV to standard output")
    exporting.add_argument("--batch", type=batch_name, metavar="NAME", help="only of this batch")
    exporting.set_defaults(command=export)
    add_sheet(verbs)


def _add_create(verbs: Callable[..., ArgumentParser]) -> None:
    parser = verbs("create", parents=[JSON], help="make vouchers", description="Make a batch of new vouchers.")
    parser.add_argument("--plan", required=True, metavar="PLAN", help="what each of them allows")
    parser.add_argument("--count", required=True, type=how_many, metavar="N", help=f"how many, {MOST} at most")
    parser.add_argument("--network", type=network_name, default="default", metavar="NAME", help="where they are good")
    parser.add_argument("--prefix", type=prefix, metavar="X", help="what all their codes begin with")
    parser.add_argument("--valid-until", type=until, metavar="D", help="last day, like 2027-01-31; or an instant")
    parser.add_argument("--batch", type=batch_name, metavar="NAME", help="what to call them (default: date and time)")
    parser.set_defaults(command=create)


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


async def create(command: Command) -> None:
    """Make a batch, or nothing."""
    wanted = command.arguments
    network = await command.transaction(partial(find_network, name=wanted.network))
    order = Order(
        wanted.batch or f"{command.now:%Y-%m-%d %H.%M.%S}",
        wanted.plan,
        wanted.network,
        end_of(wanted.valid_until, network.time_zone) if wanted.valid_until else None,
    )
    if order.valid_until is not None and order.valid_until <= command.now:
        raise CommandFailed(f"Those vouchers would have ended at {instant(order.valid_until)}: name a day to come.")

    async def work(cursor: Cursor) -> tuple[list[str], list[str]]:
        if await list_vouchers(cursor, 1, order.batch):
            raise CommandFailed(f"There is a batch {order.batch} already: name another one with --batch.")
        made = await make_batch(cursor, order, wanted.count, command.now, partial(mint_code, wanted.prefix or ""))
        gateways = [each for each in await fetch_gateways(cursor) if each.network == wanted.network]
        plans = [plan for plan in await fetch_plans(cursor) if plan.name == wanted.plan]
        return made, [doubt for plan in plans for doubt in doubts_about_plan(plan, gateways)]

    try:
        codes, doubts = await command.transaction(work)
    except StoreRefused:
        raise CommandFailed(f"There is no plan {wanted.plan}: `wifidogctl plan list` shows those there are.") from None
    except SpaceIsFull as error:
        raise CommandFailed(f"Nothing was made, {error}: use another prefix.") from None
    if wanted.json:
        print_json({"batch": order.batch, "codes": [show_code(code) for code in codes]})
    else:
        print(f"Made {count(len(codes), 'voucher')}: print them with")
        print(f'wifidogctl voucher sheet --batch "{order.batch}" > sheet.html')
    complain(*doubts)
    if SignInMethod.VOUCHER not in network.methods:
        ways = ",".join([*(method.value for method in network.methods), SignInMethod.VOUCHER.value])
        complain(f"Guests are not asked for vouchers yet: `wifidogctl network set {network.name} --sign-in {ways}`.")


async def revoke(command: Command) -> None:
    """Revoke one voucher or a batch."""
    wanted = command.arguments
    code_hash = hash_secret(wanted.code) if wanted.code else None
    revoked = await command.transaction(partial(revoke_vouchers, code_hash=code_hash, batch=wanted.batch))
    if not revoked:
        if wanted.batch and not await command.transaction(partial(list_vouchers, limit=1, batch=wanted.batch)):
            raise no_batch(wanted.batch)
        raise CommandFailed(
            "No voucher that is still good is meant by that: `wifidogctl voucher list` shows those there are."
        )
    print(f"Revoked {count(revoked, 'voucher')}.")
