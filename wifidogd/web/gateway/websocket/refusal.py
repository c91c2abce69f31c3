"""
Answers to upgrades that are refused, such that a router does not come back every two seconds.

apfree-wifidog does so after any answer of less than 1,024 octets that is no 101.  A longer one it never reads: it waits
until the server closes the connection, and comes back five seconds after that (docs/protocol.md 7.1).  The connection
is kept like any other after an answer, for ten seconds if nobody else needs it.
"""

from __future__ import annotations

from twisted.web.iweb import IRequest

LONGER_THAN_READ = 2048
"""Octets of the body of each such answer."""


def refuse(request: IRequest, code: int, sentence: str) -> bytes:
    """Return the answer to an upgrade that is refused: a sentence, and blanks for the router."""
    request.setResponseCode(code)
    request.setHeader(b"cache-control", b"no-store")
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return sentence.encode().ljust(LONGER_THAN_READ - 1) + b"\n"
