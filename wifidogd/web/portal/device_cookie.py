"""
The cookie by which a remembered device is recognized: one for each network, needed for nothing else; pure.

Where guests reach the server over TLS its name begins with C{__Host-}: then
browsers take it from this very host over TLS only, so that neither a
neighbouring name nor anybody on the way can give a guest the cookie of another
device (RFC 6265bis 4.1.3.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wifidogd.domain.guests import DeviceCookie

_PREFIX = "device-"
_OF_TLS = "__Host-"
_ONE = re.compile(r"\s*(__Host-)?device-([a-z0-9][a-z0-9_-]{0,31})=([0-9a-z]{32})\s*")
_MOST_OCTETS = 4096

_LONGEST = timedelta(days=400)
"""How long browsers keep a cookie at most (RFC 6265bis 5.5); the database knows when its device is forgotten."""


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """
    The keys that a browser has sent.

    @ivar by_network: good ones and others.
    @ivar unprefixed: networks of which the key came under the name that is used without TLS.
    """

    by_network: Mapping[str, str] = field(default_factory=dict, repr=False)
    unprefixed: frozenset[str] = frozenset()


def keys_in(header: str) -> DeviceKeys:
    """
    Read the Cookie header of a request.

    @return: for each network the key of TLS if there is one; other and damaged cookies are left out.
    """
    found = [match for part in header[:_MOST_OCTETS].split(";") if (match := _ONE.fullmatch(part))]
    plain = {network: key for prefix, network, key in (match.groups() for match in found) if not prefix}
    of_tls = {network: key for prefix, network, key in (match.groups() for match in found) if prefix}
    return DeviceKeys(plain | of_tls, frozenset(plain.keys() - of_tls.keys()))


def set_cookies(network: str, cookie: DeviceCookie, path: str, now: datetime, *, is_secure: bool) -> tuple[str, ...]:
    """
    Return the Set-Cookie headers by which a browser keeps the key of its device.

    @param path: under which the server is reached, with slashes around.
    @param is_secure: whether the guest reaches it over TLS; then the cookie comes back over nothing else, for every
        path, as its name demands.
    """
    seconds = max(0, int((cookie.until - now).total_seconds()))
    kept = f"{_PREFIX}{network}={cookie.key}; Max-Age={seconds}"
    if not is_secure:
        return (f"{kept}; Path={path}; HttpOnly; SameSite=Lax",)
    return (_dropped(network, path), f"{_OF_TLS}{kept}; Path=/; HttpOnly; SameSite=Lax; Secure")


def move_cookies(network: str, key: str, path: str, now: datetime) -> tuple[str, ...]:
    """Return the Set-Cookie headers by which a browser keeps its key under the name of TLS, and no other."""
    return set_cookies(network, DeviceCookie(key, now + _LONGEST), path, now, is_secure=True)


def drop_cookies(network: str, path: str) -> tuple[str, ...]:
    """Return the Set-Cookie headers that make the browser forget the key, whatever its name."""
    of_tls = f"{_OF_TLS}{_PREFIX}{network}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure"
    return (of_tls, _dropped(network, path))


def _dropped(network: str, path: str) -> str:
    return f"{_PREFIX}{network}=; Max-Age=0; Path={path}; HttpOnly; SameSite=Lax"
