"""How operators write when something ends."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def until(text: str) -> date | datetime:
    """
    Read the last day of something, C{2027-01-31}, or the instant at which it ends, C{2027-01-31T18:00+01:00}.

    @return: a day, which ends when it does where it is used, or an aware instant.
    """
    try:
        if len(text) == len("2027-01-31"):
            return date.fromisoformat(text)
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day: write the last one like 2027-01-31") from None
    if instant.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} lacks its distance from UTC: write it like {text}+01:00")
    return instant.astimezone(UTC)


def end_of(when: date | datetime, zone: str) -> datetime:
    """
    Name the instant from which on something is over.

    @param zone: IANA name; days end there.
    """
    if isinstance(when, datetime):
        return when
    return datetime.combine(when + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)
