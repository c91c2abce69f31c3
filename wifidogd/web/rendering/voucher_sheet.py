"""Vouchers on a page to print and cut out; it carries everything in itself and works offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import segno
from markupsafe import Markup

from wifidogd.domain.plans import Network, Plan
from wifidogd.domain.voucher_codes import show_code
from wifidogd.web.rendering.environments import make_environments
from wifidogd.web.rendering.formatting import span
from wifidogd.web.rendering.pages import FOLDERS


@dataclass(frozen=True, slots=True)
class Slip:
    """
    One voucher on the sheet.

    @ivar code: as people type it.
    @ivar picture: the QR code of its address.
    """

    code: str
    picture: Markup


def write_sheet(
    codes: Sequence[str],
    address: str,
    *,
    network: Network,
    plan: Plan,
    batch: str,
    valid_until: datetime | None,
    now: datetime,
    language: str,
) -> str:
    """
    Return the page for a batch, as HTML.

    @param codes: in their plain form.
    @param address: where vouchers are opened, ending in a slash; the code is appended.
    @param valid_until: an instant within the last day; None for no end.
    @param language: one of L{wifidogd.web.rendering.language.NAMES}.
    """
    environment = make_environments(FOLDERS, {})[language]
    environment.filters["span"] = span
    until = valid_until and environment.filters["moment"](valid_until, network.time_zone, now)
    return environment.get_template("sheet.html").render(
        slips=[Slip(show_code(code), _picture(address + code)) for code in codes],
        network=network,
        plan=plan,
        batch=batch,
        valid_until=until,
    )


def _picture(address: str) -> Markup:
    """
    Return the QR code of an address as SVG, at level M to survive a crease and with the quiet zone that readers need.
    """
    code = segno.make(address, error="m", micro=False)
    return Markup(code.svg_inline(border=4, omitsize=True, light="#fff"))  # noqa: S704 - digits of ours
