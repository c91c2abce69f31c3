"""Codes at their limits, and codes that are on paper already."""

from __future__ import annotations

import pytest

from wifidogd.domain.voucher_codes import check_character, mint_code, read_code, read_prefix


@pytest.mark.parametrize(
    ("body", "check"),
    [
        ("HT7QKM2X4V9RT", "N"),
        ("7QKM2X4V9RT", "5"),
        ("00000000001", "X"),
        ("00000000010", "W"),
        ("10000000000", "J"),
        ("XXXXXXXXXXXXXXXXXXX", "D"),
    ],
)
def test_codes_that_were_printed_stay_valid(body: str, check: str) -> None:
    """The check character is part of what guests hold in their hands: it can never change."""
    assert check_character(body) == check
    assert read_code(body + check) == body + check


def test_a_code_without_a_prefix_has_twelve_characters() -> None:
    assert len(mint_code()) == 12
    assert len(mint_code("HT")) == 14


@pytest.mark.parametrize(
    ("typed", "prefix"),
    [("h", "H"), ("ACDEFGHJ", "ACDEFGHJ"), ("ACDEFGHJK", None), ("a-c-d-e-f-g-h-j", "ACDEFGHJ")],
)
def test_a_prefix_has_one_to_eight_characters(typed: str, prefix: str | None) -> None:
    assert read_prefix(typed) == prefix


def test_a_hundred_typed_characters_are_read() -> None:
    """Whatever comes after them is not: nobody types as much."""
    code = "0" * 12
    assert read_code(" " * 88 + code) == code
    assert read_code(" " * 89 + code) is None
    assert read_code(code + " " * 88 + "0") == code
