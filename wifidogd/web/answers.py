"""Answers that are the same at several desks."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus

from wifidogd.opening import Refusal, Refused
from wifidogd.web import notices
from wifidogd.web.brand import Page
from wifidogd.web.exchange import Answer

RETRY_AFTER = timedelta(seconds=10)
"""When whoever met a busy server may try again."""

_STATUS = {
    Refusal.WRONG_PASSWORD: HTTPStatus.UNAUTHORIZED,
    Refusal.MISTYPED_CODE: HTTPStatus.UNAUTHORIZED,
    Refusal.UNKNOWN_CODE: HTTPStatus.UNAUTHORIZED,
    Refusal.TOO_MANY_TRIES: HTTPStatus.TOO_MANY_REQUESTS,
    Refusal.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    Refusal.NO_ADDRESS: HTTPStatus.BAD_REQUEST,
    Refusal.WEAK_PASSWORD: HTTPStatus.BAD_REQUEST,
}
"""Others are 403."""


def lead_to(location: str, cookie: str | None = None) -> Answer:
    """Send the browser on, also from a form."""
    return Answer(notices.redirect(location), HTTPStatus.SEE_OTHER, location=location, cookie=cookie)


def stale(login: str | None = None) -> Answer:
    """
    Refuse a form whose signed state is too old or not ours.

    @param login: leads back to a fresh one; None if nobody knows where.
    """
    return Answer(notices.stale(login), HTTPStatus.BAD_REQUEST)


def not_found() -> Answer:
    """Say that there is nothing at an address."""
    return Answer(notices.notice(notices.Notice.NOT_FOUND), HTTPStatus.NOT_FOUND)


def refusal(page: Page, refused: Refused, forms: tuple[str, ...] = (), address: str | None = None) -> Answer:
    """
    Show again a form that did not do what was wanted, with the status of why.

    @param forms: as in L{Answer}, as is C{address}.
    """
    wait = refused.wait or (RETRY_AFTER if refused.why is Refusal.BUSY else None)
    return Answer(page, _STATUS.get(refused.why, HTTPStatus.FORBIDDEN), forms, retry_after=wait, address=address)
