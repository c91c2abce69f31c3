"""Codes survive paper, eyes and thumbs: what is typed is understood, and a typo is known to be one."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wifidogd.domain.voucher_codes import (
    ALPHABET,
    BY_CHANCE,
    LONGEST_PREFIX,
    LOOK_ALIKES,
    mint_code,
    read_code,
    read_prefix,
    show_code,
)

CHARACTERS = st.sampled_from(ALPHABET)
PREFIXES = st.text(CHARACTERS, max_size=LONGEST_PREFIX)


@st.composite
def codes(draw: st.DrawFn) -> str:
    """Codes with any prefix."""
    return mint_code(draw(PREFIXES), lambda _: draw(CHARACTERS))


def test_nobody_can_guess_a_code() -> None:
    """Even who finds one of a million codes with one try in a second needs centuries."""
    assert math.log2(len(ALPHABET)) * BY_CHANCE >= 50


def test_codes_have_no_two_characters_that_look_alike() -> None:
    """And each that is left out stands for one that is not."""
    for group in ("0O", "1IL", "2Z", "5S", "8B", "UV"):
        assert len(set(group) & set(ALPHABET)) == 1
    assert set(LOOK_ALIKES).isdisjoint(ALPHABET)
    assert set(LOOK_ALIKES.values()) <= set(ALPHABET)
    assert set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == set(ALPHABET) | set(LOOK_ALIKES)


def test_the_check_needs_a_prime_alphabet_longer_than_any_code() -> None:
    """Else two weights could be the same, or a weight divide a difference."""
    assert all(len(ALPHABET) % divisor for divisor in range(2, len(ALPHABET)))
    assert len(ALPHABET) > LONGEST_PREFIX + BY_CHANCE + 1


@given(codes())
def test_a_code_is_understood_as_it_is_printed(code: str) -> None:
    assert read_code(code) == code
    assert read_code(show_code(code)) == code


@given(codes(), st.data())
def test_every_single_wrong_character_is_a_typo(code: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(code) - 1))
    wrong = data.draw(CHARACTERS.filter(lambda one: one != code[at]))
    assert read_code(code[:at] + wrong + code[at + 1 :]) is None


@given(codes(), st.data())
def test_any_two_characters_that_changed_places_are_a_typo(code: str, data: st.DataObject) -> None:
    one = data.draw(st.integers(0, len(code) - 2))
    other = data.draw(st.integers(one + 1, len(code) - 1))
    assume(code[one] != code[other])
    swapped = list(code)
    swapped[one], swapped[other] = code[other], code[one]
    assert read_code("".join(swapped)) is None


@given(codes(), st.data())
def test_case_gaps_and_look_alikes_do_not_matter(code: str, data: st.DataObject) -> None:
    """Whatever stands between, before and behind, and whichever of those that look alike was read."""
    alike = {
        one: [one, one.lower(), *(other for other in LOOK_ALIKES if LOOK_ALIKES[other] == one)] for one in ALPHABET
    }
    gaps = st.text(" -_.\t\u2013\u00a0\u200b/", max_size=2)
    typed = "".join(data.draw(gaps) + data.draw(st.sampled_from(alike[one])) for one in code) + data.draw(gaps)
    assert read_code(typed) == code


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("0000-0000-0000", "000000000000"),
        ("ooooooooOOOO", "000000000000"),
        ("\uff10" * 12, "000000000000"),
        ("\u0660" * 12, "000000000000"),
        ("", None),
        ("0000-0000-000", None),
        ("0" * 21, None),
        ("0" * 100_000, None),
        ("0000-0000-000\u00e9", None),
        ("0000-0000-000\u00b2", None),
        ("correct horse", None),
        ("\0\ud800", None),
    ],
)
def test_what_can_be_no_code_is_told_from_what_can(typed: str, code: str | None) -> None:
    """Digits of any script are digits; length and letters must be those of a code."""
    assert read_code(typed) == code


@pytest.mark.parametrize(
    ("code", "shown"), [("000000000000", "0000-0000-0000"), ("HT7QKM2X4V9RTD", "HT-7QKM-2X4V-9RTD")]
)
def test_codes_are_grouped_for_people(code: str, shown: str) -> None:
    """The prefix apart."""
    assert show_code(code) == shown


@pytest.mark.parametrize(
    ("text", "prefix"),
    [("htl", "HT1"), ("H-T", "HT"), ("", None), ("-", None), ("ABCDEFGHI", None), ("caf\u00e9", None)],
)
def test_a_prefix_is_written_as_codes_are(text: str, prefix: str | None) -> None:
    """So that what is printed is what is compared."""
    assert read_prefix(text) == prefix
