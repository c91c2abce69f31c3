"""Pages for people of whom little is known: what happened, and what to do next."""

from __future__ import annotations

from enum import Enum
from typing import Any

from wifidogd.domain.addresses import is_private
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import Network
from wifidogd.domain.sessions import LoginQuery, Reason
from wifidogd.web.rendering.brand import Page, page_of
from wifidogd.web.rendering.formatting import limit_of

MESSAGES = frozenset({"denied", "activate", "failed_validation", "logged-out"})
"""Values of C{message} in a gateway's redirect (wifidog-gateway C{src/centralserver.h})."""


_TOLD = {
    Reason.LOGOUT: "logged-out",
    Reason.ERASED: "logged-out",
    Reason.NOT_VALIDATED: "failed_validation",
}
"""What messages tell guests of sessions that ended for these reasons."""


class Notice(Enum):
    """What happened, where a page needs to know nothing else."""

    HOME = "home"
    NO_GATEWAY = "no gateway"
    NOT_FOUND = "not found"
    WRONG_METHOD = "wrong method"
    OTHER_SITE = "other site"
    UNAVAILABLE = "unavailable"
    BROKEN = "broken"


def notice(kind: Notice) -> Page:
    """Return the page that says what happened."""
    return page_of("notice.html", kind=kind.name)


def message(
    message: str | None,
    network: Network | None,
    login: str | None,
    ended: Reason | None = None,
    portal: str | None = None,
) -> Page:
    """
    Return the page for a message of a gateway.

    @param message: as in the URL; never repeated on the page.
    @param network: None if the gateway is not known.
    @param login: where to sign in again, if the gateway is known.
    @param ended: why the session of the browser has ended, which is told instead of a message that says less; None
        if it continues or is not known.
    @param portal: address of the session of the browser while it is online.
    """
    kind = message if message in MESSAGES else None
    if ended is not None and kind in (None, "denied"):
        kind = _TOLD.get(ended, "ended")
    limit = None if ended is None else limit_of(ended)
    return page_of("message.html", network, kind=kind, login=login, limit=limit, back_at=None, portal=portal)


def welcome(network: Network | None) -> Page:
    """
    Return a welcome page for a guest whom the gateway did not name.

    @param network: None if the gateway is not known.
    """
    return page_of("welcome.html", network)


def adopt(login_query: LoginQuery) -> Page:
    """Return the page that tells the owner of an unknown gateway how to adopt it."""
    return page_of("adopt.html", login_query=login_query, address=_believable(login_query))


def misnamed(shown: str, proposed: str) -> Page:
    """
    Return the page that tells the owner of a gateway that it cannot be adopted under its name.

    @param shown: the name, or what can be shown of it.
    @param proposed: one that it could have.
    """
    return page_of("misnamed.html", shown=shown, proposed=proposed)


def moved(network: Network, gateway: Gateway, login_query: LoginQuery) -> Page:
    """Return the page that tells the owner that a gateway's address is not the registered one."""
    was, now = f"{gateway.address}:{gateway.port}", f"{login_query.gw_address}:{login_query.gw_port or gateway.port}"
    known: dict[str, Any] = {"network": network, "gateway": gateway, "login_query": login_query, "was": was, "now": now}
    return page_of("moved.html", address=_believable(login_query), **known)


def stale(login: str | None) -> Page:
    """
    Return the page that says why a form was not accepted.

    @param login: leads back to a fresh form; None if the gateway is not known.
    """
    return page_of("stale.html", login=login)


def redirect(location: str) -> Page:
    """Return the body of a redirect, for browsers that do not follow it."""
    return page_of("redirect.html", location=location)


def _believable(login_query: LoginQuery) -> str | None:
    """Return the address that a URL names for a gateway if guests may be sent there, otherwise None."""
    return login_query.gw_address if login_query.gw_address and is_private(login_query.gw_address) else None
