"""Where gateways find the server, as far as a command beside it can know."""

from __future__ import annotations

import re
import socket
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import dataclass
from urllib.parse import urlsplit

from wifidogd.ctl.parsing import setting
from wifidogd.ctl.printing import seconds
from wifidogd.ctl.units import port
from wifidogd.model import Gateway
from wifidogd.wifidog_conf import auth_server_block, gateway_conf

PORT = 8080
"""Where the server listens when nobody said otherwise."""

PATH = "/wifidog/"


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


def auth_server_of(arguments: Namespace) -> AuthServer:
    """Put together what was typed, C{WIFIDOGD_PUBLIC_URL} and C{WIFIDOGD_PATH}, and the server's defaults."""
    url = urlsplit(setting("public-url") or "")
    tls = arguments.tls or url.scheme == "https"
    known = url.port or ({"http": 80, "https": 443}.get(url.scheme, PORT))
    return AuthServer(
        host=arguments.server or url.hostname or own_address(),
        port=arguments.server_port or (443 if arguments.tls and not url.netloc else known),
        tls=tls,
        path=arguments.path or setting("path") or PATH,
    )


def own_address() -> str:
    """
    Guess under which address other machines reach this one: that of its way out.

    Nothing is sent: connecting a UDP socket only asks the routing table.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def host(text: str) -> str:
    """Check the name or address of the server."""
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", text):
        raise ArgumentTypeError(f"{text!r} is no host: write a name or an address, like portal.example.org")
    return text


def path(text: str) -> str:
    """Check the path under which the server answers gateways."""
    if not re.fullmatch(r"/(?:[A-Za-z0-9._~-]+/)*", text):
        raise ArgumentTypeError(f"{text!r} is no path: write it with a slash at both ends, like {PATH}")
    return text


SERVER = ArgumentParser(add_help=False)
SERVER.add_argument(
    "--server", type=host, metavar="HOST", help="this server as routers and guests reach it (default: a guess)"
)
SERVER.add_argument("--server-port", type=port, metavar="P", help=f"its port (default: {PORT}; 443 with --tls)")
SERVER.add_argument("--tls", action="store_true", help="it speaks HTTPS there")
SERVER.add_argument("--path", type=path, metavar="PATH", help=f"its --path (default: {PATH})")
