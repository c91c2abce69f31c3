"""wifidogctl plan: limits over all sessions of a guest."""

from __future__ import annotations

import re
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, date, datetime, time, timedelta

from wifidogd.ctl.cli.arguments import (
    JSON,
    add_nouns,
    duration_or_none,
    end_of,
    octets_or_none,
    positive,
    show_duration,
    show_octets,
    until,
)
from wifidogd.ctl.cli.command import Command, CommandFailed
from wifidogd.ctl.cli.output import complain, count, instant, print_json, print_table, seconds
from wifidogd.ctl.nouns.network_fields import title
from wifidogd.domain.errors import ConfigurationError
from wifidogd.domain.opening_hours import EXAMPLE, read_hours
from wifidogd.domain.plans import Plan, TimeCounts, WhenFull
from wifidogd.domain.reports.unreached_limits import doubts_about_plan
from wifidogd.store.accounting.plans import count_online, count_users, fetch_plans, remove_plan, save_plan
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.gateways import fetch_gateways
from wifidogd.store.gateways.networks import fetch_networks

Option = tuple[str, str, str, Callable[[str], object], str]


def add_parser(nouns: Callable[..., ArgumentParser]) -> None:
    """Add the noun and its verbs."""
    verbs = add_nouns(nouns("plan", help="limits over all sessions of a guest"))
    verbs("list", parents=[JSON], help="list the plans").set_defaults(command=list_all)
    parser = verbs(
        "set",
        help="make a plan or change it",
        description="Make a plan, or change the limits that are named; they hold at once, also for guests online.  "
        "A plan limits all sessions of a voucher, an account or a device in a network together.",
    )
    parser.add_argument("name", type=plan_name, metavar="NAME", help="short name: a-z, 0-9, - and _")
    for option, field, example, read, says in _options():
        parser.add_argument(option, dest=field, metavar=example, type=read, default=SUPPRESS, help=says)
    parser.set_defaults(command=change)
    removing = verbs("remove", help="remove a plan that nothing uses")
    removing.add_argument("name", type=plan_name, metavar="NAME", help="which plan")
    removing.set_defaults(command=remove)


def _options() -> tuple[Option, ...]:
    return (
        ("--title", "title", "T", title, "what guests read"),
        ("--time", "time_limit", "2h", duration_or_none, "in all; none for no limit, as for the options below"),
        ("--time-counts", "time_counts", "wall|used", time_counts, "since first use (wall), or online only (used)"),
        ("--data", "total_octets", "500MB", octets_or_none, "both directions together"),
        ("--down", "incoming_octets", "500MB", octets_or_none, "to the guest"),
        ("--up", "outgoing_octets", "500MB", octets_or_none, "from the guest"),
        ("--devices", "devices", "N", devices, "online at the same time"),
        ("--when-full", "when_full", "refuse|replace", when_full, "one more device is refused, or replaces the oldest"),
        ("--valid-from", "valid_from", "D", first_day, "first day in UTC, like 2027-01-31; or an instant"),
        ("--valid-until", "valid_until", "D", last_day, "last day in UTC, like 2027-01-31; or an instant"),
        ("--hours", "hours", "HOURS", hours, f"opening hours where the network is, like '{EXAMPLE}'"),
        ("--day-time", "day_time", "2h", duration_or_none, "in a day, which begins at midnight"),
        ("--day-data", "day_octets", "500MB", octets_or_none, "the same, both directions together"),
        ("--span", "span", "24h", span, "length of the sliding window of the next two, 1h to 31d"),
        ("--span-time", "span_time", "2h", duration_or_none, "in any such window"),
        ("--span-data", "span_octets", "500MB", octets_or_none, "the same, both directions together"),
    )


