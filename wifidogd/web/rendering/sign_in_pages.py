"""Pages that lead in: the ways to sign in, and those for guests who are online already or need no form."""

from __future__ import annotations

from datetime import datetime

from wifidogd.access.mail_access import MailOutcome
from wifidogd.access.open_session import Refused
from wifidogd.domain.guests import EndNotice
from wifidogd.domain.plans import Network, SignInMethod
from wifidogd.domain.voucher_codes import show_code
from wifidogd.web.rendering.brand import Page, page_of
from wifidogd.web.rendering.destination import host_of
from wifidogd.web.rendering.formatting import limit_of, span, why_of


def sign_in(
    network: Network,
    state: str,
    refused: Refused | None = None,
    *,
    first: SignInMethod | None = None,
    name: str = "",
    code: str = "",
    again: bool = False,
    remember: bool = False,
    has_help: bool = False,
    can_sign_up: bool = False,
    offers_mail: bool = False,
    now: datetime | None = None,
    end_notice: EndNotice | None = None,
) -> Page:
    """
    Return the page with the ways to sign in to a network; all but the first are folded.

    @param refused: why the last try failed; None at the first.
    @param first: the way to show first; None for the order of the network.
    @param name: what the guest typed last time, as is C{code}.
    @param again: True when the guest is online and asked to sign in again.
    @param remember: whether the guest wanted the device to be remembered last time.
    @param has_help: whether guests who forgot their name or password can be written to.
    @param can_sign_up: whether guests can make an account.
    @param offers_mail: whether guests can have the internet for a while to read their mail.
    @param now: for saying when a guest who reached a limit may come back.
    @param end_notice: why the last session ended; None where that needs no words.
    """
    told = refused or end_notice
    return page_of(
        "sign_in.html",
        network,
        state=state,
        ways=[way.name for way in sorted(network.methods, key=lambda way: way is not first)],
        limit=_limit_of(refused, end_notice),
        back_at=told.back_at if told else None,
        end_notice=end_notice is not None and refused is None,
        now=now,
        name=name,
        code=code,
        again=again,
        remember=remember,
        has_help=has_help,
        can_sign_up=can_sign_up,
        mail_for=span(network.mail_access) if offers_mail and network.mail_access else None,
        remember_for=None if network.remember is None else span(network.remember),
        **why_of(refused),
    )


def back(
    network: Network,
    state: str,
    other: str,
    until: datetime | None,
    now: datetime,
    end_notice: EndNotice | None = None,
    *,
    can_forget: bool,
) -> Page:
    """
    Return the page that lets a known device in without a form.

    @param other: where the form is.
    @param until: when the device is remembered no longer; None for one that is online at another gateway.
    @param end_notice: why the last session ended; None where that needs no words.
    @param can_forget: True if the guest has shown that it is this device.
    """
    return page_of(
        "back.html",
        network,
        state=state,
        other=other,
        until=until,
        now=now,
        end_notice=end_notice is not None,
        limit=_limit_of(None, end_notice),
        back_at=None if end_notice is None else end_notice.back_at,
        can_forget=can_forget,
    )


def mail_access(network: Network, outcome: MailOutcome, login: str) -> Page:
    """Return the page that says whether a guest has the internet for a while, to read their mail."""
    length = network.mail_access
    return page_of("mail_access.html", network, outcome=outcome.name, length=length and span(length), login=login)


def online(network: Network, state: str, url: str | None, portal: str | None = None) -> Page:
    """
    Return the page for a guest at the login page who is signed in already.

    @param portal: address of their session; None for a browser that has not signed in to it.
    """
    return page_of("online.html", network=network, state=state, url=url, host=host_of(url or ""), portal=portal)


def voucher(code: str | None, detour: str | None) -> Page:
    """
    Return the page at a voucher's own address: the code, and the way to where it can be used.

    @param code: in its plain form; None when the address has a typo.
    """
    return page_of("voucher.html", code=code and show_code(code), detour=detour)


def _limit_of(refused: Refused | None, end_notice: EndNotice | None) -> str | None:
    """Return the name of the limit that keeps a guest out, or that ended their last session."""
    if refused is not None:
        return refused.limit.name if refused.limit else None
    return None if end_notice is None else limit_of(end_notice.reason) or end_notice.reason.name
