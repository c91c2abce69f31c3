"""An operator's colour and logo in a page."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest

from wifidogd.domain.plans import Network
from wifidogd.web.rendering.brand import Brand, brand_of

CAFE = Network("default", "Café")
PNG = b"\x89PNG\r\n\x1a\nrest"
SVG = b"<svg/>"


def test_without_colour_and_logo_ours_stay() -> None:
    """As for pages that belong to no network."""
    assert brand_of(CAFE) == brand_of(None) == Brand()


def test_a_colour_becomes_one_rule_for_the_day_and_one_for_the_night() -> None:
    """Both readable, hence not both the same."""
    style = brand_of(replace(CAFE, colour="#003366")).style
    assert style.startswith(":root { --main: #003366; --on-main: #ffffff;")
    assert "@media (prefers-color-scheme: dark) { :root { --main: #" in style
    assert style.count("#003366") == 1


@pytest.mark.parametrize(("logo", "kind"), [(PNG, "png"), (SVG, "svg+xml")])
def test_a_logo_travels_in_the_page(logo: bytes, kind: str) -> None:
    """A guest who is not online could load it from nowhere else."""
    encoded = b64encode(logo).decode()
    assert brand_of(replace(CAFE, logo=logo)).logo == f"data:image/{kind};base64,{encoded}"
