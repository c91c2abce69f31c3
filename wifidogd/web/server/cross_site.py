"""
Recognizes forms that the page of another site has a browser send; pure.

Browsers say where a form comes from, in headers that no page can write:
C{Sec-Fetch-Site} over TLS, C{Origin} always.  The small browsers in which
captive portals are shown may say neither; what they send is taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv6Address

from twisted.web.iweb import IRequest

_OWN = (b"same-origin", b"none")
"""
Values of C{Sec-Fetch-Site} for a form of ours: one from our own page, and one that the guest has sent again.

C{same-site} is none: every form of ours leads to the very host and port that
it came from, and a neighbouring name may be somebody else's.
"""

_ORIGIN = re.compile(r"(https?)://([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_PORTS = {"http": 80, "https": 443}


def foreign_origin(request: IRequest, public_url: str | None = None) -> str | None:
    """
    Return where a form comes from if that is another site; None for a form of ours, or of nobody knows whom.

    What C{Sec-Fetch-Site} says is true behind any proxy, so that it decides
    where there is one.  An C{Origin} is ours if it is that of C{public_url}, or
    if its host and port are those that the request is for; a proxy that ends
    TLS changes the scheme.  C{null} is what pages in a sandbox and files on
    the disk say, but never a page of ours, since its C{Referrer-Policy} lets
    the browser name it to us.

    @param public_url: scheme, host and port by which guests reach this server, perhaps through a proxy that asks for
        another host; None if nobody said.
    """
    origins = _values(request, b"Origin")
    sites = _values(request, b"Sec-Fetch-Site")
    if sites:
        is_own = all(site in _OWN for site in sites)
    else:
        is_own = all(_is_own(origin.decode("latin-1").lower(), request, public_url) for origin in origins)
    return None if is_own else b", ".join(origins or sites).decode("latin-1")


def _is_own(origin: str, request: IRequest, public_url: str | None) -> bool:
    parts = _parts(origin)
    if parts is None:
        return False
    host = (request.getHeader(b"host") or b"").decode("latin-1").lower()
    scheme = "https" if request.isSecure() else parts[0]
    asked = _parts(f"{scheme}://{host}")
    return parts == _parts((public_url or "").lower()) or (asked is not None and asked[1:] == parts[1:])


def _parts(origin: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an origin in lower case, the host in its usual form; None if it has none."""
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        return None
    scheme, host, port = match.groups()
    try:
        usual = f"[{IPv6Address(host[1:-1])}]" if host.startswith("[") else host.removesuffix(".")
    except ValueError:
        return None
    return scheme, usual, int(port or _PORTS[scheme])


def _values(request: IRequest, name: bytes) -> Sequence[bytes]:
    return [value for value in request.requestHeaders.getRawHeaders(name, ()) if value]
