"""One exchange with a guest's browser: what it sent, in our words, and our answer, in HTTP's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qsl

from twisted.web.iweb import IRequest

_HOST = re.compile(r"([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")
_MOST_FIELDS = 20


@dataclass(frozen=True, slots=True)
class Caller:
    """
    Who asks, and under which name they reached us.

    @ivar source: address of the connection; a whole site may share one.
    @ivar host: lower-case, without port, as in a URL; None when the browser sent none that could be true.
    """

    source: str
    host: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A page and how to send it.

    @ivar forms: origins besides ours where its forms may lead.
    @ivar images: origin whose images it may load; None for none.
    @ivar location: where the browser is sent at once; None for nowhere.
    @ivar retry_after: when to ask again; None for no advice.
    """

    body: bytes
    code: int = 200
    forms: tuple[str, ...] = ()
    images: str | None = None
    location: str | None = None
    retry_after: timedelta | None = None


def caller_of(request: IRequest) -> Caller:
    """Tell who asks."""
    raw = (request.getHeader(b"host") or b"").decode("latin-1").lower()
    match = _HOST.fullmatch(raw)
    return Caller(source_of(request), match[1] if match else None)


def source_of(request: IRequest) -> str:
    """Tell the address a request came from; behind a Unix socket it is this machine's."""
    return str(getattr(request.getClientAddress(), "host", "127.0.0.1"))


def query_of(request: IRequest) -> bytes:
    """Return what follows the first C{?} of the address, as received."""
    return bytes(request.uri.partition(b"?")[2])


def form_of(request: IRequest) -> Mapping[str, str]:
    """
    Read the fields of a submitted form, from its body only.

    @return: the first value of each name; nothing for anything but a small URL-encoded form.
    """
    try:
        body = request.content.read().decode("ascii")
        pairs = parse_qsl(body, keep_blank_values=True, errors="replace", max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return dict(reversed(pairs))


def put(request: IRequest, answer: Answer, policy: str) -> bytes:
    """
    Set the head of an answer.

    No name here may end in C{Auth}, nothing contain C{Pong}: gateways search
    the whole response for them (protocol: section 1.1).

    @param policy: the Content-Security-Policy of the page.
    @return: its body, for Klein.
    """
    request.setResponseCode(answer.code)
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    if answer.location is not None:
        headers["Location"] = answer.location
    if answer.retry_after is not None:
        headers["Retry-After"] = str(-(answer.retry_after // timedelta(seconds=-1)))
    for name, value in headers.items():
        request.setHeader(name.encode(), value.encode("ascii"))
    return answer.body
