"""Which direction is which, as the packets of guests show it; and what is counted when that changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifidogd.domain.reports.capabilities import CAPABILITIES, Bites, capabilities_of
from wifidogd.domain.reports.directions import agreed, is_exchanged, opposite, shown_by
from wifidogd.domain.sessions import Counters, Dialect, Octets, Report, Stage
from wifidogd.domain.usage import Counted, count_on

AUTO, STRAIGHT, SWAPPED = Counters.AUTO, Counters.STRAIGHT, Counters.SWAPPED
REPORT = Report(Stage.COUNTERS, Dialect.APFREE, "t", octets=Octets(2_000_000, 60_000), packets=Octets(1500, 1000))


def test_what_is_downloaded_comes_in_larger_packets() -> None:
    """What a dialect was read as is right for who downloads, or the opposite is."""
    swapped = replace(REPORT, read_as=SWAPPED)
    assert (shown_by(REPORT), shown_by(swapped)) == (STRAIGHT, SWAPPED)
    upside_down = {"octets": Octets(60_000, 2_000_000), "packets": Octets(1000, 1500)}
    assert (shown_by(replace(REPORT, **upside_down)), shown_by(replace(swapped, **upside_down))) == (SWAPPED, STRAIGHT)


@pytest.mark.parametrize(
    "changes",
    [
        {"octets": None},
        {"packets": None},
        {"octets": Octets(939_999, 60_000)},
        {"packets": Octets(1500, 99)},
        {"packets": Octets(0, 0)},
        {"octets": Octets(1_000_000, 600_000)},
    ],
)
def test_some_packets_show_nothing(changes: dict[str, Octets | None]) -> None:
    """Too few of them, or of the same size in both directions."""
    assert shown_by(replace(REPORT, **changes)) is None


@pytest.mark.parametrize(
    ("votes", "seen"),
    [
        ([], None),
        ([STRAIGHT] * 2, None),
        ([STRAIGHT] * 3, STRAIGHT),
        ([STRAIGHT] * 4 + [SWAPPED], STRAIGHT),
        ([STRAIGHT] * 3 + [SWAPPED], None),
        ([SWAPPED] * 8 + [STRAIGHT] * 2, SWAPPED),
    ],
)
def test_guests_must_agree(votes: list[Counters], seen: Counters | None) -> None:
    """Three at least, and four to one."""
    assert agreed(votes) is seen


@pytest.mark.parametrize(
    ("read_as", "packets", "meant", "seen", "exchanged"),
    [
        (SWAPPED, True, AUTO, None, False),
        (SWAPPED, True, AUTO, STRAIGHT, True),
        (SWAPPED, True, AUTO, SWAPPED, False),
        (STRAIGHT, False, AUTO, SWAPPED, False),
        (STRAIGHT, False, SWAPPED, None, True),
        (SWAPPED, True, STRAIGHT, SWAPPED, True),
        (SWAPPED, True, SWAPPED, STRAIGHT, False),
    ],
)
def test_a_setting_goes_before_what_was_seen(
    read_as: Counters, packets: bool, meant: Counters, seen: Counters | None, exchanged: bool
) -> None:
    """And what was seen counts only where packets are counted."""
    report = replace(REPORT, read_as=read_as, packets=Octets(1, 1) if packets else None)
    assert is_exchanged(report, meant, seen) is exchanged


def test_the_opposite_of_auto_is_auto() -> None:
    assert [opposite(each) for each in (STRAIGHT, SWAPPED, AUTO)] == [SWAPPED, STRAIGHT, AUTO]


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**12), st.booleans()), max_size=20))
def test_the_sum_does_not_depend_on_the_directions(reports: list[tuple[int, int, bool]]) -> None:
    """However often the setting changes."""
    one = other = Counted(Octets(), Octets())
    for incoming, outgoing, exchanged in reports:
        one = count_on(one, Octets(incoming, outgoing))
        other = count_on(other, Octets(incoming, outgoing), is_exchanged=exchanged)
        assert one.used.total == other.used.total
        assert one.last == other.last


def test_every_dialect_has_its_capabilities() -> None:
    """Only wifidog-ng 2.x reports nobody, and no decision reaches it."""
    assert set(CAPABILITIES) == set(Dialect)
    silent = [dialect for dialect in Dialect if not capabilities_of(dialect).reports_use]
    assert silent == [dialect for dialect in Dialect if capabilities_of(dialect).kick is Bites.NEVER]
    assert silent == [Dialect.WIFIDOG_NG_2]
    assert capabilities_of(None) == capabilities_of(Dialect.OTHER)
