"""Where gateways find the server, as far as a command beside it can know."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import dataclass
from urllib.parse import urlsplit

from wifidogd.ctl.cli.arguments import port, setting
from wifidogd.ctl.cli.output import seconds
from wifidogd.domain.errors import ConfigurationError
from wifidogd.domain.gateways import Gateway
from wifidogd.gateways.router_config import auth_server_block, gateway_conf
from wifidogd.runtime.endpoints import guess_url
from wifidogd.settings import DEFAULT_LISTEN, checked_path, checked_url

PORT = 8080
"""Of a server that was named without one, as in L{DEFAULT_LISTEN}."""

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class AuthServer:
    """
    The server as gateways and guests reach it.

    @ivar tls: whether C{port} speaks HTTPS.
    @ivar path: starts and ends with a slash.
    """

    host: str
    port: int
    tls: bool
    path: str

    def conf(self, gateway: Gateway, key: str | None) -> str:
        """Write what belongs into a gateway's wifidog.conf; C{key} is None for a gateway without."""
        return gateway_conf(gateway, auth_server_block(self.host, self.port, self.tls, self.path, key))

    def document(self, gateway: Gateway, key: str | None) -> dict[str, object]:
        """Say the same to scripts; C{key} is None where it is not known either."""
        return {
            "gw_id": gateway.gw_id,
            "gateway_port": gateway.port,
            "check_interval_seconds": seconds(gateway.interval),
            "keyed": bool(gateway.key_hashes) or key is not None,
            "key": key,
            "auth_server": {"hostname": self.host, "port": self.port, "tls": self.tls, "path": self.path},
        }


def server_options() -> ArgumentParser:
    """Describe what may be said about the server, for the parsers of commands that need it."""
    parser = ArgumentParser(add_help=False)
    parser.add_argument(
        "--server",
        type=server,
        default=setting("public-url"),
        metavar="HOST",
        help="this server as routers and guests reach it: a name, an address or a URL such as https://wifi.example "
        "(default: $WIFIDOGD_PUBLIC_URL, else a guess)",
    )
    parser.add_argument("--server-port", type=port, metavar="P", help=f"its port (default: {PORT}, or as in the URL)")
    parser.add_argument(
        "--path", type=path, default=setting("path") or "/wifidog/", help="its --path (default: %(default)s)"
    )
    return parser


def auth_server_of(arguments: Namespace) -> AuthServer:
    """Put together what was said about the server, with the server's own guess if nothing was."""
    listen = (setting("listen") or DEFAULT_LISTEN).split()[0]
    url = urlsplit(arguments.server or guess_url(listen))
    return AuthServer(
        host=url.hostname or "",
        port=arguments.server_port or url.port or PORTS[url.scheme],
        tls=url.scheme == "https",
        path=arguments.path,
    )


def server(text: str) -> str:
    """
    Check the name, address or URL of the server.

    @return: a URL of scheme, host and, where it is not the scheme's own, port.
    """
    try:
        url = checked_url(text if "://" in text else f"http://{text}")
    except ConfigurationError:
        url = None
    if url is None or ":" in (urlsplit(url).hostname or ""):
        raise ArgumentTypeError(f"{text!r} is no server: write wifi.example, 192.168.1.2 or https://wifi.example:8443")
    return url if "://" in text or urlsplit(url).port else f"{url}:{PORT}"


def path(text: str) -> str:
    """Check the path under which the server answers gateways."""
    try:
        return checked_path(text)
    except ConfigurationError as error:
        raise ArgumentTypeError(str(error)) from None


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


def site(text: str) -> str:
    """Check the address of a server that others are to open."""
    if not re.fullmatch(r"https?://[^\s/?#@]+/?", text):
        raise ArgumentTypeError(f"{text!r} is no address of a server: write it like https://wifi.example.org")
    return text.rstrip("/")
