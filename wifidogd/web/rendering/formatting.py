"""Sizes, lengths of time, instants and refusals as people say them; the words themselves are in the templates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_skeleton, format_time, get_day_names
from babel.units import format_unit

from wifidogd.access.open_session import Refused
from wifidogd.domain.opening_hours import DAYS
from wifidogd.domain.quotas import Limit
from wifidogd.domain.sessions import Reason

_DAY = re.compile(r"[a-z]{3}")
_UNITS = ("byte", "kilobyte", "megabyte", "gigabyte", "terabyte", "petabyte")


@dataclass(frozen=True, slots=True)
class Size:
    """
    An amount of data.

    @ivar number: three significant digits, C{"1.25"}, C{"12.5"} or C{"125"}.
    @ivar unit: its name in Unicode's locale data, C{"megabyte"}; decimal, as telephone companies count.
    """

    number: str
    unit: str


@dataclass(frozen=True, slots=True)
class Span:
    """
    A length of time in whole minutes, as the two largest units.

    @ivar minutes: 0 when there are days; all three are 0 for less than a minute.
    """

    days: int
    hours: int
    minutes: int


def size(octets: int) -> Size:
    """Return an amount of data, in kilobytes or more; rounded down, so that nobody is promised more than there is."""
    if not octets:
        return Size("0", _UNITS[1])
    power = max(1, min((len(str(octets)) - 1) // 3, len(_UNITS) - 1))
    whole, rest = divmod(octets, 1000**power)
    digits = f"{rest:0{3 * power}d}"[: max(0, 3 - len(str(whole)))]
    return Size(f"{whole}.{digits}" if digits else str(whole), _UNITS[power])


def span(length: timedelta) -> Span:
    """Return a length of time, rounded down; zero for a negative one."""
    minutes = max(0, length // timedelta(minutes=1))
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    return Span(days, hours, 0 if days else minutes)


def why_of(refused: Refused | None) -> dict[str, Any]:
    """Return what templates need to explain a refusal, if there was one."""
    if refused is None:
        return {"why": None, "minutes": 0, "flaw": None}
    flaw = None if refused.flaw is None else refused.flaw.name
    return {"why": refused.why.name, "minutes": minutes_to_wait(refused.wait), "flaw": flaw}


def limit_of(reason: Reason) -> str | None:
    """Return the name of the limit for which a session ended; None if it ended for another reason."""
    return next((limit.name for limit in Limit if limit.value is reason), None)


def minutes_to_wait(wait: timedelta | None) -> int:
    """Return a waiting time in whole minutes, rounded up, at least 1."""
    return max(1, -((wait or timedelta()) // timedelta(minutes=-1)))


def write_size(amount: Size, locale: Locale) -> str:
    """Return a size with the language's decimal mark and short unit name."""
    places = len(amount.number.partition(".")[2])
    pattern = f"#,##0.{'0' * places}" if places else "#,##0"
    return format_unit(Decimal(amount.number), f"digital-{amount.unit}", "short", pattern, locale=locale)


def write_moment(at: datetime, zone: str, now: datetime, locale: Locale) -> str:
    """
    Return an instant as clocks in the network's time zone show it, to the minute.

    @param at: aware; C{now} too.
    @param zone: IANA name of the network's time zone.
    @return: the time alone if it is today there, else the day before it; the year only if it is another one.
    """
    there, today = at.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone))
    clock = format_time(there, "short", locale=locale)
    if there.date() == today.date():
        return clock
    return f"{write_day(there, today, locale)} {clock}"


def write_day(day: datetime, today: datetime, locale: Locale) -> str:
    """Return a date with its weekday, and the year only if it is not the current one."""
    return format_skeleton("MMMEd" if day.year == today.year else "yMMMEd", day, locale=locale)


def write_hours(text: str, locale: Locale) -> str:
    """
    Return opening hours with the language's names of days.

    @param text: as L{wifidogd.domain.opening_hours.read_hours} reads it.
    """
    names = get_day_names("abbreviated", locale=locale)
    return _DAY.sub(lambda match: names[DAYS.index(match[0])], text.lower()).replace("-", "\u2013")
