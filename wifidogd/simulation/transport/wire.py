"""The bytes of a guest's browser, and what browsers and gateways make of answers; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")
_HEADER = re.compile(rb"\r\n(Location|Content-Length): *([^\r\n]*)", re.IGNORECASE)
_COOKIE = re.compile(rb"\r\nSet-Cookie: *([^=;\r\n]+)=([^;\r\n]*)", re.IGNORECASE)


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
    @ivar cookies: that it sets, by name.
    """

    status: int
    location: str | None
    body: str
    cookies: Mapping[str, str] = field(default_factory=dict)


def get(server: Server, target: str, cookies: Mapping[str, str] | None = None) -> bytes:
    """Ask for a page as a browser; C{target} is path and query."""
    return f"GET {target} HTTP/1.0\r\n{_browser(server, cookies)}\r\n".encode()


def post(server: Server, target: str, fields: Mapping[str, str], cookies: Mapping[str, str] | None = None) -> bytes:
    """Send a form as a browser."""
    form = urlencode(fields)
    head = f"POST {target} HTTP/1.0\r\n{_browser(server, cookies)}Content-Type: application/x-www-form-urlencoded\r\n"
    return f"{head}Content-Length: {len(form)}\r\n\r\n{form}".encode()


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
    location = headers.get(b"location")
    return Page(
        status,
        None if location is None else location.decode("latin-1"),
        body.decode("utf-8", "replace"),
        {name.decode("latin-1"): value.decode("latin-1") for name, value in _COOKIE.findall(head)},
    )


def answer_body(raw: bytes) -> bytes:
    """Return what follows the head of an answer."""
    return raw.partition(b"\r\n\r\n")[2]


def _browser(server: Server, cookies: Mapping[str, str] | None) -> str:
    head = f"Host: {server.host}:{server.port}\r\nUser-Agent: Mozilla/5.0 (wifidogctl simulate)\r\n"
    kept = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
    return f"{head}Cookie: {kept}\r\n" if kept else head
