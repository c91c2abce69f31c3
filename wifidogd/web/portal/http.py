"""Requests of guests' browsers, read into values, and answers, written as HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import parse_qsl

from twisted.web.iweb import IRequest

from wifidogd.access.open_session import Refusal, Refused
from wifidogd.web.portal.device_cookie import DeviceKeys, keys_in
from wifidogd.web.portal.session_cookie import secrets_in
from wifidogd.web.rendering import notices
from wifidogd.web.rendering.brand import Page
from wifidogd.web.rendering.language import ENGLISH, PARAMETER, Language, Switch, negotiate, switch_at, switch_to
from wifidogd.web.server.compression import accepts_gzip, is_worth_packing, pack
from wifidogd.web.server.query import read_query
from wifidogd.web.server.request import has_plain_port, query_of, source_of

_HOST = re.compile(r"([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")
_MOST_FIELDS = 20


@dataclass(frozen=True, slots=True)
class Caller:
    """
    The browser that sends a request: where it is, how it reached us, and what its guest reads.

    @ivar source: address of the connection; a whole site may share one.
    @ivar host: lower-case, without port, as in a URL; None when the browser sent none that could be true.
    @ivar keys: by which its device is remembered.
    @ivar is_secure: True if the request came over TLS.
    @ivar sessions: secrets of the sessions that it has signed in to, by network.
    """

    source: str
    host: str | None
    language: Language = ENGLISH
    keys: DeviceKeys = field(default_factory=DeviceKeys, repr=False)
    is_secure: bool = False
    sessions: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A page and how to send it.

    @ivar body: a page, or octets that are the same in all languages.
    @ivar forms: origins besides ours where its forms may lead.
    @ivar images: origin whose images it may load; None for none.
    @ivar location: where the browser is sent at once; None for nowhere.
    @ivar retry_after: when to ask again; None for no advice.
    @ivar address: of ours, where the page that answers a form can be had in another language; None for nowhere.
    @ivar cookies: Set-Cookie headers.
    @ivar media: type of the body.
    @ivar filename: under which the browser saves the body; None to show it.
    @ivar by_cookie: whether it shows what only a cookie gives access to; it is not compressed then.
    """

    body: Page | bytes
    code: int = 200
    forms: tuple[str, ...] = ()
    images: str | None = None
    location: str | None = None
    retry_after: timedelta | None = None
    address: str | None = None
    cookies: tuple[str, ...] = field(default=(), repr=False)
    media: str = "text/html"
    filename: str | None = None
    by_cookie: bool = False


def caller_of(request: IRequest) -> Caller:
    """Return who sends a request."""
    raw = (request.getHeader(b"host") or b"").decode("latin-1").lower()
    match = _HOST.fullmatch(raw)
    cookies = (request.getHeader(b"cookie") or b"").decode("latin-1")
    host, is_secure = match[1] if match else None, bool(request.isSecure())
    return Caller(source_of(request), host, language_of(request), keys_in(cookies), is_secure, secrets_in(cookies))


def origin_of(request: IRequest) -> str:
    """Return the origin under which the browser reached us, for addresses to be copied; empty when it did not say."""
    host = (request.getHeader(b"host") or b"").decode("latin-1").lower()
    return f"http{'s' if request.isSecure() else ''}://{host}" if _HOST.fullmatch(host) else ""


def language_of(request: IRequest) -> Language:
    """Return the language that the guest has picked, which a form's address repeats, or that the browser asks for."""
    wanted = read_query(query_of(request)).get(PARAMETER, "")
    return negotiate((request.getHeader(b"accept-language") or b"").decode("latin-1"), wanted)


def switch_of(request: IRequest, answer: Answer) -> Switch | None:
    """Return how to ask for an answer in another language; None for an answer to a form that has no address."""
    if answer.address is not None:
        return switch_to(answer.address)
    return switch_at("", read_query(query_of(request))) if request.method in (b"GET", b"HEAD") else None


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


PERMISSIONS = "camera=(), geolocation=(), microphone=()"
"""What no page here asks a browser for, nor a page that somebody gets into one."""

HSTS = timedelta(days=180)
"""
How long browsers go to this server by TLS alone, from their last visit on.

Guests who come back within half a year cannot be led to an imitation without
TLS.  Subdomains are not included: they may be anybody's.
"""


