"""Where guests and gateways reach the server."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """
    The address of the server and its path.

    @ivar url: scheme, host and, where it is not the scheme's own, port.
    @ivar path: starts and ends with a slash.
    @ivar is_guess: True when nobody has said how others reach this machine.
    """

    url: str
    path: str
    is_guess: bool = False

    @property
    def host(self) -> str:
        """The name or address, an IPv6 address without brackets."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port, also where the URL does not name it."""
        parts = urlsplit(self.url)
        return parts.port or PORTS[parts.scheme]

    @property
    def tls(self) -> bool:
        """Whether the port speaks HTTPS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def pages(self) -> str:
        """What the addresses of all pages begin with; ends with a slash."""
        return self.url + self.path


def origin(scheme: str, host: str, port: int) -> str:
    """
    Return the URL of a server, without the port where it is the scheme's own.

    @param host: a name or an address, an IPv6 address without brackets.
    """
    written = f"[{host}]" if ":" in host else host
    return f"{scheme}://{written}" if port == PORTS[scheme] else f"{scheme}://{written}:{port}"
