"""An operator's own look on a page: the colour as style, readable by day and by night, and the logo; pure."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from wifidogd.domain.plans import Network

_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Brand:
    """
    What a page shows of a network besides its title.

    @ivar style: CSS that overrides ours; empty for our own colours.
    @ivar logo: C{data:} URI of the logo; empty for our own.
    """

    style: str = ""
    logo: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """
    What a page says, in no language yet, and what its policy must allow.

    @ivar template: name of the template.
    @ivar values: what the template is filled with.
    @ivar styles: sources of its C{style} elements for C{style-src}.
    @ivar has_script: whether it carries the script of the portal; most pages have none.
    @ivar has_data_images: whether it carries a picture as C{data:} URI.
    """

    template: str
    values: Mapping[str, Any]
    styles: tuple[str, ...] = ()
    has_script: bool = False
    has_data_images: bool = False


def brand_of(network: Network | None) -> Brand:
    """Return the look of a network; ours for None."""
    return Brand() if network is None else _brand(network.colour, network.logo)


def source_of(text: str) -> str:
    """Return the policy source that allows one style or script, by its hash, and no other."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def page_of(template: str, network: Network | None = None, **values: Any) -> Page:
    """
    Return a page in the look of a network.

    @param network: whose look and title the page has; None for ours.
    """
    brand = brand_of(network)
    return Page(
        template,
        {"network": network, "brand": brand, **values},
        styles=(source_of(brand.style),) if brand.style else (),
        has_data_images=bool(brand.logo),
    )


@lru_cache(maxsize=64)
def _brand(colour: str, logo: bytes | None) -> Brand:
    return Brand(_style(colour) if colour else "", _data_uri(logo) if logo else "")


def _style(colour: str) -> str:
    by_day, by_night = _rule(light(colour)), _rule(dark(colour))
    return f"{by_day} @media (prefers-color-scheme: dark) {{ {by_night} }}"


def _rule(shades: Shades) -> str:
    return f":root {{ --main: {shades.main}; --on-main: {shades.on_main}; --press: {shades.press} }}"


def _data_uri(logo: bytes) -> str:
    """Return a logo as C{data:} URI; anything but PNG is SVG, which runs no script as the source of an C{img}."""
    kind = "png" if logo.startswith(_PNG) else "svg+xml"
    return f"data:image/{kind};base64,{b64encode(logo).decode()}"


READABLE = 4.5
"""The contrast that text needs (WCAG 2.2, 1.4.3)."""

LIGHT_BACKS = ("#ffffff", "#eef2f1")
DARK_BACKS = ("#182120", "#0f1514")
"""Backgrounds on which C{style.css} puts the main colour: card and page."""

_BLACK, _WHITE = "#06231e", "#ffffff"
_STEPS = 50


@dataclass(frozen=True, slots=True)
class Shades:
    """
    The main colour in one colour scheme, each C{#rrggbb}.

    @ivar main: of buttons and links; readable as text on the backgrounds of its scheme.
    @ivar on_main: of text on C{main}.
    @ivar press: of a pressed button; C{on_main} is readable on it too.
    """

    main: str
    on_main: str
    press: str


def light(colour: str) -> Shades:
    """Return the shades of a colour for light pages: the colour itself if it is readable there, else a darker one."""
    return _shades(colour, LIGHT_BACKS, _BLACK)


def dark(colour: str) -> Shades:
    """Return the shades of a colour for dark pages: the colour itself if it is readable there, else a lighter one."""
    return _shades(colour, DARK_BACKS, _WHITE)


def contrast(one: str, other: str) -> float:
    """Return the WCAG contrast of two colours, from 1 (equal) to 21 (black and white)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _shades(colour: str, backs: tuple[str, ...], towards: str) -> Shades:
    main = next(
        shade
        for step in range(_STEPS + 1)
        if all(contrast(shade := _mix(colour, towards, step / _STEPS), back) >= READABLE for back in backs)
    )
    on_main = max(_WHITE, _BLACK, key=lambda text: contrast(text, main))
    away = _BLACK if on_main == _WHITE else _WHITE
    return Shades(main, on_main, _mix(main, away, 0.2))


def _mix(colour: str, other: str, share: float) -> str:
    """Return a mix of two colours with C{share} of the second, from 0 to 1."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


def _luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2, from 0 to 1."""
    scaled = (channel / 255 for channel in _channels(colour))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in scaled)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(colour: str) -> tuple[int, ...]:
    """
    Return red, green and blue, 0 to 255.

    @raise ValueError: for anything but C{#rrggbb}.
    """
    if not re.fullmatch("#[0-9a-f]{6}", colour):
        raise ValueError(f"{colour!r} is no colour")
    return tuple(bytes.fromhex(colour[1:]))
