"""Pages of signed-in guests: their session, its end, and what is stored about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from wifidogd.access.open_session import Refused
from wifidogd.access.session_view import SessionView
from wifidogd.domain.guests import OtherDevice, StoredData
from wifidogd.domain.plans import Network, TimeCounts
from wifidogd.web.rendering import urls
from wifidogd.web.rendering.brand import Page, page_of
from wifidogd.web.rendering.destination import host_of
from wifidogd.web.rendering.formatting import size, span, why_of


@dataclass(frozen=True, slots=True)
class Aside:
    """
    What the portal shows of a guest besides the stay.

    @ivar companions: their other devices on the same allowance, each with the state of its disconnect button.
    @ivar remembered_until: None if this device is not remembered.
    @ivar account: address of the page of their account; None if there is none.
    """

    companions: Sequence[tuple[OtherDevice, str]] = ()
    remembered_until: datetime | None = None
    account: str | None = None


def portal(path: str, stay: SessionView, token: str, state: str, aside: Aside, now: datetime) -> Page:
    """
    Return the page that welcomes a guest and shows what they have used and have left.

    It stays up to date by its script, or without one by reloading itself.

    @param aside: what else is known of the guest.
    """
    page = page_of(
        "portal.html",
        stay.network,
        stay=stay,
        state=state,
        host=host_of(stay.url or ""),
        refresh=urls.portal_of(path, stay, token),
        source=urls.figures_of(path, token),
        can_pause=_can_pause(stay),
        companions=[
            (device, sealed, span(now - device.since), size(device.used.total)) for device, sealed in aside.companions
        ],
        remembered_until=aside.remembered_until,
        account=aside.account,
        now=now,
        **_figures(stay, now),
    )
    return replace(page, has_script=True)


def figures(stay: SessionView | None, now: datetime) -> Page:
    """Return what the portal's script shows; no session means that it has ended."""
    return page_of("portal.json", stay=stay, **({} if stay is None else _figures(stay, now)))


def offline(path: str, stay: SessionView | None, token: str) -> Page:
    """Return the goodbye page, which makes the browser tell the gateway; no session means that it had ended before."""
    if stay is None:
        return page_of("offline.html", stay=None)
    return page_of(
        "offline.html",
        stay.network,
        stay=stay,
        login=urls.login_again(path, stay),
        logging_out=urls.logging_out(stay.gateway, token),
    )


def my_data(network: Network | None, token: str, state: str, stored: StoredData, now: datetime) -> Page:
    """Return the page that shows a guest what is stored about them; of each kind the first few."""
    values = {"token": token, "state": state, "stored": stored, "now": now}
    return page_of("my_data.html", network, shown=20, zone=network.time_zone if network else "UTC", **values)


def erase(network: Network | None, state: str, refused: Refused | None = None, *, needs_password: bool) -> Page:
    """
    Return the page that asks a guest to confirm that their data is to be erased.

    @param refused: why it was not done the last time.
    """
    shown = {"erased": False, "state": state, "needs_password": needs_password}
    return page_of("erase.html", network, **shown, **why_of(refused))


def erased(network: Network | None, logging_out: str | None) -> Page:
    """
    Return the page that confirms the erasure and makes the browser tell the gateway.

    @param logging_out: the gateway's log-out address; None if it is not known.
    """
    return page_of("erase.html", network, erased=True, logging_out=logging_out)


def _can_pause(stay: SessionView) -> bool:
    """Return whether a guest saves time by being offline."""
    plan = None if stay.allowance is None else stay.allowance.plan
    return plan is not None and plan.time_limit is not None and plan.time_counts is TimeCounts.USED


def _figures(stay: SessionView, now: datetime) -> dict[str, Any]:
    return {
        "online_for": None if stay.since is None else span(now - stay.since),
        "time_left": None if stay.time_left is None else span(stay.time_left),
        "used": size(stay.used.total),
        "data_left": None if stay.octets_left is None else size(stay.octets_left),
    }
