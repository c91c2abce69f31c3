"""How operators write and read lengths of time and sizes."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import timedelta

import pytest

from wifidogd.ctl.cli.arguments import duration, mac_address, octets_or_none, retention, show_duration, show_octets
from wifidogd.domain.sessions import MAX_OCTETS


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("1h30m", timedelta(minutes=90)),
        ("2W", timedelta(days=14)),
        ("36500d", timedelta(days=36_500)),
    ],
)
def test_lengths_of_time_are_read(text: str, length: timedelta) -> None:
    """Any unit, in any case, several in a row."""
    assert duration(text) == length


@pytest.mark.parametrize(
    "text", ["", "2", "0s", "-1h", "1.5h", "1 h", "h", "1y", "36501d", "9999999999s", "none", "١h"]
)
def test_nonsense_is_no_length_of_time(text: str) -> None:
    """A number alone could be anything."""
    with pytest.raises(ArgumentTypeError):
        duration(text)


@pytest.mark.parametrize(("text", "kept"), [("0", None), ("none", None), ("None", None), ("30d", timedelta(days=30))])
def test_nought_keeps_history_for_ever(text: str, kept: timedelta | None) -> None:
    """As the word none does."""
    assert retention(text) == kept


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("1B", 1),
        ("500MB", 500_000_000),
        ("500 mb", 500_000_000),
        ("1.5GiB", 1_610_612_736),
        ("0.1kB", 100),
        ("none", None),
        (f"{MAX_OCTETS}B", MAX_OCTETS),
    ],
)
def test_sizes_are_read_to_the_octet(text: str, octets: int | None) -> None:
    """MB is a million, MiB is 2 to the 20th."""
    assert octets_or_none(text) == octets


@pytest.mark.parametrize(
    "text", ["", "0", "0.5", "-1", "1e9", "MB", "1 M B", "5 apples", f"{MAX_OCTETS + 1}B", "9223373TB"]
)
def test_nonsense_is_no_size(text: str) -> None:
    """Nor is nothing, or more than can be counted."""
    with pytest.raises(ArgumentTypeError):
        octets_or_none(text)


@pytest.mark.parametrize(
    ("text", "instead"),
    [("500", "500MB"), ("1.5", "1.5MB"), ("500M", "500MB"), ("2g", "2GB"), ("2 GI", "2GIB"), (str(MAX_OCTETS), "MB")],
)
def test_a_size_has_a_unit(text: str, instead: str) -> None:
    """500 octets would cut everyone off: the error shows what was meant."""
    with pytest.raises(ArgumentTypeError, match=f"'{text}' lacks a unit: write .*{instead}"):
        octets_or_none(text)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (None, "-"),
        (timedelta(), "0s"),
        (timedelta(seconds=-3), "0s"),
        (timedelta(seconds=59.9), "59s"),
        (timedelta(hours=2), "2h"),
        (timedelta(hours=2, minutes=5, seconds=7), "2h5m"),
        (timedelta(days=365), "365d"),
        (timedelta(days=3, minutes=1), "3d1m"),
    ],
)
def test_lengths_of_time_are_shown_in_two_units(length: timedelta | None, text: str) -> None:
    """A clock that is ahead of ours is no reason for a minus."""
    assert show_duration(length) == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_500, "1.0 MB"),
        (1_500_000_000, "1.5 GB"),
        (MAX_OCTETS, "9223 PB"),
    ],
)
def test_sizes_are_shown_with_three_digits_or_so(octets: int | None, text: str) -> None:
    """Never as 1000 of something smaller."""
    assert show_octets(octets) == text


@pytest.mark.parametrize("text", ["02:AB:CD:EF:01:01", "02ab.cdef.0101", "02abcdef0101", " 02-ab-cd-ef-01-01 "])
def test_a_mac_is_read_as_operators_find_it(text: str) -> None:
    """On a label, in a switch's table, with the blanks of a spreadsheet."""
    assert mac_address(text) == "02:ab:cd:ef:01:01"


@pytest.mark.parametrize("text", ["", "00:00", "00:00:00:00:00:00", "02ab.cdef", "zoe"])
def test_what_no_device_has_is_no_mac(text: str) -> None:
    """The error shows the form."""
    with pytest.raises(ArgumentTypeError, match="write it like 00:1a:2b:3c:4d:5e"):
        mac_address(text)
