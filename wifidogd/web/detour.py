"""
The way from a voucher's own address to the sign-in page of a gateway, for browsers that keep no cookies.

Who scans a voucher reaches us without a gateway in between.  A link from there leads to an address that cannot exist;
the gateway catches that like any other and sends the guest to us, with the address, and so the code, in C{url}.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from wifidogd.voucher_codes import read_code

NOWHERE = "192.0.2.1"
"""Never assigned to anybody (RFC 5737), so that nobody learns the code; plain HTTP, which gateways catch."""


def detour_with(code: str) -> str:
    """Build the address to be caught with; the code is in its plain form."""
    return f"http://{NOWHERE}/v/{code}"


def code_caught(url: str | None) -> str | None:
    """
    Read the code out of the address that a gateway caught.

    @return: in its plain form; None if that was no detour of ours.
    """
    parts = urlsplit(url or "")
    before, found, code = parts.path.partition("/v/")
    return read_code(code) if parts.netloc == NOWHERE and found and not before else None
