"""One name, however it is typed."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wifidogd.domain.tokens import LONGEST_NAME, fold_name, is_name, spellings_of


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("anna", "anna"),
        ("Anna ", "anna"),
        ("\u3000Anna\xa0", "anna"),
        ("ÅSA", "åsa"),
        ("A\u030asa", "åsa"),
        ("ｚｏｅ", "zoe"),
        ("ﾊﾝﾅ", "ハンナ"),
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("ΟΔΥΣΣΕΎΣ", "οδυσσεύσ"),
        ("Οδυσσεύς", "οδυσσεύσ"),
        ("IŞIK", "işik"),
        ("ışık", "işik"),
        ("İPEK", "ipek"),
        ("ipek", "ipek"),
        ("℡", "tel"),
        ("anna@Example.ORG", "anna@example.org"),
    ],
)
def test_a_name_has_one_form(typed: str, name: str) -> None:
    """Whatever phones, keyboards and languages make of it."""
    assert fold_name(typed) == name


@given(st.text())
@example("\u0345")
@example("\u1fb7")
@example("ŉ")
def test_case_and_spelling_make_no_difference(name: str) -> None:
    """Nor does it matter how often a name is folded."""
    folded = fold_name(name)
    assert fold_name(folded) == folded
    assert fold_name(f"a{name}b".upper()) == fold_name(f"a{name}b".lower()) == fold_name(f"a{name}b")


@pytest.mark.parametrize(
    ("typed", "spellings"),
    [
        ("Anna", ["anna"]),
        ("Straße", ["straße", "strasse"]),
        ("ＺＯＥ＠example.org", ["ｚｏｅ＠example.org", "zoe@example.org"]),
        ("zoe@Bücher.example", ["zoe@bücher.example", "zoe@xn--bcher-kva.example"]),
    ],
)
def test_an_account_may_be_stored_as_it_was_before(typed: str, spellings: list[str]) -> None:
    """The old form first, since nothing else distinguishes those whose names became one."""
    assert spellings_of(typed) == spellings


@pytest.mark.parametrize(
    ("name", "is_good"),
    [("", False), ("a", True), ("x" * LONGEST_NAME, True), ("x" * (LONGEST_NAME + 1), False), ("a\tb", False)],
)
def test_a_name_can_be_seen_and_is_short(name: str, is_good: bool) -> None:
    """As the table of accounts and the pages want it."""
    assert is_name(name) is is_good
