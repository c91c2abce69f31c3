"""Whatever colour an operator likes, guests can read it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifidogd.web.rendering.brand import DARK_BACKS, LIGHT_BACKS, READABLE, contrast, dark, light

COLOURS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21), ("#777777", "#ffffff", 4.48), ("#ffffff", "#777777", 4.48), ("#123456", "#123456", 1)],
)
def test_contrast_is_counted_as_wcag_does(one: str, other: str, ratio: float) -> None:
    """Whichever comes first."""
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)


@pytest.mark.parametrize(
    ("colour", "by_day", "by_night"),
    [
        ("#0b6b5d", ("#0b6b5d", "#ffffff"), ("#4f948a", "#06231e")),
        ("#ffd500", ("#747111", "#ffffff"), ("#ffd500", "#06231e")),
        ("#000000", ("#000000", "#ffffff"), ("#8a8a8a", "#06231e")),
        ("#ffffff", ("#60726f", "#ffffff"), ("#ffffff", "#06231e")),
    ],
)
def test_a_colour_is_kept_where_it_can_be_read(colour: str, by_day: tuple[str, str], by_night: tuple[str, str]) -> None:
    """And made darker by day or lighter by night where it cannot."""
    assert (light(colour).main, light(colour).on_main) == by_day
    assert (dark(colour).main, dark(colour).on_main) == by_night


@given(COLOURS)
def test_every_colour_can_be_read(colour: str) -> None:
    """As text on the page, under the text of a button, and while that is pressed."""
    for shades, backs in ((light(colour), LIGHT_BACKS), (dark(colour), DARK_BACKS)):
        assert all(contrast(shades.main, back) >= READABLE for back in backs)
        assert contrast(shades.on_main, shades.main) >= READABLE
        assert contrast(shades.on_main, shades.press) >= READABLE


@pytest.mark.parametrize("text", ["", "red", "#fff", "#FFFFFF", "#0b6b5d;}"])
def test_anything_else_is_no_colour(text: str) -> None:
    """Least of all more style than a colour."""
    with pytest.raises(ValueError, match="is no colour"):
        light(text)
