"""How an operator's own look gets into a page: colour as style, logo as an image inside the page; pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from wifidogd.offers import Network
from wifidogd.web.colour import Shades, dark, light

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

    @ivar template: which says it.
    @ivar values: what the template is filled with.
    @ivar styles: of its C{style} elements, as sources for C{style-src}.
    @ivar has_script: whether it carries the script of the portal; most pages have none.
    @ivar has_data_images: whether it carries a picture in itself.
    """

    template: str
    values: Mapping[str, Any]
    styles: tuple[str, ...] = ()
    has_script: bool = False
    has_data_images: bool = False


def brand_of(network: Network | None) -> Brand:
    """Describe the look of a network; ours for none."""
    return Brand() if network is None else _brand(network.colour, network.logo)


def source_of(text: str) -> str:
    """Name a style or script in a policy by what it says, so that no other is let through."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def page_of(template: str, network: Network | None = None, **values: Any) -> Page:
    """
    Describe a page in the look of a network.

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
    """Anything but PNG is SVG, which runs no script as the source of an C{img}."""
    kind = "png" if logo.startswith(_PNG) else "svg+xml"
    return f"data:image/{kind};base64,{b64encode(logo).decode()}"
