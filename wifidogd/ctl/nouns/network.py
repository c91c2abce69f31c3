"""wifidogctl network: what groups of gateways offer to guests."""

from __future__ import annotations

import re
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Sequence
from dataclasses import fields, replace

from wifidogd.ctl.cli.arguments import (
    JSON,
    add_nouns,
    duration_or_none,
    octets_or_none,
    retention,
    show_duration,
    show_octets,
    stale_after,
)
from wifidogd.ctl.cli.command import Command, CommandFailed
from wifidogd.ctl.cli.output import complain, count, print_json, print_table, seconds
from wifidogd.ctl.nouns.gateway_list import doubts
from wifidogd.ctl.nouns.network_fields import (
    colour,
    grace,
    logo,
    mail_access,
    methods,
    name_or_none,
    remember,
    terms,
    time_zone,
    title,
    yes_or_no,
)
from wifidogd.ctl.nouns.preview import add_preview
from wifidogd.domain.plans import Network
from wifidogd.store.accounting.plans import fetch_plans
from wifidogd.store.driver.database import Cursor
from wifidogd.store.gateways.gateways import fetch_gateways
from wifidogd.store.gateways.networks import count_online, fetch_networks, save_network


def add_parser(nouns: Callable[..., ArgumentParser]) -> None:
    """Add the noun and its verbs."""
    verbs = add_nouns(nouns("network", help="what groups of gateways offer to guests"))
    verbs("list", parents=[JSON], help="list the networks").set_defaults(command=list_all)
    parser = verbs(
        "set",
        help="make a network or change it",
        description="Make a network, or change the settings that are named.  Limits apply to sessions that begin "
        "afterwards.",
    )
    parser.add_argument("name", type=network_name, metavar="NAME", help="short name: a-z, 0-9, - and _")
    options: tuple[tuple[str, str, str, Callable[[str], object], str], ...] = (
        ("--title", "title", "T", title, "what guests read"),
        ("--sign-in", "methods", "HOW", methods, "splash, account or voucher; several separated by commas"),
        ("--time-limit", "time_limit", "2h", duration_or_none, "of one session; none for no limit"),
        ("--quota", "quota_octets", "500MB", octets_or_none, "of one session, both directions; none for no limit"),
        ("--plan", "plan", "NAME", name_or_none(network_name), "limits over all sessions of a guest; none for no plan"),
        ("--time-zone", "time_zone", "ZONE", time_zone, "where days and opening hours count, like Europe/Berlin"),
        ("--stale", "stale_after", "10m", stale_after, "a session without a report for this long has ended"),
        ("--sign-up", "sign_up", "yes|no", yes_or_no, "whether guests may make accounts by e-mail"),
        ("--grace", "grace", "20m", grace, "how long they may be online before they follow the link"),
        ("--remember", "remember", "30d", remember, "how long a device may come back without a form; or none"),
        ("--remember-random", "remember_random", "1d", remember, "the same for one with a random MAC address"),
        ("--remember-mac", "remember_mac", "yes|no", yes_or_no, "whether its MAC address is enough for that"),
        ("--mail-access", "mail_access", "5m", mail_access, "internet without signing in, to read mail; or none"),
        ("--roaming", "roaming", "yes|no", yes_or_no, "whether guests go on at another router of it without a page"),
        (
            "--let-known-through",
            "lets_known_through",
            "yes|no",
            yes_or_no,
            "whether a device that is known need not tap either, at routers with a key",
        ),
        ("--colour", "colour", "#RRGGBB", colour, "main colour of the pages; none for ours"),
        ("--logo", "logo", "FILE", logo, "PNG or SVG shown on the pages; none for no logo"),
        ("--retention", "retention", "365d", retention, "how long past sessions are kept; 0 for ever"),
    )
    for option, field, example, read, says in options:
        parser.add_argument(option, dest=field, metavar=example, type=read, default=SUPPRESS, help=says)
    parser.add_argument(
        "--terms-file",
        metavar="[LANG=]FILE",
        dest="said",
        action="append",
        type=terms,
        default=[],
        help="terms of use in a language (default: en), plain text; - for standard input; an empty one removes them",
    )
    parser.set_defaults(command=change)
    add_preview(verbs)


