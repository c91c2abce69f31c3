"""Pieces of command line that several nouns share."""

from __future__ import annotations

import os
from argparse import ArgumentParser
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
