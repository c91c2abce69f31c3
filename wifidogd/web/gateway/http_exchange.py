"""What the answers to gateways have in common as HTTP, and who may ask for them."""

from __future__ import annotations

from twisted.web.http import OK
from twisted.web.iweb import IRequest
from werkzeug.exceptions import Forbidden

from wifidogd.web.server.cross_site import foreign_origin


def refuse_other_sites(request: IRequest) -> None:
    """
    Refuse what a website has a guest's browser send from the gateway's address.

    @raise Forbidden: for a form of another site; gateways send no form.
    """
    if request.method == b"POST" and foreign_origin(request) is not None:
        raise Forbidden


def body_of(request: IRequest) -> bytes:
    """Return the body, which can be read once."""
    return bytes(request.content.read())


def user_agent(request: IRequest) -> str:
    """Return what the client says it is; empty if it does not."""
    return (request.getHeader(b"user-agent") or b"").decode("utf-8", "replace")


def plain(request: IRequest, body: bytes, code: int = OK) -> bytes:
    """
    Return a body in one piece: a chunk boundary could split what a gateway looks for (docs/protocol.md 6.1).

    Nothing in between may keep it: an old answer is none, and may be another guest's.
    """
    request.setResponseCode(code)
    request.setHeader(b"cache-control", b"no-store")
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return body
