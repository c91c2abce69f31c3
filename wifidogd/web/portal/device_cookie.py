"""The cookie by which a remembered device is recognized: one for each network, needed for nothing else; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from wifidogd.domain.guests import DeviceCookie

_PREFIX = "device-"
_ONE = re.compile(r"\s*device-([a-z0-9][a-z0-9_-]{0,31})=([0-9a-z]{32})\s*")
_MOST_OCTETS = 4096


def keys_in(header: str) -> Mapping[str, str]:
    """
    Read the Cookie header of a request.

    @return: keys by network; other and damaged cookies are left out.
    """
    found = (_ONE.fullmatch(part) for part in header[:_MOST_OCTETS].split(";"))
    return {match[1]: match[2] for match in found if match}


def set_cookie(network: str, cookie: DeviceCookie, path: str, now: datetime, *, is_secure: bool) -> str:
    """
    Return the Set-Cookie header by which a browser keeps the key of its device.

    @param path: under which the server is reached, with slashes around.
    @param is_secure: whether it goes out over TLS; only then may it be told to come back over nothing else.
    """
    seconds = max(0, int((cookie.until - now).total_seconds()))
    header = f"{_PREFIX}{network}={cookie.key}; Max-Age={seconds}; Path={path}; HttpOnly; SameSite=Lax"
    return f"{header}; Secure" if is_secure else header


def drop_cookie(network: str, path: str) -> str:
    """Return the Set-Cookie header that makes the browser forget the key."""
    return f"{_PREFIX}{network}=; Max-Age=0; Path={path}; HttpOnly; SameSite=Lax"
