"""The ways in which a client can be a bad_clients."""

from __future__ import annotations

from dataclasses import dataclass

PAGE = "/wifidog/login/?gw_address=10.0.0.1&gw_port=2060&gw_id={gw_id}&mac=02:00:00:00:00:01&url=http%3A%2F%2Fa.example"


@dataclass(frozen=True, slots=True)
class Kind:
    """
    A way to be a bad_clients.

    @ivar says: what the client sends before it falls silent.
    @ivar reads: whether it takes what it is sent.
    @ivar buffer: octets that its kernel keeps for it to read; None for what is usual.
    """

    says: bytes = b""
    reads: bool = True
    buffer: int | None = None


def kind_named(name: str, gw_id: str = "gw-1") -> Kind:
    """
    Make one of the L{NAMES}.

    @param gw_id: a gateway that the server knows, for who asks for pages.
    """
    page = PAGE.format(gw_id=gw_id)
    half_body = f"POST {page} HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    return {
        "silent": Kind(),
        "half-head": Kind(b"GET /wifidog/ping/?gw_id=gw-1 HTTP/1.0\r\nUser-Agent: WiFi"),
        "half-body": Kind(f"{half_body}Content-Length: 200\r\n\r\nname=zo".encode()),
        "never-reading": Kind(f"GET {page} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * 20, reads=False, buffer=2048),
    }[name]


NAMES = ("silent", "half-head", "half-body", "never-reading")
