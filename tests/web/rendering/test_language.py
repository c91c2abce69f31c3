"""Which language a guest gets, and how a page is asked for in another."""

from __future__ import annotations

import pytest
from babel import Locale

from wifidogd.web.rendering.language import (
    ENGLISH,
    FALLBACK,
    NAMES,
    Language,
    Switch,
    negotiate,
    switch_at,
    switch_to,
    text_in,
)


@pytest.mark.parametrize(
    ("accepted", "tag"),
    [
        ("", "en"),
        ("de", "de"),
        ("DE-at", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en-US,en;q=0.9,de;q=0.8", "en"),
        ("de;q=0.5,fr;q=0.7", "fr"),
        ("fr;q=0.5 , de ; q=0.5", "fr"),
        ("nl,it;q=0.2", "it"),
        ("nl", "en"),
        ("xx-YY,sv;q=0.9", "en"),
        ("en;q=0,tr", "tr"),
        ("*", "en"),
        ("*,vi;q=0.1", "vi"),
        ("pt-BR", "pt"),
        ("pt-PT", "pt"),
        ("es-419", "es"),
        ("ar-EG", "ar"),
        ("ja-JP", "ja"),
        ("pl;q=1.000", "pl"),
        ("zh", "zh-Hans"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("zh-Hans-CN", "zh-Hans"),
        ("zh-TW,zh;q=0.9,en-US;q=0.8", "zh-Hant"),
        ("zh-TW,en;q=0.1", "zh-Hant"),
        ("zh-HK", "zh-Hant"),
        ("zh-MO", "zh-Hant"),
        ("zh-Hant", "zh-Hant"),
        ("zh-Hans-TW", "zh-Hans"),
        ("zh-Latn,en;q=0.1", "en"),
        ("zh-Latn", "zh-Hans"),
        ("zh-Hant-HK", "zh-Hant"),
        ("zh-US", "zh-Hant"),
        ("zh-SG,en;q=0.1", "zh-Hans"),
        ("zh-Hant-SG,en;q=0.1", "zh-Hant"),
        ("cmn-CN", "zh-Hans"),
        ("ger-AT", "de"),
        ("pt-XX", "pt"),
        ("de-1996", "de"),
        ("de-x-foo", "de"),
        ("de-Abcd-XX-9", "de"),
        ("dex", "en"),
        ("de;q=9", "en"),
        ("de;q=x,fr", "fr"),
        (";;;,,,=", "en"),
        ("\xff\xfe", "en"),
        (",".join(["nl"] * 20 + ["de"]), "en"),
        (" " * 600 + "de", "en"),
        ("a" * 60_000, "en"),
        ("de-" * 20_000, "en"),
    ],
)
def test_the_browser_says_what_its_user_reads(accepted: str, tag: str) -> None:
    """The most wanted of the languages that we have; English for everybody else."""
    assert negotiate(accepted) == Language(tag)


@pytest.mark.parametrize("tag", NAMES)
def test_a_choice_wins(tag: str) -> None:
    """Whatever the browser says."""
    assert negotiate("it,en", tag) == Language(tag, chosen=True)


@pytest.mark.parametrize("wanted", ["", "xx", "DE", "de-AT", "zh", "<b>", "de'"])
def test_a_choice_of_nothing_is_none(wanted: str) -> None:
    """Only what the switch offers counts."""
    assert negotiate("it", wanted) == Language("it")


@pytest.mark.parametrize(
    ("language", "address", "kept"),
    [
        (ENGLISH, "/wifidog/login", "/wifidog/login"),
        (Language("de"), "/wifidog/login?gw_id=1", "/wifidog/login?gw_id=1"),
        (Language("de", chosen=True), "/wifidog/login", "/wifidog/login?lang=de"),
        (Language("zh-Hans", chosen=True), "/wifidog/login?gw_id=1", "/wifidog/login?gw_id=1&lang=zh-Hans"),
    ],
)
def test_a_choice_is_carried_on_by_addresses(language: Language, address: str, kept: str) -> None:
    """Only a choice: what the browser says it says again."""
    assert language.kept(address) == kept


def test_the_switch_repeats_the_query() -> None:
    """Without the language before, and without what could be anything."""
    fields = {
        "gw_id": "a:b",
        "url": "http://a.example/?<x>",
        "lang": "de",
        "message": "<b>free</b>",
        "<i>": "1",
        "": "2",
    }
    assert switch_at("", fields) == Switch("", (("gw_id", "a:b"), ("url", "http://a.example/?<x>")))


def test_a_query_too_long_to_repeat_has_no_switch() -> None:
    """Pages stay small."""
    assert switch_at("", {"url": "x" * 1490}) is not None
    assert switch_at("", {"url": "x" * 1500}) is None


def test_an_address_of_ours_becomes_a_switch() -> None:
    """For pages that answer a form."""
    expected = Switch("/wifidog/login", (("gw_id", "gw1"), ("url", "http://a.example/?a=1&b=2")))
    assert switch_to("/wifidog/login?gw_id=gw1&url=http%3A%2F%2Fa.example%2F%3Fa%3D1%26b%3D2&lang=de") == expected


@pytest.mark.parametrize(
    ("texts", "tag", "found"),
    [
        ({}, "de", None),
        ({"de": "D", "en": "E"}, "de", ("de", "D")),
        ({"de": "D", "en": "E"}, "fr", ("en", "E")),
        ({"tr": "T", "pl": "P"}, "fr", ("pl", "P")),
        ({"zh-Hans": "Z"}, "zh-Hans", ("zh-Hans", "Z")),
    ],
)
def test_an_operators_text_is_found_in_the_best_language(
    texts: dict[str, str], tag: str, found: tuple[str, str] | None
) -> None:
    """That of the page, else English, else whichever there is."""
    assert text_in(texts, tag) == found


def test_the_fallback_is_one_of_ours() -> None:
    """And stands first in the switch."""
    assert next(iter(NAMES)) == FALLBACK


def test_languages_that_nobody_speaks_cost_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Babel is not asked, which looks for files and through a thousand names for each."""

    def parse(*tag: object, **how: object) -> None:
        raise AssertionError(tag)

    monkeypatch.setattr(Locale, "parse", parse)
    assert negotiate("nl-Abcd-XX,it-Abcd-YY;q=0.5") == Language("it")
