"""
The cookie by which the browser of a signed-in guest is recognized, as few gateways say who comes to the portal; pure.

There is one for each network, set on the answer to the form.  It is never
C{Secure}: the form may come over TLS and the portal, whose scheme the gateway
decides, over plain HTTP, or the other way round.  The gateway's redirect to the
portal is a navigation from another site, which C{SameSite=Lax} lets through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from wifidogd.access.arrivals import SHOW_END_FOR
from wifidogd.domain.plans import Network

_NAME = "session-"
_ONE = re.compile(r"\s*session-([a-z0-9][a-z0-9_-]{0,31})=([0-9a-z]{32})\s*")
_MOST_OCTETS = 4096

_MOST_NETWORKS = 4
"""Cookies of one browser that are looked at; more come from somebody who plays with them."""

LONGEST = timedelta(days=7)
"""How long the cookie is kept where the network has no shorter time limit."""


def secrets_in(header: str) -> Mapping[str, str]:
    """
    Read the Cookie header of a request.

    @return: secrets by network, those sent last if there are many; other and damaged cookies are left out.
    """
    found = [match for part in header[:_MOST_OCTETS].split(";") if (match := _ONE.fullmatch(part))]
    return {match[1]: match[2] for match in found[-_MOST_NETWORKS:]}


def set_session_cookie(network: Network, secret: str, path: str) -> str:
    """
    Return the Set-Cookie header by which a browser keeps the secret of its session, in place of that of the last one.

    It is kept for as long as the session may last, and for the time in which its guest is told why it ended.

    @param path: under which the server is reached, with slashes around.
    """
    length = min(network.time_limit or LONGEST, LONGEST) + SHOW_END_FOR
    return _cookie(network.name, secret, length // timedelta(seconds=1), path)


def drop_session_cookie(network: str, path: str) -> str:
    """Return the Set-Cookie header that makes a browser forget the secret."""
    return _cookie(network, "", 0, path)


def _cookie(network: str, secret: str, seconds: int, path: str) -> str:
    return f"{_NAME}{network}={secret}; Max-Age={seconds}; Path={path}; HttpOnly; SameSite=Lax"
