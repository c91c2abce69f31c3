"""The language a guest reads; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

from babel import Locale
from babel.core import get_global
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

NAMES = {
    "en": "English",
    "ar": "العربية",
    "de": "Deutsch",
    "es": "Español",
    "fr": "Français",
    "it": "Italiano",
    "ja": "日本語",
    "pl": "Polski",
    "pt": "Português",
    "tr": "Türkçe",
    "vi": "Tiếng Việt",
    "zh-Hans": "简体中文",
    "zh-Hant": "繁體中文",
}
"""The languages of the pages, each by the name its readers use; the first is the fallback."""

FALLBACK = "en"
PARAMETER = "lang"
"""The query parameter that carries a guest's choice from page to page."""

_LONGEST_QUERY = 1500
"""Characters; what gateways send is cut at 968 bytes (wifidog-gateway C{src/http.c})."""

_PLAIN = re.compile(r"[A-Za-z0-9._:-]+")
_MOST_PREFERENCES = 20
_LONGEST_TAG = 35
"""Characters; as many as implementations must support (RFC 5646, section 4.4.1)."""

_LONGEST_PREFERENCES = 500
"""Characters of an Accept-Language header that are read, and remembered; browsers send fewer than 200."""

_TAG = re.compile(r"([a-z]{2,3})(?:-([a-z]{4}))?(?:-([a-z]{2}))?(?:-|\Z)")
_OURS = {name.partition("-")[0]: name for name in reversed(NAMES)}


@dataclass(frozen=True, slots=True)
class Language:
    """
    The language a page is written in.

    @ivar tag: one of L{NAMES}.
    @ivar chosen: True if the guest picked it by hand, so that links must carry it on.
    """

    tag: str = FALLBACK
    chosen: bool = False

    @property
    def locale(self) -> Locale:
        """The locale for numbers and dates."""
        return locale_of(self.tag)

    def kept(self, address: str) -> str:
        """Return an address of ours with the language added that the guest has picked, if any."""
        if not self.chosen:
            return address
        mark = "&" if "?" in address else "?"
        return f"{address}{mark}{urlencode({PARAMETER: self.tag})}"


ENGLISH = Language()


@dataclass(frozen=True, slots=True)
class Switch:
    """
    A form, sent by GET, that asks for the same page in another language.

    @ivar action: address without query; empty for that of the page itself.
    @ivar fields: names and values of the query.
    """

    action: str = ""
    fields: tuple[tuple[str, str], ...] = ()


def switch_at(address: str, fields: Mapping[str, str]) -> Switch | None:
    """
    Return the form that asks for a page in another language, or None if its query is too long to be repeated.

    @param address: as in L{Switch.action}.
    @param fields: of the query; values that are not plain are dropped, except for the page the guest first wanted.
    """
    kept = tuple(
        (name, value)
        for name, value in fields.items()
        if _PLAIN.fullmatch(name) and name != PARAMETER and (name == "url" or _PLAIN.fullmatch(value))
    )
    return Switch(address, kept) if sum(len(name) + len(value) for name, value in kept) <= _LONGEST_QUERY else None


def switch_to(address: str) -> Switch | None:
    """Return the form for an address that wifidogd made itself."""
    path, _, query = address.partition("?")
    return switch_at(path, dict(parse_qsl(query)))


def negotiate(accepted: str, wanted: str = "") -> Language:
    """
    Return the language to answer a guest in.

    @param accepted: the Accept-Language header (RFC 9110, section 12.5.4); empty for none.
    @param wanted: what the guest picked on a page of ours; ignored unless it is one of L{NAMES}.
    """
    return Language(wanted, chosen=True) if wanted in NAMES else Language(_preferred(accepted[:_LONGEST_PREFERENCES]))


def text_in(texts: Mapping[str, str], tag: str) -> tuple[str, str] | None:
    """
    Return the text an operator wrote for a language, and the language it is in.

    @param tag: of the page.
    @return: the text in C{tag}, else in L{FALLBACK}, else the first; None if there are no texts.
    """
    for candidate in (tag, FALLBACK, *sorted(texts)):
        if candidate in texts:
            return candidate, texts[candidate]
    return None


@lru_cache(maxsize=len(NAMES))
def locale_of(tag: str) -> Locale:
    """Return the locale for numbers and dates in a language of L{NAMES}."""
    return Locale.parse(tag, sep="-")


@lru_cache(maxsize=1000)
def _preferred(accepted: str) -> str:
    """
    Return the language to use for an Accept-Language header.

    Another script of a language of ours, such as Chinese in Latin letters, is
    better than L{FALLBACK} but worse than any other language asked for.
    """
    tags = [tag for tag in map(_known, _by_preference(accepted)) if tag]
    exact = [tag for tag, is_exact in tags if is_exact]
    return (exact or [tag for tag, _ in tags] or [FALLBACK])[0]


def _by_preference(accepted: str) -> list[str]:
    """Return the tags of a header, most wanted first, without those that are malformed or refused (q=0)."""
    weighed = parse_accept_header(accepted, LanguageAccept)
    wanted = [tag for tag, weight in weighed if weight > 0]
    return [tag for tag in wanted if len(tag) <= _LONGEST_TAG and _TAG.match(tag.lower())][:_MOST_PREFERENCES]


def _known(tag: str) -> tuple[str, bool] | None:
    """
    Return the language of ours that a tag such as C{de-AT} means, and whether it is in the same script.

    Without a script in the tag, the region tells which: Taiwan and Hong Kong write Traditional Chinese.
    """
    language, script, region = _TAG.match(tag.lower()).groups()  # type: ignore[union-attr]  # a preference is one
    ours = _OURS.get(get_global("language_aliases").get(language, language))
    if ours is None:
        return None
    language, _, has_script = ours.partition("-")
    if not has_script:
        return ours, True
    likely = get_global("likely_subtags")
    usual = likely.get(f"{language}_{(region or '').upper()}", likely[language])
    wanted = f"{language}-{(script or usual.split('_')[1]).title()}"
    return (wanted, True) if wanted in NAMES else (ours, False)
