"""Sizes and lengths of time the way people say them; the words themselves are in the templates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


@dataclass(frozen=True, slots=True)
class Size:
    """
    An amount of data.

    @ivar number: three significant digits, C{"1.25"}, C{"12.5"} or C{"125"}.
    @ivar unit: decimal, as telephone companies count.
    """

    number: str
    unit: str


@dataclass(frozen=True, slots=True)
class Span:
    """
    A length of time, whole minutes, the two largest units.

    @ivar minutes: 0 when there are days; all three are 0 for less than a minute.
    """

    days: int
    hours: int
    minutes: int


def size(octets: int) -> Size:
    """Say how much data that is; rounded down, so that nobody is promised more than there is."""
    if octets < 1000:
        return Size(str(octets), "B")
    power = min((len(str(octets)) - 1) // 3, len(_UNITS) - 1)
    whole, rest = divmod(octets, 1000**power)
    digits = f"{rest:0{3 * power}d}"[: max(0, 3 - len(str(whole)))]
    return Size(f"{whole}.{digits}" if digits else str(whole), _UNITS[power])


def span(length: timedelta) -> Span:
    """Say how long that is; rounded down, and nothing for what is negative."""
    minutes = max(0, length // timedelta(minutes=1))
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    return Span(days, hours, 0 if days else minutes)


def minutes_to_wait(wait: timedelta | None) -> int:
    """Round up to whole minutes, at least 1."""
    return max(1, -((wait or timedelta()) // timedelta(minutes=-1)))
