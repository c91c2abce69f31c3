"""The page that a guest wanted before the gateway caught them, where it may be offered as a link."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv6Address
from urllib.parse import urlsplit, urlunsplit

import idna

from wifidogd.web.rendering.probe_hosts import is_probe

MAX_LENGTH = 1000

_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_HOST = re.compile(r"[a-z0-9._-]{1,253}")


def wanted_page(url: str, not_wanted: Collection[str]) -> str | None:
    """
    Return an address that a guest may want to continue to.

    @param not_wanted: hosts, lower-case, that make no sense there: this server and the gateway.
    @return: with its host as a browser would ask for it; None for anything but http and https to a host without
        credentials, for an operating system's probe, and for more than L{MAX_LENGTH} characters.
    """
    if len(url) > MAX_LENGTH or _UNPRINTABLE.search(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = _ascii_host(parts.hostname or ""), parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or host is None or "@" in parts.netloc:
        return None
    if host in not_wanted or is_probe(host, parts.path):
        return None
    if parts.netloc.isascii():
        return url
    return urlunsplit(parts._replace(netloc=host if port is None else f"{host}:{port}"))


def host_of(url: str) -> str:
    """
    Return the host of a page of L{wanted_page}, for people to read.

    Names beyond ASCII are shown as they are asked for (C{xn--...}), since those
    of two scripts, or of another than ours, may look like any other name.
    """
    return urlsplit(url).hostname or ""


def _ascii_host(host: str) -> str | None:
    """
    Return a host as the resolver is asked for it; None if it has none of the forms of a host.

    @param host: lower-case, without brackets.
    @raise ValueError: for an IPv6 address that is none.
    """
    if ":" in host:
        return None if "%" in host else str(IPv6Address(host))
    try:
        text = host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return None
    return text if _HOST.fullmatch(text) else None
