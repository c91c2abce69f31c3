"""Every page in every language."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest
from babel.messages.pofile import read_po

from tests.web.rendering.test_pages import EVERY_PAGE, NETWORK, PAGES, STATE
from wifidogd.web.rendering.environments import path_of
from wifidogd.web.rendering.language import FALLBACK, NAMES, Language, Switch, switch_at

SWITCH = switch_at("", {"gw_id": "gw1", "gw_address": "10.0.0.1", "gw_port": "2060", "url": "http://a.example/"})
EVERY_WAY = [(name, tag) for name in EVERY_PAGE for tag in NAMES]


def write(name: str, tag: str, *, chosen: bool = False, switch: Switch | None = SWITCH) -> str:
    """Write a page of the tests of pages in another language."""
    page = EVERY_PAGE[name].page
    values = page.values | ({"state": STATE[:500]} if "state" in page.values else {})
    text: bytes = PAGES.write(replace(page, values=values), Language(tag, chosen), switch)
    return text.decode()


def sentences(tag: str) -> list[str]:
    """List English texts that cannot stand on a page of another language by chance."""
    with path_of(tag).open("rb") as file:
        catalogue = read_po(file)
    texts = [message.id for message in catalogue if isinstance(message.id, str) and message.id != message.string]
    return [text for text in texts if len(text) > 20 and "%(" not in text]


@pytest.mark.parametrize(("name", "tag"), EVERY_WAY)
def test_a_page_says_its_language_and_stays_small(name: str, tag: str) -> None:
    """Readers aloud and fonts depend on the first, the mini-browser's patience on the other."""
    page = write(name, tag)
    assert f'<html lang="{tag}" dir="{"rtl" if tag == "ar" else "ltr"}">' in page
    assert len(page.encode()) < 14_000


@pytest.mark.parametrize("tag", sorted(set(NAMES) - {FALLBACK}))
def test_no_english_is_left(tag: str) -> None:
    """Neither in a text nor in an attribute."""
    english = sentences(tag)
    for name in EVERY_PAGE:
        page = unescape(re.sub(r"\s+", " ", write(name, tag)))
        assert [sentence for sentence in english if sentence in page] == [], name


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_every_way_on_keeps_a_chosen_language(name: str) -> None:
    """Links and forms, because there is no cookie that could."""
    pattern = r'(?:href|action)="(/wifidog/[^"]*)"'
    for address in re.findall(pattern, write(name, "pl", chosen=True)):
        assert re.search(r"[?;]lang=pl$", address), address
    for address in re.findall(pattern, write(name, "pl")):
        assert "lang=" not in address


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_every_field_says_which_way_it_is_written(name: str) -> None:
    """Codes, addresses and passwords from left to right, names as they begin, wherever the page itself begins."""
    fields = re.findall(r"<input (?![^>]*type=.(?:hidden|checkbox))[^>]*>", write(name, "ar"))
    for field in fields:
        assert re.search(r' dir="(ltr|auto)"', field), field


def test_the_switch_names_each_language_as_its_readers_do() -> None:
    """All but the present one, each in its own language, sent with what the gateway had said."""
    page = write("splash", "de")
    offered = re.findall(r'<button name="lang" value="(.+?)" lang="(.+?)">(.+?)</button>', page)
    assert offered == [(tag, tag, name) for tag, name in NAMES.items() if tag != "de"]
    assert re.search(r"<summary.*Deutsch</summary>", page)
    assert '<input type="hidden" name="gw_id" value="gw1">' in page
    assert '<form method="get">' in page


def test_a_page_that_cannot_be_asked_for_again_has_no_switch() -> None:
    """Such as the answer to a form."""
    assert "<footer" not in write("splash", "de", switch=None)


def test_terms_are_shown_in_the_language_that_the_operator_wrote_them_in() -> None:
    """That of the page, if there is one."""
    page = PAGES.write(EVERY_PAGE["splash"].page, Language("de")).decode()
    assert '<p class="terms" lang="en" dir="auto">' in page


def test_durations_have_the_plural_of_the_language() -> None:
    """And sizes its decimal mark."""
    page = re.sub(r"\s+", " ", write("portal", "pl"))
    assert "20 minut" in page
    assert "12,3 MB" in page


def test_a_long_query_is_not_repeated() -> None:
    """Rather no switch than a page that is too large."""
    page = PAGES.write(PAGES.sign_in(NETWORK, STATE).page, Language("ar"), switch_at("", {"url": "x" * 1501}))
    assert b"<footer" not in page
