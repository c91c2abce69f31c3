"""The cookie by which a browser is known again: one for each network, never needed for anything else; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from wifidogd.access.remembered_devices import DeviceCookie

_PREFIX = "device-"
_ONE = re.compile(r"\s*device-([a-z0-9][a-z0-9_-]{0,31})=([0-9a-z]{32})\s*")
_MOST_OCTETS = 4096


def keys_in(header: str) -> Mapping[str, str]:
    """
    Read the Cookie header of a request.

    @return: keys by network; what is not of ours, or damaged, is left out.
    """
    found = (_ONE.fullmatch(part) for part in header[:_MOST_OCTETS].split(";"))
    return {match[1]: match[2] for match in found if match}


def keep(network: str, keepsake: DeviceCookie, path: str, now: datetime, *, is_secure: bool) -> str:
    """
    Write the Set-Cookie header that hands over a keepsake.

    @param path: under which the server is reached, with slashes around.
    @param is_secure: whether it goes out over TLS; only then may it be told to come back over nothing else.
    """
    seconds = max(0, int((keepsake.until - now).total_seconds()))
    cookie = f"{_PREFIX}{network}={keepsake.key}; Max-Age={seconds}; Path={path}; HttpOnly; SameSite=Lax"
    return f"{cookie}; Secure" if is_secure else cookie


def drop(network: str, path: str) -> str:
    """Write the Set-Cookie header that takes it back."""
    return f"{_PREFIX}{network}=; Max-Age=0; Path={path}; HttpOnly; SameSite=Lax"
