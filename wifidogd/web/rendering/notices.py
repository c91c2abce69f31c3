"""Pages for people of whom little is known: what happened, and what to do next."""

from __future__ import annotations

from enum import Enum
from typing import Any

from wifidogd.domain.addresses import is_private
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import Network
from wifidogd.domain.sessions import LoginQuery
from wifidogd.web.rendering.brand import Page, page_of

MESSAGES = frozenset({"denied", "activate", "failed_validation", "logged-out"})
"""What gateways may say in C{message} (wifidog-gateway C{src/centralserver.h})."""


class Notice(Enum):
    """Pages that need to know nothing but what happened."""

    HOME = "home"
    NO_GATEWAY = "no gateway"
    NOT_FOUND = "not found"
    WRONG_METHOD = "wrong method"
    UNAVAILABLE = "unavailable"
    BROKEN = "broken"


def notice(kind: Notice) -> Page:
    """Say what happened, to a guest of whom nothing is known."""
    return page_of("notice.html", kind=kind.name)


def message(message: str | None, network: Network | None, login: str | None) -> Page:
    """
    Explain what a gateway has to say.

    @param message: as in the URL; never repeated on the page.
    @param network: None if the gateway is not known.
    @param login: where to sign in again, if the gateway is known.
    """
    kind = message if message in MESSAGES else None
    return page_of("message.html", network, kind=kind, login=login)


def welcome(network: Network | None) -> Page:
    """
    Welcome somebody of whom the gateway did not say who it is.

    @param network: None if the gateway is not known.
    """
    return page_of("welcome.html", network)


def adopt(visitor: LoginQuery) -> Page:
    """Tell the owner of an unknown gateway what to do."""
    return page_of("adopt.html", visitor=visitor, address=_believable(visitor))


def moved(network: Network, gateway: Gateway, visitor: LoginQuery) -> Page:
    """Tell the owner that a gateway is not where it is registered."""
    was, now = f"{gateway.address}:{gateway.port}", f"{visitor.gw_address}:{visitor.gw_port or gateway.port}"
    known: dict[str, Any] = {"network": network, "gateway": gateway, "visitor": visitor, "was": was, "now": now}
    return page_of("moved.html", address=_believable(visitor), **known)


def stale(login: str | None) -> Page:
    """Explain why a form was not accepted; C{login} leads back to a fresh one, None if nobody knows where."""
    return page_of("stale.html", login=login)


def redirect(location: str) -> Page:
    """The body of a redirect, for browsers that do not follow it."""
    return page_of("redirect.html", location=location)


def _believable(visitor: LoginQuery) -> str | None:
    """Suggest an address to an owner only if guests may be sent there: who wrote the URL may want them elsewhere."""
    return visitor.gw_address if visitor.gw_address and is_private(visitor.gw_address) else None
