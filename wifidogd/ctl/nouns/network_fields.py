"""How operators write what a network offers: methods, zone, terms, colour and logo."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from zoneinfo import available_timezones

from wifidogd.ctl.cli.arguments import duration, duration_or_none
from wifidogd.domain.plans import SignInMethod
from wifidogd.settings.text_files import decode_text
from wifidogd.web.rendering.language import FALLBACK, NAMES

LONGEST_TERMS = 4_000
"""Characters."""

LARGEST_LOGO = 4_096
"""Octets; it is part of every page."""

_PNG = b"\x89PNG\r\n\x1a\n"


def title(text: str) -> str:
    """Check what guests read."""
    if not 1 <= len(text) <= 100 or not text.isprintable():
        raise ArgumentTypeError("a title is one line of 1 to 100 characters")
    return text


def methods(text: str) -> tuple[SignInMethod, ...]:
    """Read how guests may sign in, in the order they are offered."""
    try:
        return tuple(dict.fromkeys(SignInMethod(name.strip()) for name in text.split(",")))
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is no way to sign in: write splash, account or voucher, or several separated by commas"
        ) from None


def time_zone(text: str) -> str:
    """Read the name of a time zone, or of a city after which only one is called."""
    wanted = text.strip().lower().replace(" ", "_")
    zones = sorted(available_timezones())
    found = [zone for zone in zones if zone.lower() == wanted]
    found = found or [zone for zone in zones if "/" in zone and zone.lower().endswith(f"/{wanted}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise ArgumentTypeError(f"{text!r} is the name of several time zones: write {' or '.join(found)}")
    raise ArgumentTypeError(f"{text!r} is no time zone: write one like Europe/Berlin or UTC")


def yes_or_no(text: str) -> bool:
    """Read C{yes} or C{no}."""
    if text not in ("yes", "no"):
        raise ArgumentTypeError(f"{text!r} is neither yes nor no")
    return text == "yes"


def grace(text: str) -> timedelta:
    """Read a length of time from a minute to a day."""
    length = duration(text)
    if not timedelta(minutes=1) <= length <= timedelta(days=1):
        raise ArgumentTypeError(f"{text!r} is not from a minute to a day")
    return length


def remember(text: str) -> timedelta | None:
    """Read a length of time from an hour to a year, or C{none} for not at all."""
    length = duration_or_none(text)
    if length is not None and not timedelta(hours=1) <= length <= timedelta(days=366):
        raise ArgumentTypeError(f"{text!r} is not from 1h to 366d: write none for not at all")
    return length


def mail_access(text: str) -> timedelta | None:
    """Read a length of time from a minute to half an hour, or C{none} for not at all."""
    length = duration_or_none(text)
    if length is not None and not timedelta(minutes=1) <= length <= timedelta(minutes=30):
        raise ArgumentTypeError(f"{text!r} is not from 1m to 30m: write none for not at all")
    return length


def name_or_none(check: Callable[[str], str]) -> Callable[[str], str | None]:
    """Return a reader of names that also takes C{none}."""
    return lambda text: None if text.lower() == "none" else check(text)


def colour(text: str) -> str:
    """Read a colour, or C{none} for ours."""
    if text.lower() == "none":
        return ""
    if not re.fullmatch(r"#[0-9a-f]{6}", text.lower()):
        raise ArgumentTypeError(f"{text!r} is no colour: write it like #0a7f5a, in quotes; none for ours")
    return text.lower()


def logo(name: str) -> bytes | None:
    """Read a PNG or SVG from a file, or C{none} for no logo."""
    if name.lower() == "none":
        return None
    raw = _read(name)
    if len(raw) > LARGEST_LOGO:
        raise ArgumentTypeError(
            f"{name} has {len(raw)} octets: {LARGEST_LOGO} are the most that fit, as each page has it"
        )
    if not raw.startswith(_PNG) and b"<svg" not in raw:
        raise ArgumentTypeError(f"{name} is neither PNG nor SVG")
    return raw


def terms(text: str) -> tuple[str, str]:
    """
    Read the terms of use in one language from C{FILE} or C{LANG=FILE}, C{-} for standard input.

    @return: language and text; an empty text stands for none in that language.
    """
    language, named, name = text.partition("=")
    if not named or not re.fullmatch("[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*", language):
        language, name = FALLBACK, text
    elif language not in NAMES:
        raise ArgumentTypeError(f"{language!r} is no language of the pages: write one of {', '.join(NAMES)}")
    try:
        said = decode_text(_read(name)).strip()
    except UnicodeDecodeError:
        raise ArgumentTypeError(f"{name} is not plain text") from None
    if len(said) > LONGEST_TERMS:
        raise ArgumentTypeError(f"{name} has {len(said)} characters: {LONGEST_TERMS} are the most that fit")
    if "\0" in said:
        raise ArgumentTypeError(f"{name} is not plain text")
    return language, said


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except (OSError, ValueError) as error:
        raise ArgumentTypeError(f"cannot read {name}: {error}") from None
