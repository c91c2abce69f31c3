"""
The bytes of wifidog-gateway 1.3.0 and of a guest's browser, and what they make of the answers; pure.

Requests are those of the recorded transcripts, byte for byte; answers are read as the gateway's own code does
(docs/protocol.md 6.1): it looks for its mark anywhere in what it received, whatever the status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import Octets, Stage

_VERDICT = re.compile(rb"Auth: +([+-]?[0-9]+)")
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")
_HEADER = re.compile(rb"\r\n(Location|Content-Length): *([^\r\n]*)", re.IGNORECASE)
_COOKIE = re.compile(r"\r\nSet-Cookie: *([^=;\r\n]+)=([^;\r\n]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Server:
    """
    The auth server, as a gateway's configuration names it.

    @ivar path: starts and ends with a slash.
    """

    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Page:
    """
    An answer as a browser sees it.

    @ivar location: where it leads; None for nowhere.
    @ivar cookies: what it sets, by name; a simulation is over before a cookie expires.
    """

    status: int
    location: str | None
    body: str
    cookies: Mapping[str, str] = field(default_factory=dict)


def ping(server: Server, gw_id: str, uptime: int) -> bytes:
    """Write a ping; C{uptime} is that of the gateway software, in seconds."""
    said = f"gw_id={gw_id}&sys_uptime={uptime + 30}&sys_memfree=51200&sys_load=0.12&wifidog_uptime={uptime}"
    return _request(server, f"ping/?{said}")


def report(server: Server, stage: Stage, gw_id: str, ip: str, mac: str, token: str, totals: Octets) -> bytes:
    """Write what a gateway says about a guest."""
    who = f"stage={stage.value}&ip={ip}&mac={mac}&token={token}"
    return _request(server, f"auth/?{who}&incoming={totals.incoming}&outgoing={totals.outgoing}&gw_id={gw_id}")


def get(server: Server, target: str, cookies: Mapping[str, str] | None = None) -> bytes:
    """Ask for a page as a browser that has these cookies; C{target} is path and query."""
    return f"GET {target} HTTP/1.0\r\n{_browser(server, cookies)}\r\n".encode()


def post(server: Server, target: str, fields: Mapping[str, str], cookies: Mapping[str, str] | None = None) -> bytes:
    """Send a form as a browser that has these cookies."""
    form = urlencode(fields)
    head = f"POST {target} HTTP/1.0\r\n{_browser(server, cookies)}Content-Type: application/x-www-form-urlencoded\r\n"
    return f"{head}Content-Length: {len(form)}\r\n\r\n{form}".encode()


def login_target(server: Server, gateway: Gateway, ip: str, mac: str, wanted: str) -> str:
    """Build the address to which a gateway sends a guest that it has caught (its C{src/http.c})."""
    where = f"gw_address={gateway.address}&gw_port={gateway.port}&gw_id={gateway.gw_id}"
    return f"{server.path}login/?{where}&ip={ip}&mac={mac}&url={quote(wanted, safe='')}"


def portal_target(server: Server, gw_id: str) -> str:
    """Build the address to which a released gateway sends a guest that it has let in (its C{src/auth.c}): no token."""
    return f"{server.path}portal/?gw_id={gw_id}"


def message_target(server: Server, message: str) -> str:
    """Build the address at which a released gateway has the server explain what it did not do: no token."""
    return f"{server.path}gw_message.php?message={message}"


def read_verdict(raw: bytes) -> int | None:
    """Find the verdict as the gateway does; None for none, which it takes as an error."""
    before, mark, _ = raw.partition(b"Auth: ")
    found = _VERDICT.match(raw, len(before)) if mark else None
    return None if found is None else int(found[1])


def says_pong(raw: bytes) -> bool:
    """Look for C{Pong} as the gateway does."""
    return b"Pong" in raw


def read_status(raw: bytes) -> int | None:
    """Read the HTTP status, which gateways ignore; None if there is none."""
    found = _STATUS.match(raw)
    return None if found is None else int(found[1])


def read_page(raw: bytes) -> Page | None:
    """Read an answer as a browser; None if it is none, or cut off."""
    head, end, body = raw.partition(b"\r\n\r\n")
    status = read_status(raw)
    headers = {name.lower(): value for name, value in _HEADER.findall(head)}
    if status is None or not end or len(body) != int(headers.get(b"content-length", len(body))):
        return None
    location, cookies = headers.get(b"location"), dict(_COOKIE.findall(head.decode("latin-1")))
    leads_to = None if location is None else location.decode("latin-1")
    return Page(status, leads_to, body.decode("utf-8", "replace"), cookies)


def _request(server: Server, target: str) -> bytes:
    """Write a request of the gateway: its host goes without the port."""
    head = f"GET {server.path}{target} HTTP/1.0\r\n"
    return f"{head}User-Agent: WiFiDog 1.3.0\r\nHost: {server.host}\r\n\r\n".encode()


def _browser(server: Server, cookies: Mapping[str, str] | None) -> str:
    head = f"Host: {server.host}:{server.port}\r\nUser-Agent: Mozilla/5.0 (wifidogctl simulate)\r\n"
    kept = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
    return f"{head}Cookie: {kept}\r\n" if kept else head
