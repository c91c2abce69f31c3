"""Numbers, sizes and instants in the form of each language."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from wifidogd.web.rendering.formatting import size, write_hours, write_moment, write_size
from wifidogd.web.rendering.language import NAMES, locale_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        ("en", "12.3 MB"),
        ("fr", "12,3\u202fMo"),
        ("de", "12,3 MB"),
        ("es", "12,3 MB"),
        ("pt", "12,3 MB"),
        ("it", "12,3 MB"),
        ("pl", "12,3 MB"),
        ("tr", "12,3 MB"),
        ("vi", "12,3 MB"),
        ("zh-Hans", "12.3 MB"),
        ("ja", "12.3 MB"),
        ("ar", "12.3 م.ب"),
    ],
)
def test_sizes_have_the_decimal_mark_and_unit_of_the_language(tag: str, written: str) -> None:
    """With the digits that people type here: codes, addresses and passwords have no others."""
    assert write_size(size(12_345_678), locale_of(tag)) == written


@pytest.mark.parametrize("tag", NAMES)
@pytest.mark.parametrize("octets", [0, 1, 999, 1000, 10**6, 10**9, 10**12, 10**15, 2**63 - 1, 2**70])
def test_every_size_can_be_written_in_every_language(tag: str, octets: int) -> None:
    """None falls back to the name of the unit in the data."""
    assert "digital" not in write_size(size(octets), locale_of(tag))


@pytest.mark.parametrize(
    ("tag", "at", "written"),
    [
        ("en", NOON, "1:00\u202fPM"),
        ("de", NOON, "13:00"),
        ("en", NOON.replace(day=23), "Mon, Nov 23 1:00\u202fPM"),
        ("de", NOON.replace(day=23), "Mo., 23. Nov. 13:00"),
        ("de", NOON.replace(hour=23), "Mo., 23. Nov. 00:00"),
        ("ja", NOON.replace(day=23), "11月23日(月) 13:00"),
        ("pl", NOON.replace(year=2027), "pon., 22 lis 2027 13:00"),
        ("ar", NOON.replace(day=23), "الاثنين، 23 نوفمبر 1:00 م"),
    ],
)
def test_instants_are_those_of_clocks_at_the_network(tag: str, at: datetime, written: str) -> None:
    """The day only if it is not today there, the year only if it is another."""
    assert write_moment(at, "Europe/Paris", NOON, locale_of(tag)) == written


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        ("en", "Mon–Fri 08:00–18:00, Sun 22:00–02:00"),
        ("de", "Mo.–Fr. 08:00–18:00, So. 22:00–02:00"),
        ("ja", "月–金 08:00–18:00, 日 22:00–02:00"),
    ],
)
def test_opening_hours_name_the_days_of_the_language(tag: str, written: str) -> None:
    """The operator writes them in English."""
    assert write_hours("mon-fri 08:00-18:00, SUN 22:00-02:00", locale_of(tag)) == written
