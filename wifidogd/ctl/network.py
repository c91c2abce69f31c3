"""wifidogctl network: what groups of gateways offer to guests."""

from __future__ import annotations

import re
import sys
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

from wifidogd.ctl.errand import Errand
from wifidogd.ctl.parsing import JSON, add_nouns
from wifidogd.ctl.printing import print_json, print_table, seconds
from wifidogd.ctl.units import (
    duration_or_none,
    octets_or_none,
    retention,
    show_duration,
    show_octets,
    stale_after,
)
from wifidogd.model import Network, SignIn
from wifidogd.store.database import Cursor
from wifidogd.store.networks import fetch_networks, save_network

LONGEST_TERMS = 4_000
"""Characters."""


def add_parser(nouns: Callable[..., ArgumentParser]) -> None:
    """Describe the noun and its verbs."""
    verbs = add_nouns(nouns("network", help="what groups of gateways offer to guests"))
    verbs("list", parents=[JSON], help="list the networks").set_defaults(command=list_all)
    parser = verbs(
        "set",
        help="make a network or change it",
        description="Make a network, or change what is named of it.  Limits apply to sessions that begin afterwards.",
    )
    parser.add_argument("name", type=network_name, metavar="NAME", help="short name: a-z, 0-9, - and _")
    options: tuple[tuple[str, str, str, Callable[[str], object], str], ...] = (
        ("--title", "title", "T", title, "what guests read"),
        ("--sign-in", "methods", "HOW", methods, "splash, account or voucher; several separated by commas"),
        ("--time-limit", "time_limit", "2h", duration_or_none, "of one stay; none for no limit"),
        ("--quota", "quota_octets", "500MB", octets_or_none, "of one stay, both directions; none for no limit"),
        ("--stale", "stale_after", "10m", stale_after, "a session without a report for this long has ended"),
        ("--terms-file", "terms", "FILE", read_terms, "terms of use, plain text; - for standard input"),
        ("--retention", "retention", "365d", retention, "how long past sessions are kept; 0 for ever"),
    )
    for option, field, example, read, says in options:
        parser.add_argument(option, dest=field, metavar=example, type=read, default=SUPPRESS, help=says)
    parser.set_defaults(command=change)


def network_name(text: str) -> str:
    """Check a network's key."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", text):
        raise ArgumentTypeError(f"{text!r} cannot name a network: 1 to 32 of a-z, 0-9, - and _, as in hotel-lobby")
    return text


def title(text: str) -> str:
    """Check what guests read."""
    if not 1 <= len(text) <= 100 or not text.isprintable():
        raise ArgumentTypeError("a title is one line of 1 to 100 characters")
    return text


def methods(text: str) -> tuple[SignIn, ...]:
    """Read how guests may sign in, in the order they are offered."""
    try:
        return tuple(dict.fromkeys(SignIn(name.strip()) for name in text.split(",")))
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is no way to sign in: write splash, account or voucher, or several separated by commas"
        ) from None


def read_terms(name: str) -> dict[str, str]:
    """Read the terms of use from a file, or from standard input for C{-}."""
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        terms = raw.decode("utf-8").replace("\r\n", "\n").strip()
    except (OSError, ValueError) as error:
        raise ArgumentTypeError(f"cannot read {name}: {error}") from None
    if len(terms) > LONGEST_TERMS:
        raise ArgumentTypeError(f"{name} has {len(terms)} characters: {LONGEST_TERMS} are the most that fit")
    if "\0" in terms:
        raise ArgumentTypeError(f"{name} is not plain text")
    return {"en": terms} if terms else {}


async def list_all(errand: Errand) -> None:
    """List the networks by name."""
    networks = await errand.transaction(fetch_networks)
    if errand.arguments.json:
        print_json([_document(network) for network in networks])
        return
    print_table(
        ("NETWORK", "TITLE", "SIGN-IN", "TIME", "QUOTA", "STALE", "TERMS", "KEPT"),
        [
            (
                network.name,
                network.title,
                ",".join(method.value for method in network.methods),
                show_duration(network.time_limit),
                show_octets(network.quota_octets),
                show_duration(network.stale_after),
                "yes" if network.terms else "no",
                "always" if network.retention is None else show_duration(network.retention),
            )
            for network in networks
        ],
    )


async def change(errand: Errand) -> None:
    """Make or change a network: what was not typed stays, or is as in every new one."""
    name = errand.arguments.name
    typed = vars(errand.arguments)
    changes = {field.name: typed[field.name] for field in fields(Network) if field.name in typed}

    async def work(cursor: Cursor) -> bool:
        known = {network.name: network for network in await fetch_networks(cursor)}
        return await save_network(cursor, replace(known.get(name, Network(name, name)), **changes))

    if await errand.transaction(work):
        print(f"Made network {name}: put a gateway into it with `wifidogctl gateway adopt GW_ID --network {name}`.")
    else:
        print(f"Changed network {name}.")


def _document(network: Network) -> dict[str, object]:
    return {
        "name": network.name,
        "title": network.title,
        "sign_in": [method.value for method in network.methods],
        "time_limit_seconds": seconds(network.time_limit),
        "quota_octets": network.quota_octets,
        "stale_after_seconds": seconds(network.stale_after),
        "terms": network.terms,
        "retention_seconds": seconds(network.retention),
    }
