"""Opening hours of a week, and the instants they mean in a time zone; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from wifidogd.domain.errors import ConfigurationError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

EXAMPLE = "mon-fri 08:00-18:00, sat 10:00-14:00"

_ENTRY = re.compile(
    r"(?:([a-z]{3,9})(?: ?- ?([a-z]{3,9}))? )?([0-9]{1,2})[:.]([0-9]{2}) ?- ?([0-9]{1,2})[:.]([0-9]{2})", re.ASCII
)
_DASHES = str.maketrans("\u2010\u2011\u2012\u2013\u2014\u2212", "------")
"""What word processors and telephones make of a hyphen."""

_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_WEEKS = 15
"""Days within which a weekly rule opens at least once, even if a change of the clock skips it once."""


@dataclass(frozen=True, slots=True)
class Opening:
    """
    One stretch of opening hours, by the clock on the wall.

    @ivar weekday: of its beginning, 0 for Monday.
    @ivar opens: after that day's midnight.
    @ivar closes: likewise; beyond 24 hours when that is on the next day.
    """

    weekday: int
    opens: timedelta
    closes: timedelta


@lru_cache(maxsize=1000)
def read_hours(text: str) -> tuple[Opening, ...]:
    """
    Return the opening hours that a text such as C{mon-fri 08:00-18:00, sat 10:00-14:00} or C{18:00-02:00} means.

    Days may be written in full and hours with one digit (C{Monday-Friday 8:00-18:00}).

    Hours that end when or before they begin end on the next day; an entry
    without a day applies to every day.

    @return: empty for always open.
    @raise ConfigurationError: if C{text} means none.
    """
    plain = text.lower().translate(_DASHES)
    entries = [" ".join(entry.split()) for entry in plain.split(",")] if text.strip() else []
    return tuple(opening for entry in entries for opening in _read_entry(entry))


def is_open(text: str, now: datetime, zone: str) -> bool:
    """Return whether an instant is within opening hours: from their first second up to, but without, their last."""
    return not text.strip() or any(opens <= now < closes for opens, closes in _openings(text, now, zone, 1))


def next_opening(text: str, now: datetime, zone: str) -> datetime:
    """Return when it opens next; C{now} itself when it is open."""
    if is_open(text, now, zone):
        return now
    return min(opens for opens, _ in _openings(text, now, zone, _WEEKS) if opens > now)


def closing(text: str, now: datetime, zone: str) -> datetime | None:
    """Return when the current hours end; None when it is closed, or does not close within a week."""
    if not text.strip() or not is_open(text, now, zone):
        return None
    until = now
    for opens, closes in sorted(_openings(text, now, zone, 8)):
        if opens <= until < closes:
            until = closes
    return until if until < now + timedelta(days=7) else None


def midnight(now: datetime, zone: str, days: int = 0) -> datetime:
    """
    Return when the calendar day of an instant began in a time zone.

    @param days: 1 for the following day, which begins 23 to 25 hours later.
    """
    return _instant(now.astimezone(ZoneInfo(zone)).date() + timedelta(days=days), timedelta(), zone)


def _openings(text: str, now: datetime, zone: str, days: int) -> Iterator[tuple[datetime, datetime]]:
    """Return openings and closings from yesterday on, without those that fall into the hour skipped in spring."""
    today = now.astimezone(ZoneInfo(zone)).date()
    week = read_hours(text)
    for number in range(-1, days):
        day = today + timedelta(days=number)
        for opening in week:
            if opening.weekday == day.weekday():
                opens, closes = _instant(day, opening.opens, zone), _instant(day, opening.closes, zone)
                if opens < closes:
                    yield opens, closes


def _instant(day: date, after_midnight: timedelta, zone: str) -> datetime:
    """
    Return when the clock on the wall shows a time.

    A time skipped in spring comes as much later; of one that occurs twice in
    autumn the first counts.
    """
    wall = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) + after_midnight
    return wall.astimezone(UTC)


def _read_entry(entry: str) -> Iterator[Opening]:
    found = _ENTRY.fullmatch(entry)
    if found is None:
        raise ConfigurationError(f"{entry!r} is no opening hours: write them like {EXAMPLE}")
    opens, closes = _read_time(found[3], found[4], entry), _read_time(found[5], found[6], entry)
    if opens == timedelta(days=1):
        raise ConfigurationError(f"{entry!r} begins at 24:00: write 00:00 of the next day")
    for weekday in _read_days(found[1], found[2], entry):
        yield Opening(weekday, opens, closes if closes > opens else closes + timedelta(days=1))


def _read_time(hours: str, minutes: str, entry: str) -> timedelta:
    if int(minutes) > 59 or int(hours) * 100 + int(minutes) > 2400:
        raise ConfigurationError(f"{entry!r} has no time of day {hours}:{minutes}: write 00:00 to 24:00")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _read_days(first: str | None, last: str | None, entry: str) -> Iterator[int]:
    """Return the weekdays that a text names; C{fri-mon} spans the weekend."""
    if first is None:
        yield from range(7)
        return
    begin, end = _weekday(first, entry), _weekday(last or first, entry)
    yield from (number % 7 for number in range(begin, end + 1 if end >= begin else end + 8))


def _weekday(day: str, entry: str) -> int:
    for number, names in enumerate(zip(DAYS, _NAMES, strict=True)):
        if day in names:
            return number
    raise ConfigurationError(f"{entry!r} has no day {day!r}: write {', '.join(DAYS)}")
