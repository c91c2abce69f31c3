"""Opening hours, in weeks that have changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifidogd.domain.errors import ConfigurationError
from wifidogd.domain.opening_hours import closing, is_open, midnight, next_opening, read_hours

SHOP = "mon-fri 08:00-18:00, sat 10:00-14:00"
BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    """Read an instant, UTC unless it says otherwise."""
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "openings"),
    [
        ("", 0),
        ("  ", 0),
        ("08:00-18:00", 7),
        ("mon 08:00-18:00", 1),
        (SHOP, 6),
        ("MON-Fri  08:00-18:00 ,sat 10:00-14:00", 6),
        ("fri-mon 00:00-24:00", 4),
        ("mon 08:00-12:00, mon 13:00-18:00", 2),
    ],
)
def test_hours_are_read(text: str, openings: int) -> None:
    """Days are one, a range, which may go over the weekend, or left out for each."""
    assert len(read_hours(text)) == openings


@pytest.mark.parametrize(
    "text",
    [
        "mon-fri 8:00-18:00",
        "Monday-Friday 8:00-18:00",
        "monday - friday 8:00 - 18:00",
        "Mon\u2013Fri 8:00\u201318:00",
        "mon-fri 8.00-18.00",
    ],
)
def test_hours_are_read_as_people_write_them(text: str) -> None:
    """With one digit, days in full, a dash from a telephone."""
    assert read_hours(text) == read_hours("mon-fri 08:00-18:00")


@pytest.mark.parametrize(
    ("text", "weekdays"),
    [
        ("mon-fri 08:00-18:00", [0, 1, 2, 3, 4]),
        ("fri-mon 08:00-18:00", [4, 5, 6, 0]),
        ("sun-mon 08:00-18:00", [6, 0]),
        ("thu-wed 08:00-18:00", [3, 4, 5, 6, 0, 1, 2]),
        *((f"{day} 08:00-18:00", [number])
          for number, day in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))),
    ],
)  # fmt: skip
def test_every_day_has_its_name_and_a_range_its_last_day(text: str, weekdays: list[int]) -> None:
    """Monday is 0, as for Python."""
    assert [opening.weekday for opening in read_hours(text)] == weekdays


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("always", "write them like mon-fri"),
        ("mon-fri", "write them like"),
        ("8:00", "write them like mon-fri"),
        ("8-18", "write them like"),
        ("8:0-18:00", "write them like"),
        ("mon-fri 8am-6pm", "write them like"),
        ("mon-fri \u0668:00-18:00", "write them like"),
        ("mo-fr 08:00-18:00", "write them like"),
        ("mondays 08:00-18:00", "no day 'mondays'"),
        ("mon 08:00-18:00,", "write them like"),
        ("mon 08:00-18:00; tue 08:00-18:00", "write them like"),
        ("mon tue 08:00-18:00", "write them like"),
        ("mo 08:00-18:00", "write them like"),
        ("xyz 08:00-18:00", "no day 'xyz'"),
        ("mon-xyz 08:00-18:00", "no day 'xyz'"),
        ("08:60-18:00", "no time of day 08:60"),
        ("08:00-24:01", "no time of day 24:01"),
        ("99:00-18:00", "no time of day 99:00"),
        ("24:00-18:00", "write 00:00"),
    ],
)
def test_what_is_no_opening_hours_is_refused_with_a_sentence(text: str, says: str) -> None:
    """That tells what to write instead."""
    with pytest.raises(ConfigurationError, match=says):
        read_hours(text)


@pytest.mark.parametrize(
    ("text", "zone", "now", "opened"),
    [
        ("", "UTC", "2026-11-22T03:00", True),
        (SHOP, "UTC", "2026-11-23T07:59:59.999999", False),
        (SHOP, "UTC", "2026-11-23T08:00", True),
        (SHOP, "UTC", "2026-11-23T17:59:59.999999", True),
        (SHOP, "UTC", "2026-11-23T18:00", False),
        (SHOP, "UTC", "2026-11-22T12:00", False),
        (SHOP, "UTC", "2026-11-28T12:00", True),
        (SHOP, BERLIN, "2026-11-23T07:00", True),
        (SHOP, BERLIN, "2026-07-06T06:00", True),
        (SHOP, "America/Los_Angeles", "2026-11-24T01:59", True),
        ("fri 20:00-02:00", "UTC", "2026-11-28T01:59", True),
        ("fri 20:00-02:00", "UTC", "2026-11-27T01:59", False),
        ("sun 20:00-02:00", "UTC", "2026-11-23T01:00", True),
        ("mon 00:00-24:00", "UTC", "2026-11-23T23:59:59", True),
        ("mon 00:00-24:00", "UTC", "2026-11-24T00:00", False),
        ("sun 02:30-03:30", BERLIN, "2026-03-29T01:29:59", False),
        ("sun 02:30-04:00", BERLIN, "2026-03-29T01:30", True),
        ("sun 01:00-03:00", BERLIN, "2026-10-25T00:30", True),
        ("sun 01:00-03:00", BERLIN, "2026-10-25T01:59:59", True),
        ("sun 01:00-03:00", BERLIN, "2026-10-25T02:00", False),
    ],
)
def test_hours_are_those_of_the_clock_on_the_wall(text: str, zone: str, now: str, opened: bool) -> None:
    """Also on the days on which it is set."""
    assert is_open(text, at(now), zone) is opened


@pytest.mark.parametrize(
    ("text", "zone", "now", "opens"),
    [
        (SHOP, "UTC", "2026-11-23T12:00", "2026-11-23T12:00"),
        (SHOP, "UTC", "2026-11-23T18:00", "2026-11-24T08:00"),
        (SHOP, "UTC", "2026-11-28T14:00", "2026-11-30T08:00"),
        (SHOP, BERLIN, "2026-03-28T20:00", "2026-03-30T06:00"),
        (SHOP, BERLIN, "2026-10-24T20:00", "2026-10-26T07:00"),
        ("sun 02:30-04:00", BERLIN, "2026-03-28T12:00", "2026-03-29T01:30"),
        ("sun 02:00-03:00", BERLIN, "2026-03-28T12:00", "2026-04-05T00:00"),
        ("sun 02:30-03:00", BERLIN, "2026-03-22T12:00", "2026-04-05T00:30"),
        ("sun 10:00-10:01", "UTC", "2026-11-22T10:01", "2026-11-29T10:00"),
    ],
)
def test_a_closed_place_says_when_it_opens(text: str, zone: str, now: str, opens: str) -> None:
    """At once where it is open."""
    assert next_opening(text, at(now), zone) == at(opens)


@pytest.mark.parametrize(
    ("text", "now", "closes"),
    [
        ("", "2026-11-23T12:00", None),
        (SHOP, "2026-11-22T12:00", None),
        (SHOP, "2026-11-23T12:00", "2026-11-23T18:00"),
        ("mon 08:00-12:00, mon 12:00-18:00", "2026-11-23T09:00", "2026-11-23T18:00"),
        ("mon 08:00-14:00, mon 12:00-18:00", "2026-11-23T09:00", "2026-11-23T18:00"),
        ("mon 12:00-18:00, mon 08:00-12:00", "2026-11-23T09:00", "2026-11-23T18:00"),
        ("mon 16:00-20:00, mon 12:00-16:00, mon 08:00-12:00", "2026-11-23T09:00", "2026-11-23T20:00"),
        ("mon-tue 00:00-24:00", "2026-11-23T12:00", "2026-11-25T00:00"),
        ("00:00-24:00", "2026-11-23T12:00", None),
        ("18:00-02:00", "2026-11-23T23:00", "2026-11-24T02:00"),
    ],
)
def test_hours_that_go_on_without_a_break_are_one(text: str, now: str, closes: str | None) -> None:
    """A place that never closes has nothing to count down to."""
    assert closing(text, at(now), "UTC") == (None if closes is None else at(closes))


@pytest.mark.parametrize(
    ("zone", "now", "begins", "ends"),
    [
        ("UTC", "2026-11-22T00:00", "2026-11-22T00:00", "2026-11-23T00:00"),
        ("UTC", "2026-11-22T23:59:59", "2026-11-22T00:00", "2026-11-23T00:00"),
        (BERLIN, "2026-11-22T23:00", "2026-11-22T23:00", "2026-11-23T23:00"),
        (BERLIN, "2026-11-22T22:59:59", "2026-11-21T23:00", "2026-11-22T23:00"),
        (BERLIN, "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),
        (BERLIN, "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),
        ("Asia/Kathmandu", "2026-11-22T18:15", "2026-11-22T18:15", "2026-11-23T18:15"),
        ("Africa/Cairo", "2024-04-26T12:00", "2024-04-25T22:00", "2024-04-26T21:00"),
        ("America/Havana", "2024-11-03T12:00", "2024-11-03T04:00", "2024-11-04T05:00"),
    ],
)
def test_a_day_is_from_midnight_to_midnight_where_the_network_is(zone: str, now: str, begins: str, ends: str) -> None:
    """23 to 25 hours; midnight may come twice or be left out itself."""
    assert midnight(at(now), zone) == at(begins)
    assert midnight(at(now), zone, 1) == at(ends)


@given(
    st.integers(0, 2 * 366 * 24 * 60).map(lambda minutes: at("2026-01-01") + timedelta(minutes=minutes)),
    st.sampled_from([BERLIN, "America/Havana", "Australia/Lord_Howe", "UTC"]),
    st.sampled_from([SHOP, "18:00-02:00", "sun 02:00-03:00", "mon-sun 00:00-24:00", "sat 23:59-00:00"]),
)
def test_it_is_open_at_its_next_opening_and_closed_at_its_closing(now: datetime, zone: str, text: str) -> None:
    """Whatever the clocks do."""
    opens = next_opening(text, now, zone)
    assert now <= opens <= now + timedelta(days=15)
    assert is_open(text, opens, zone)
    closes = closing(text, opens, zone)
    if closes is not None:
        assert not is_open(text, closes, zone)
        assert is_open(text, closes - timedelta(microseconds=1), zone)