def plan_name(text: str) -> str:
    """Check a plan's key."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", text) or text == "none":
        raise ArgumentTypeError(f"{text!r} cannot name a plan: 1 to 32 of a-z, 0-9, - and _, as in day-pass")
    return text


def time_counts(text: str) -> TimeCounts:
    """Read which time counts."""
    try:
        return TimeCounts(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} does not say which time counts: write wall or used") from None


def when_full(text: str) -> WhenFull:
    """Read what happens to a device above the limit."""
    try:
        return WhenFull(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} does not say what to do: write refuse or replace") from None


def devices(text: str) -> int | None:
    """Read a number of devices, or C{none}."""
    number = None if text.lower() == "none" else positive(text)
    if number is not None and number > 100:
        raise ArgumentTypeError(f"{text!r} is too many: 100 devices are the most, or none for no limit")
    return number


def hours(text: str) -> str:
    """Check opening hours; C{none} for always."""
    if text.lower() == "none":
        return ""
    try:
        read_hours(text)
    except ConfigurationError as error:
        raise ArgumentTypeError(str(error)) from None
    if len(text) > 400:
        raise ArgumentTypeError("opening hours have 400 characters at most")
    return text


def span(text: str) -> timedelta | None:
    """Read the length of a sliding window, or C{none}."""
    length = duration_or_none(text)
    if length is not None and not timedelta(hours=1) <= length <= timedelta(days=31):
        raise ArgumentTypeError(f"{text!r} is not from 1h to 31d")
    return length


def first_day(text: str) -> datetime | None:
    """Read when a plan begins, or C{none}."""
    begin = None if text.lower() == "none" else until(text)
    return datetime.combine(begin, time(), UTC) if type(begin) is date else begin  # type: ignore[return-value]


def last_day(text: str) -> datetime | None:
    """Read when a plan is over, or C{none}."""
    return None if text.lower() == "none" else end_of(until(text), "UTC")


async def list_all(command: Command) -> None:
    """List the plans by name."""
    plans = await command.transaction(fetch_plans)
    if command.arguments.json:
        print_json([_document(plan) for plan in plans])
    elif plans:
        print_table(
            ("PLAN", "TITLE", "TIME", "DATA", "DEVICES", "A DAY", "WINDOW", "HOURS"), [_row(plan) for plan in plans]
        )
    else:
        print("There are no plans: make one with `wifidogctl plan set NAME --time 2h --data 500MB`.")


async def change(command: Command) -> None:
    """Make or change a plan: what was not typed stays, or is no limit in a new one."""
    name, typed = command.arguments.name, vars(command.arguments)
    changes = {field.name: typed[field.name] for field in fields(Plan) if field.name in typed}

    async def work(cursor: Cursor) -> tuple[bool, int, list[str]]:
        known = {plan.name: plan for plan in await fetch_plans(cursor)}
        if name in known and changes.keys() == {"name"}:
            raise CommandFailed(
                f"Nothing to set for plan {name} was named, such as --data 500MB: "
                "`wifidogctl plan set --help` shows all there is."
            )
        plan = replace(known.get(name, Plan(name, name)), **changes)
        _expect_sense(plan)
        return await save_plan(cursor, plan), await count_online(cursor, name), await _doubts(cursor, plan)

    is_new, online, doubts = await command.transaction(work)
    for doubt in doubts:
        complain(doubt)
    if is_new:
        print(f"Made plan {name}: give it to a network's guests with `wifidogctl network set NETWORK --plan {name}`.")
    else:
        print(f"Changed plan {name}, which holds at once for {count(online, 'guest')} online.")


async def remove(command: Command) -> None:
    """Remove a plan, unless something uses it."""
    name = command.arguments.name

    async def work(cursor: Cursor) -> bool:
        nouns = ("network", "account", "voucher", "allowance")
        users = [
            count(number, noun) for number, noun in zip(await count_users(cursor, name), nouns, strict=True) if number
        ]
        if users:
            raise CommandFailed(f"Plan {name} is used by {', '.join(users)}: it can be changed, but not removed.")
        return await remove_plan(cursor, name)

    if not await command.transaction(work):
        raise CommandFailed(f"There is no plan {name}: `wifidogctl plan list` shows those there are.")
    print(f"Removed plan {name}.")


async def _doubts(cursor: Cursor, plan: Plan) -> list[str]:
    _, accounts, vouchers, _ = await count_users(cursor, plan.name)
    networks = {each.name for each in await fetch_networks(cursor) if accounts or vouchers or each.plan == plan.name}
    return doubts_about_plan(plan, [each for each in await fetch_gateways(cursor) if each.network in networks])


def _expect_sense(plan: Plan) -> None:
    """Refuse limits that contradict each other."""
    if (plan.span is None) != (plan.span_time is None and plan.span_octets is None):
        raise CommandFailed(
            "A sliding window needs its length and a limit: write --span 24h with --span-time or --span-data."
        )
    if plan.valid_from is not None and plan.valid_until is not None and plan.valid_until <= plan.valid_from:
        raise CommandFailed("The plan would end before it begins: write a later --valid-until.")


def _row(plan: Plan) -> tuple[str, ...]:
    total = show_octets(plan.total_octets)
    down, up = show_octets(plan.incoming_octets), show_octets(plan.outgoing_octets)
    return (
        plan.name,
        plan.title,
        show_duration(plan.time_limit) + (" online" if plan.time_limit and plan.time_counts is TimeCounts.USED else ""),
        total if down == up == "-" else f"{total} ({down} down, {up} up)",
        "-" if plan.devices is None else f"{plan.devices} ({plan.when_full.value})",
        _amount(plan.day_time, plan.day_octets),
        _amount(plan.span_time, plan.span_octets) + (f" in {show_duration(plan.span)}" if plan.span else ""),
        plan.hours or "always",
    )


def _amount(length: timedelta | None, octets: int | None) -> str:
    return " or ".join(part for part in (show_duration(length), show_octets(octets)) if part != "-") or "-"


def _document(plan: Plan) -> dict[str, object]:
    return {
        "name": plan.name,
        "title": plan.title,
        "time_limit_seconds": seconds(plan.time_limit),
        "time_counts": plan.time_counts.value,
        "total_octets": plan.total_octets,
        "incoming_octets": plan.incoming_octets,
        "outgoing_octets": plan.outgoing_octets,
        "devices": plan.devices,
        "when_full": plan.when_full.value,
        "valid_from": instant(plan.valid_from),
        "valid_until": instant(plan.valid_until),
        "hours": plan.hours,
        "day_time_seconds": seconds(plan.day_time),
        "day_octets": plan.day_octets,
        "span_seconds": seconds(plan.span),
        "span_time_seconds": seconds(plan.span_time),
        "span_octets": plan.span_octets,
    }
