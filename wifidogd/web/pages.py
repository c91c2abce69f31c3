"""The pages of guests: one function for each template, and the policy a browser must keep while it shows them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from markupsafe import Markup

from wifidogd.addresses import is_private
from wifidogd.admission import Stay
from wifidogd.gateways import Gateway
from wifidogd.limits import Limit
from wifidogd.model import Visitor
from wifidogd.offers import Network, SignIn, TimeCounts
from wifidogd.opening import Refused
from wifidogd.store.companions import Companion
from wifidogd.store.farewells import Farewell
from wifidogd.store.my_data import Stored
from wifidogd.voucher_codes import show_code
from wifidogd.web import links
from wifidogd.web.brand import Page, brand_of, source_of
from wifidogd.web.environments import make_environments
from wifidogd.web.human import minutes_to_wait, size, span
from wifidogd.web.language import ENGLISH, Language, Switch
from wifidogd.web.wanted import host_of

_PACKAGE = Path(__file__).parents[1]
FOLDERS = (_PACKAGE / "templates", _PACKAGE.parent / "templates")
"""Where the templates are: in the installed package, else beside it in a checkout."""

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


@dataclass(frozen=True, slots=True)
class Aside:
    """
    What the portal shows of a guest besides the stay.

    @ivar companions: their other devices on the same allowance, each with the state of its disconnect button.
    @ivar remembered_until: None if this device is not remembered.
    """

    companions: Sequence[tuple[Companion, str]] = ()
    remembered_until: datetime | None = None


class Pages:
    """
    Fills the templates; L{write} then writes a page in the language of whoever asked for it.

    @ivar path: under which the server is reached, with slashes around.
    """

    def __init__(self, path: str, folders: Sequence[Path] = FOLDERS) -> None:
        self.path = path
        style = _tight(next(file for folder in folders if (file := folder / "style.css").exists()).read_text("utf-8"))
        self._templates = make_environments(folders, {"path": path, "style": Markup(style)})  # noqa: S704 - ours
        self._style = source_of(style)
        self._script = next(file for folder in folders if (file := folder / "portal.js").exists()).read_text("utf-8")

    def policy(self, page: Page | bytes, forms: Sequence[str] = (), images: str | None = None) -> str:
        """
        Write the Content-Security-Policy of a page.

        Browsers hold every redirect that answers a form against
        C{form-action} too, so it must name the gateway where guests are sent.

        @param page: octets stand for a body that shows nothing.
        @param forms: origins besides ours where forms may lead.
        @param images: origin whose images the page may load; None for none.
        """
        page = Page("", {}) if isinstance(page, bytes) else page
        sources = {
            "default-src": ("'none'",),
            "style-src": (self._style, *page.styles),
            "script-src": page.scripts,
            "connect-src": ("'self'",) if page.scripts else (),
            "img-src": ((images,) if images else ()) + (("data:",) if page.has_data_images else ()),
            "form-action": ("'self'", *forms),
            "base-uri": ("'none'",),
            "frame-ancestors": ("'none'",),
        }
        return "; ".join(f"{name} {' '.join(allowed)}" for name, allowed in sources.items() if allowed)

    def sign_in(
        self,
        network: Network,
        state: str,
        refused: Refused | None = None,
        *,
        first: SignIn | None = None,
        name: str = "",
        code: str = "",
        again: bool = False,
        remember: bool = False,
        has_help: bool = False,
        can_sign_up: bool = False,
        now: datetime | None = None,
        farewell: Farewell | None = None,
    ) -> Page:
        """
        Ask a guest to sign in one of the ways of the network; all but the first are folded.

        @param refused: why the last try failed; None at the first.
        @param first: the way to show first; None for the order of the network.
        @param name: what the guest typed last time, as is C{code}.
        @param again: True when the guest, already online, has asked for it.
        @param remember: whether the guest wanted the device to be remembered last time.
        @param has_help: whether guests who forgot name or password can be written to.
        @param can_sign_up: whether they can make an account.
        @param now: needed to say when the guest of a limit may come back.
        @param farewell: why the last stay ended; None where that needs no words.
        """
        told = refused or farewell
        return _page(
            "sign_in.html",
            network,
            state=state,
            ways=[way.name for way in sorted(network.methods, key=lambda way: way is not first)],
            why=refused.why.name if refused else None,
            minutes=minutes_to_wait(refused.wait) if refused else 0,
            limit=_limit_of(refused, farewell),
            back_at=told.back_at if told else None,
            farewell=farewell is not None and refused is None,
            now=now,
            name=name,
            code=code,
            again=again,
            remember=remember,
            has_help=has_help,
            can_sign_up=can_sign_up,
            remember_for=None if network.remember is None else span(network.remember),
        )

    def voucher(self, code: str | None, detour: str | None) -> Page:
        """
        Show a voucher to who has opened its address, and the way to where it can be used.

        @param code: in its plain form; None when the address has a typo.
        """
        return _page("voucher.html", code=code and show_code(code), detour=detour)

    def preview(self, network: Network, state: str, names: Sequence[str]) -> Page:
        """
        List the pages that an operator may look at.

        @param names: of those that C{preview.html} has a title for.
        """
        return _page("preview.html", network, state=state, names=names)

    def online(self, network: Network, state: str, url: str | None) -> Page:
        """Tell a guest at the login page that they are signed in already."""
        return _page("online.html", network=network, state=state, url=url, host=host_of(url or ""))

    def back(
        self,
        network: Network,
        state: str,
        other: str,
        until: datetime,
        now: datetime,
        farewell: Farewell | None = None,
        *,
        can_forget: bool,
    ) -> Page:
        """
        Offer a device that is remembered to come in without a form.

        @param other: where the form is.
        @param until: when it will not be remembered any more.
        @param farewell: why the last stay ended; None where that needs no words.
        @param can_forget: True if its guest has shown that it is this device.
        """
        return _page(
            "back.html",
            network,
            state=state,
            other=other,
            until=until,
            now=now,
            farewell=farewell is not None,
            limit=_limit_of(None, farewell),
            back_at=None if farewell is None else farewell.back_at,
            can_forget=can_forget,
        )

    def welcome(self, network: Network | None) -> Page:
        """
        Welcome somebody of whom the gateway did not say who it is.

        @param network: None if the gateway is not known.
        """
        return _page("welcome.html", network)

    def portal(self, stay: Stay, token: str, state: str, aside: Aside, now: datetime) -> Page:
        """
        Welcome a guest whom the gateway has let in, and show what they have used and have left.

        It follows both: by its script, else by asking for the page again.

        @param aside: what else there is to know of the guest.
        """
        page = _page(
            "portal.html",
            stay.network,
            stay=stay,
            state=state,
            host=host_of(stay.url or ""),
            refresh=links.portal_of(self.path, stay, token),
            source=links.figures_of(self.path, token),
            can_pause=_can_pause(stay),
            companions=[
                (device, sealed, span(now - device.since), size(device.used.total))
                for device, sealed in aside.companions
            ],
            remembered_until=aside.remembered_until,
            now=now,
            script=Markup(self._script),  # noqa: S704 - ours
            **_figures(stay, now),
        )
        return replace(page, scripts=(source_of(self._script),))

    def figures(self, stay: Stay | None, now: datetime) -> Page:
        """Tell the script of the portal what to show; no stay means that it has ended."""
        return _page("portal.json", stay=stay, **({} if stay is None else _figures(stay, now)))

    def my_data(self, network: Network | None, token: str, state: str, stored: Stored, now: datetime) -> Page:
        """Show a guest what is stored about them; of each kind the first few."""
        values = {"token": token, "state": state, "stored": stored, "now": now}
        return _page("my_data.html", network, shown=20, zone=network.time_zone if network else "UTC", **values)

    def erase(
        self, network: Network | None, state: str, refused: Refused | None = None, *, needs_password: bool
    ) -> Page:
        """
        Ask whether a guest is sure.

        @param refused: why it was not done the last time.
        """
        why, minutes = (refused.why.name, minutes_to_wait(refused.wait)) if refused else (None, 0)
        values = {"state": state, "why": why, "minutes": minutes, "needs_password": needs_password}
        return _page("erase.html", network, erased=False, **values)

    def erased(self, network: Network | None, logging_out: str | None) -> Page:
        """Tell that it is done, and let the browser tell the gateway; C{logging_out} is None if that is not known."""
        return _page("erase.html", network, erased=True, logging_out=logging_out)

    def offline(self, stay: Stay | None, token: str) -> Page:
        """Say goodbye, and let the browser tell the gateway; no stay means that it had ended before."""
        if stay is None:
            return _page("offline.html", stay=None)
        return _page(
            "offline.html",
            stay.network,
            stay=stay,
            login=links.login_again(self.path, stay),
            logging_out=links.logging_out(stay.gateway, token),
        )

    def message(self, message: str | None, network: Network | None, login: str | None) -> Page:
        """
        Explain what a gateway has to say.

        @param message: as in the URL; never repeated on the page.
        @param network: None if the gateway is not known.
        @param login: where to sign in again, if the gateway is known.
        """
        kind = message if message in MESSAGES else None
        return _page("message.html", network, kind=kind, login=login)

    def adopt(self, visitor: Visitor) -> Page:
        """Tell the owner of an unknown gateway what to do."""
        return _page("adopt.html", visitor=visitor, address=_believable(visitor))

    def moved(self, network: Network, gateway: Gateway, visitor: Visitor) -> Page:
        """Tell the owner that a gateway is not where it is registered."""
        was, now = f"{gateway.address}:{gateway.port}", f"{visitor.gw_address}:{visitor.gw_port or gateway.port}"
        known: dict[str, Any] = {"network": network, "gateway": gateway, "visitor": visitor, "was": was, "now": now}
        return _page("moved.html", address=_believable(visitor), **known)

    def account(self, template: str, network: Network | None, **values: Any) -> Page:
        """Fill one of the templates about accounts that guests make themselves."""
        return _page(template, network, **values)

    def stale(self, login: str | None) -> Page:
        """Explain why a form was not accepted; C{login} leads back to a fresh one, None if nobody knows where."""
        return _page("stale.html", login=login)

    def redirect(self, location: str) -> Page:
        """The body of a redirect, for browsers that do not follow it."""
        return _page("redirect.html", location=location)

    def notice(self, kind: Notice) -> Page:
        """Say what happened, to a guest of whom nothing is known."""
        return _page("notice.html", kind=kind.name)

    def write(self, page: Page, language: Language = ENGLISH, switch: Switch | None = None, origin: str = "") -> bytes:
        """
        Write a page in a language.

        @param switch: how to ask for it in another; None when it cannot be asked for again.
        @param origin: how the browser reached us, for addresses to be copied; empty when nobody knows.
        """
        template = self._templates[language.tag].get_template(page.template)
        return template.render(page.values, chosen=language.chosen, switch=switch, origin=origin).encode()


def _limit_of(refused: Refused | None, farewell: Farewell | None) -> str | None:
    """Name the limit that keeps a guest out, or that ended their last stay."""
    if refused is not None:
        return refused.limit.name if refused.limit else None
    if farewell is None:
        return None
    return next((limit.name for limit in Limit if limit.value is farewell.reason), farewell.reason.name)


def _can_pause(stay: Stay) -> bool:
    """Tell whether a guest saves time by being offline."""
    plan = None if stay.allowance is None else stay.allowance.plan
    return plan is not None and plan.time_limit is not None and plan.time_counts is TimeCounts.USED


def _figures(stay: Stay, now: datetime) -> dict[str, Any]:
    return {
        "online_for": None if stay.since is None else span(now - stay.since),
        "time_left": None if stay.time_left is None else span(stay.time_left),
        "used": size(stay.used.total),
        "data_left": None if stay.octets_left is None else size(stay.octets_left),
    }


def _page(template: str, network: Network | None = None, **values: Any) -> Page:
    """
    @param network: whose look and title the page has; None for ours.
    """
    brand = brand_of(network)
    return Page(
        template,
        {"network": network, "brand": brand, **values},
        styles=(source_of(brand.style),) if brand.style else (),
        has_data_images=bool(brand.logo),
    )


def _tight(style: str) -> str:
    """Drop the spaces for people from a style sheet, which is sent with every page."""
    return re.sub(r"\s*([{};,])\s*|(:)\s+", r"\1\2", style)


def _believable(visitor: Visitor) -> str | None:
    """Suggest an address to an owner only if guests may be sent there: who wrote the URL may want them elsewhere."""
    return visitor.gw_address if visitor.gw_address and is_private(visitor.gw_address) else None
