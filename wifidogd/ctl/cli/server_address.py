"""Where gateways and guests reach the server: what was typed, else what the running server has recorded."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import replace
from urllib.parse import urlsplit

from wifidogd.ctl.cli.arguments import port, setting
from wifidogd.ctl.cli.command import Command
from wifidogd.ctl.cli.output import complain
from wifidogd.domain.errors import ConfigurationError
from wifidogd.domain.server_address import PORTS, ServerAddress, origin
from wifidogd.runtime.endpoints import guess_url
from wifidogd.settings import DEFAULT_LISTEN, checked_path, checked_url
from wifidogd.store.gateways.server_address import fetch_server_address

NEVER_STARTED = (
    "No server has been started on this database, so {url}{path} is a guess: start the server first, or name its "
    "address with --server and its path with --path."
)
GUESSED = (
    "The server guesses that others reach it at {url}: name another address with --server, or start the server with "
    "--public-url."
)


def server_options() -> ArgumentParser:
    """Return the options about the server, as a parent of the parsers of commands that need it."""
    parser = ArgumentParser(add_help=False)
    parser.add_argument(
        "--server",
        type=server,
        default=setting("public-url"),
        metavar="HOST",
        help="this server as routers and guests reach it: a name, an address or a URL such as https://wifi.example "
        "(default: $WIFIDOGD_PUBLIC_URL, else what the running server has recorded)",
    )
    parser.add_argument("--server-port", type=port, metavar="P", help="its port (default: as in --server)")
    parser.add_argument(
        "--path",
        type=path,
        default=setting("path"),
        help="its --path (default: $WIFIDOGD_PATH, else what the running server has recorded)",
    )
    return parser


async def find_server(command: Command) -> ServerAddress:
    """Return where the server is; a warning goes to standard error if nobody knows for certain."""
    recorded = await command.transaction(fetch_server_address)
    known = recorded or _guess()
    found = as_typed(command.arguments, known)
    if found.is_guess:
        warning = NEVER_STARTED if recorded is None else GUESSED
        complain(warning.format(url=found.url, path=found.path))
    return found


def as_typed(typed: Namespace, known: ServerAddress) -> ServerAddress:
    """
    Return the address with what was typed instead of what is known.

    A host without a scheme has the scheme and the port that are known; only a host that was typed is no guess.
    """
    if typed.server is None:
        scheme, host, typed_port = "https" if known.tls else "http", known.host, known.port
    elif "://" in typed.server:
        url = urlsplit(typed.server)
        scheme, host, typed_port = url.scheme, url.hostname or "", url.port or PORTS[url.scheme]
    else:
        url = urlsplit(f"//{typed.server}")
        scheme, host, typed_port = "https" if known.tls else "http", url.hostname or "", url.port or known.port
    return replace(
        known,
        url=origin(scheme, host, typed.server_port or typed_port),
        path=typed.path or known.path,
        is_guess=known.is_guess and typed.server is None,
    )


def server(text: str) -> str:
    """
    Check the name, address or URL of the server.

    @return: as it was typed, without a slash at the end.
    """
    typed = text.rstrip("/")
    try:
        url = checked_url(typed if "://" in typed else f"http://{typed}")
    except ConfigurationError:
        url = None
    if url is None or ":" in (urlsplit(url).hostname or ""):
        raise ArgumentTypeError(f"{text!r} is no server: write wifi.example, 192.168.1.2 or https://wifi.example:8443")
    return typed


def path(text: str) -> str:
    """Check the path under which the server answers gateways; slashes around it are added."""
    try:
        return checked_path(text)
    except ConfigurationError as error:
        raise ArgumentTypeError(str(error)) from None


def _guess() -> ServerAddress:
    """Return what a server would guess that is started with the same environment."""
    listen = (setting("listen") or DEFAULT_LISTEN).split()[0]
    return ServerAddress(guess_url(listen), "/wifidog/", is_guess=True)
