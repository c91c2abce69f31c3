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
from wifidogd.domain.reports.capabilities import capabilities_of
from wifidogd.web.rendering import urls
from wifidogd.web.rendering.brand import Page, page_of
from wifidogd.web.rendering.destination import host_of, wanted_page
from wifidogd.web.rendering.formatting import size, span, why_of


@dataclass(frozen=True, slots=True)
class PortalDetails:
    """
    What the portal shows besides the session.

    @ivar other_devices: the guest's other devices on the same allowance, each with the state of its disconnect button.
    @ivar remembered_until: None if this device is not remembered.
    @ivar account: address of the page of their account; None if there is none.
    """

    other_devices: Sequence[tuple[OtherDevice, str]] = ()
    remembered_until: datetime | None = None
    account: str | None = None


def portal(
    path: str, session: SessionView, token: str | None, state: str, details: PortalDetails | None, now: datetime
) -> Page:
    """
    Return the page that welcomes a guest and shows what they have used and have left.

    It stays up to date by its script, or without one by reloading itself.

    @param token: for the addresses of the page itself; None for a browser that is recognized without.
    @param state: of its log-out button, and of the others if there are details.
    @param details: what else is known of the guest; None leaves that and "My data" out.
    """
    known = details or PortalDetails()
    url = wanted_page(session.url or "", ())  # an older server may have kept it
    page = page_of(
        "portal.html",
        session.network,
        session=session,
        state=state,
        url=url,
        host=host_of(url or ""),
        refresh=urls.portal_of(path, session, token),
        source=urls.figures_of(path, session, token),
        can_pause=_can_pause(session),
        is_counted=capabilities_of(session.gateway.dialect).reports_use,
        other_devices=[
            (device, sealed, span(now - device.since), size(device.used.total))
            for device, sealed in known.other_devices
        ],
        remembered_until=known.remembered_until,
        account=known.account,
        has_data=details is not None,
        now=now,
        **_figures(session, now),
    )
    return replace(page, has_script=True)


def figures(session: SessionView | None, now: datetime) -> Page:
    """Return what the portal's script shows; no session means that it has ended."""
    return page_of("portal.json", session=session, **({} if session is None else _figures(session, now)))


def offline(path: str, session: SessionView | None, token: str | None) -> Page:
    """
    Return the goodbye page, which makes the browser tell the gateway.

    @param session: None means that it had ended before.
    @param token: None leaves it to the next report to tell the gateway.
    """
    if session is None:
        return page_of("offline.html", session=None)
    return page_of(
        "offline.html",
        session.network,
        session=session,
        login=urls.login_again(path, session),
        logging_out=None if token is None else urls.logging_out(session.gateway, token),
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


def _can_pause(session: SessionView) -> bool:
    """Return whether a guest saves time by being offline."""
    if not capabilities_of(session.gateway.dialect).reports_use:
        return False  # Its router does not tell when the guest is offline.
    plan = None if session.allowance is None else session.allowance.plan
    return plan is not None and plan.time_limit is not None and plan.time_counts is TimeCounts.USED


def _figures(session: SessionView, now: datetime) -> dict[str, Any]:
    return {
        "online_for": None if session.since is None else span(now - session.since),
        "time_left": None if session.time_left is None else span(session.time_left),
        "used": size(session.used.total),
        "data_left": None if session.octets_left is None else size(session.octets_left),
    }
