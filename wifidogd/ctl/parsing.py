"""Pieces of command line that several nouns share."""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable

JSON = ArgumentParser(add_help=False)
JSON.add_argument("--json", action="store_true", help="print one JSON document: octets, seconds, ISO 8601 instants")


def add_nouns(parser: ArgumentParser, what: str = "VERB") -> Callable[..., ArgumentParser]:
    """
    Let a parser take one of several words.

    @return: adds one: name, help and what else L{ArgumentParser} takes.
    """
    return parser.add_subparsers(required=True, metavar=what).add_parser


def setting(name: str) -> str | None:
    """Look up what the environment says about an option, as the server does; None for nothing."""
    return os.environ.get(f"WIFIDOGD_{name.upper().replace('-', '_')}") or None


def server(text: str) -> str:
    """Check the address of a server that others are to open."""
    if not re.fullmatch(r"https?://[^\s/?#@]+/?", text):
        raise ArgumentTypeError(f"{text!r} is no address of a server: write it like https://wifi.example.org")
    return text.rstrip("/")
