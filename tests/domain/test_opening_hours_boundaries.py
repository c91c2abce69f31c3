"""Opening hours that nearly fill a week, or a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from wifidogd.domain.opening_hours import closing, is_open

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def test_hours_that_nearly_fill_a_week_close_at_its_end() -> None:
    """Six and a half days after Monday's midnight: less than a week, so there is an end to tell."""
    hours = "mon-sat 00:00-24:00, sun 00:00-12:00"
    assert closing(hours, MONDAY, "UTC") == MONDAY + timedelta(days=6, hours=12)
    assert closing("mon-sun 00:00-24:00", MONDAY, "UTC") is None


@pytest.mark.parametrize(("hours", "is_it"), [(7.99, False), (8, True), (20, True), (31.99, True), (32, False)])
def test_hours_that_end_when_they_begin_last_a_day(hours: float, is_it: bool) -> None:
    assert is_open("mon 08:00-08:00", MONDAY + timedelta(hours=hours), "UTC") is is_it