def put(request: IRequest, answer: Answer, policy: str, *, is_public_over_tls: bool) -> None:
    """
    Set the head of an answer.

    No name here may end in C{Auth}, nothing contain C{Pong}: gateways search
    the whole response for them (docs/protocol.md 6.1).

    @param policy: the Content-Security-Policy of the page.
    @param is_public_over_tls: whether all guests reach this server over TLS.  Browsers are told so (HSTS), but not at a
        port of plain HTTP: it would bind them there too, where routers send them by either.
    """
    request.setResponseCode(answer.code)
    headers = {
        "Content-Type": f"{answer.media}; charset=utf-8",
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        # Other sites learn nothing; we do, or browsers would send our own forms with "Origin: null" (Fetch 3.2).
        # Browsers that do not know the second word go by the first.
        "Referrer-Policy": "no-referrer, same-origin",
        "Permissions-Policy": PERMISSIONS,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    if is_public_over_tls and not has_plain_port(request):
        headers["Strict-Transport-Security"] = f"max-age={HSTS // timedelta(seconds=1)}"
    if answer.location is not None:
        headers["Location"] = answer.location
    if answer.filename is not None:
        headers["Content-Disposition"] = f'attachment; filename="{answer.filename}"'
    if answer.retry_after is not None:
        headers["Retry-After"] = str(-(answer.retry_after // timedelta(seconds=-1)))
    for name, value in headers.items():
        request.setHeader(name.encode(), value.encode("ascii"))
    if answer.cookies:
        request.responseHeaders.setRawHeaders(b"Set-Cookie", [cookie.encode("ascii") for cookie in answer.cookies])


def packed_for(request: IRequest, body: bytes, *, by_cookie: bool = False) -> bytes:
    """
    Compress the body of an answer, and say so in its head, if that helps and the browser accepts it.

    @param by_cookie: as in L{Answer}.  Other sites can have such a page made, with words of theirs in its address,
        and would learn from its compressed length what is on it (BREACH).
    """
    request.setHeader(b"Vary", b"Accept-Encoding, Cookie")
    if by_cookie:
        return body
    accepted = (request.getHeader(b"accept-encoding") or b"").decode("latin-1")
    if not is_worth_packing(body) or not accepts_gzip(accepted):
        return body
    request.setHeader(b"Content-Encoding", b"gzip")
    return pack(body)


RETRY_AFTER = timedelta(seconds=10)
"""When a guest who met a busy server may try again."""

_STATUS = {
    Refusal.WRONG_PASSWORD: HTTPStatus.UNAUTHORIZED,
    Refusal.MISTYPED_CODE: HTTPStatus.UNAUTHORIZED,
    Refusal.UNKNOWN_CODE: HTTPStatus.UNAUTHORIZED,
    Refusal.TOO_MANY_TRIES: HTTPStatus.TOO_MANY_REQUESTS,
    Refusal.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    Refusal.NO_ADDRESS: HTTPStatus.BAD_REQUEST,
    Refusal.WEAK_PASSWORD: HTTPStatus.BAD_REQUEST,
    Refusal.LONG_PASSWORD: HTTPStatus.BAD_REQUEST,
    Refusal.PADDED_PASSWORD: HTTPStatus.BAD_REQUEST,
    Refusal.UNSEEN_PASSWORD: HTTPStatus.BAD_REQUEST,
}
"""Status of each refusal; others are 403."""


def lead_to(location: str, cookies: tuple[str, ...] = ()) -> Answer:
    """Redirect the browser, also after a form was sent."""
    return Answer(notices.redirect(location), HTTPStatus.SEE_OTHER, location=location, cookies=cookies)


def stale(login: str | None = None) -> Answer:
    """
    Refuse a form whose signed state is too old or not ours.

    @param login: leads back to a fresh one; None if nobody knows where.
    """
    return Answer(notices.stale(login), HTTPStatus.BAD_REQUEST)


def not_found() -> Answer:
    """Answer that there is nothing at an address."""
    return Answer(notices.notice(notices.Notice.NOT_FOUND), HTTPStatus.NOT_FOUND)


def refusal(page: Page, refused: Refused, forms: tuple[str, ...] = (), address: str | None = None) -> Answer:
    """
    Show a form again that was refused, with the status of the reason.

    @param forms: as in L{Answer}, as is C{address}.
    """
    wait = refused.wait or (RETRY_AFTER if refused.why is Refusal.BUSY else None)
    return Answer(page, _STATUS.get(refused.why, HTTPStatus.FORBIDDEN), forms, retry_after=wait, address=address)
