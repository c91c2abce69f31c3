"""
Compresses pages, so that they fit the first flight of a connection; pure.

A page that mixes secrets with text of an attacker's choosing can give the
secrets away by its compressed length (BREACH).  Pages that show what only a
cookie gives access to are therefore never compressed.  The others may be: the
signed state is made of the very address that asks for the page, and a token is
in that address, or in the form that was sent, already.  Whoever can have such
a page made with text of their choosing can as well request it themselves, and
read it.
"""

from __future__ import annotations

import re
import zlib

LARGEST = 100_000
"""Octets; more would block the reactor for too long, and only a download has as many."""

_SMALLEST = 1000
"""Octets; less fits one packet uncompressed."""

_LEVEL = 6
_WITH_GZIP_HEAD = 31
_MEMORY = 5
"""New codes every 2,048 symbols: a logo in base64 and terms in Chinese have no letters in common (saves 6 %)."""

_MOST_CODINGS = 20
_CODING = re.compile(r"\s*([!#$%&'*+.^_`|~0-9a-z-]+)\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?")


def accepts_gzip(accepted: str) -> bool:
    """
    Return whether a browser accepts gzip, and does not prefer a page uncompressed.

    @param accepted: the Accept-Encoding header (RFC 9110, section 12.5.3); empty for none.
    """
    found = (_CODING.fullmatch(part) for part in accepted.lower().split(",", _MOST_CODINGS)[:_MOST_CODINGS])
    weights = {match[1]: float(match[2] or 1) for match in found if match}
    weight = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0)))
    return weight > 0 and weight >= weights.get("identity", 0)


def is_worth_packing(body: bytes) -> bool:
    """Return whether a body is neither too small nor too large to be compressed."""
    return _SMALLEST <= len(body) <= LARGEST


def pack(body: bytes) -> bytes:
    """Return a compressed body; the same body always becomes the same octets."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WITH_GZIP_HEAD, _MEMORY)
    return packer.compress(body) + packer.flush()