def network_name(text: str) -> str:
    """Check a network's key."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", text):
        raise ArgumentTypeError(f"{text!r} cannot name a network: 1 to 32 of a-z, 0-9, - and _, as in hotel-lobby")
    return text


async def list_all(command: Command) -> None:
    """List the networks by name."""
    networks = await command.transaction(fetch_networks)
    if command.arguments.json:
        print_json([_document(network) for network in networks])
        return
    print_table(
        ("NETWORK", "TITLE", "SIGN-IN", "PLAN", "TIME", "QUOTA", "STALE", "TERMS", "KEPT"),
        [
            (
                network.name,
                network.title,
                ",".join(method.value for method in network.methods),
                network.plan or "-",
                show_duration(network.time_limit),
                show_octets(network.quota_octets),
                show_duration(network.stale_after),
                ",".join(sorted(network.terms)) or "-",
                "always" if network.retention is None else show_duration(network.retention),
            )
            for network in networks
        ],
    )


async def change(command: Command) -> None:
    """Make or change a network: what was not typed stays, or is as in every new one."""
    name = command.arguments.name
    typed = vars(command.arguments)
    changes = {field.name: typed[field.name] for field in fields(Network) if field.name in typed}

    async def work(cursor: Cursor) -> tuple[bool, int, list[str]]:
        known = {network.name: network for network in await fetch_networks(cursor)}
        if name in known and changes.keys() == {"name"} and not command.arguments.said:
            raise CommandFailed(
                f"Nothing to set for network {name} was named, such as --quota 500MB: "
                "`wifidogctl network set --help` shows all there is."
            )
        changed = _with_terms(replace(known.get(name, Network(name, name)), **changes), command.arguments.said)
        if "plan" in changes and changed.plan is not None:
            await _expect_plan(cursor, changed.plan)
        is_new, online = await save_network(cursor, changed), await count_online(cursor, name)
        return is_new, online, doubts(await fetch_gateways(cursor), [changed])

    is_new, online, doubtful = await command.transaction(work)
    for doubt in doubtful:
        complain(doubt)
    if is_new:
        print(f"Made network {name}: put a gateway into it with `wifidogctl gateway adopt GW_ID --network {name}`.")
    elif changes.keys() & {"time_limit", "quota_octets", "plan"}:
        print(f"Changed network {name}.  {count(online, 'guest')} online: sessions keep the limits they began with.")
    else:
        print(f"Changed network {name}.")


def _with_terms(network: Network, said: Sequence[tuple[str, str]]) -> Network:
    """Replace the terms in some languages; guests then accept another version."""
    merged = {language: text for language, text in {**network.terms, **dict(said)}.items() if text}
    if merged == network.terms:
        return network
    return replace(network, terms=merged, terms_version=network.terms_version + 1)


async def _expect_plan(cursor: Cursor, name: str) -> None:
    names = [plan.name for plan in await fetch_plans(cursor)]
    if name not in names:
        known = f"there is {', '.join(names)}" if names else "there is none yet"
        raise CommandFailed(f"There is no plan {name} ({known}): make it with `wifidogctl plan set {name}`.")


def _document(network: Network) -> dict[str, object]:
    return {
        "name": network.name,
        "title": network.title,
        "sign_in": [method.value for method in network.methods],
        "time_limit_seconds": seconds(network.time_limit),
        "quota_octets": network.quota_octets,
        "stale_after_seconds": seconds(network.stale_after),
        "plan": network.plan,
        "time_zone": network.time_zone,
        "sign_up": network.sign_up,
        "grace_seconds": seconds(network.grace),
        "remember_seconds": seconds(network.remember),
        "remember_random_seconds": seconds(network.remember_random),
        "remember_mac": network.remember_mac,
        "mail_access_seconds": seconds(network.mail_access),
        "roaming": network.roaming,
        "lets_known_through": network.lets_known_through,
        "colour": network.colour or None,
        "logo_octets": None if network.logo is None else len(network.logo),
        "terms": dict(network.terms),
        "terms_version": network.terms_version,
        "retention_seconds": seconds(network.retention),
    }


async def find_network(cursor: Cursor, name: str) -> Network:
    """
    Fetch a network.

    @raise CommandFailed: if there is none of that name.
    """
    for network in await fetch_networks(cursor):
        if network.name == name:
            return network
    raise CommandFailed(f"There is no network {name}: `wifidogctl network list` shows those there are.")
