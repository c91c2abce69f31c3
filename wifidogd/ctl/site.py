"""Where browsers open the server, as far as a command beside it can know."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from wifidogd.ctl.parsing import setting
from wifidogd.options import DEFAULT_LISTEN
from wifidogd.reach import guess_url


def add_site(parser: ArgumentParser, whose: str) -> None:
    """
    Let a command be told where the server is.

    @param whose: how whose browsers reach it, for the help.
    """
    parser.add_argument(
        "--server",
        metavar="URL",
        type=server,
        default=setting("public-url"),
        help=f"{whose} (default: this machine's address)",
    )
    parser.add_argument(
        "--path",
        metavar="PATH",
        default=setting("path") or "/wifidog/",
        help="the server's --path (default: %(default)s)",
    )


def server_of(arguments: Namespace) -> str:
    """Name the server by what was said, or by the server's own guess."""
    return arguments.server or guess_url(DEFAULT_LISTEN)


def site_of(arguments: Namespace) -> str:
    """Put together what was said: the address that all pages begin with, ending in a slash."""
    path = arguments.path.strip("/")
    return f"{server_of(arguments)}/{path}/" if path else f"{server_of(arguments)}/"


def server(text: str) -> str:
    """Check the address of a server that others are to open."""
    if not re.fullmatch(r"https?://[^\s/?#@]+/?", text):
        raise ArgumentTypeError(f"{text!r} is no address of a server: write it like https://wifi.example.org")
    return text.rstrip("/")
