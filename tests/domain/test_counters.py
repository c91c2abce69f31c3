"""What totals add, whatever a gateway's counters did since its last report: the table of docs/protocol.md 3.6."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifidogd.domain.sessions import MAX_OCTETS, Octets
from wifidogd.domain.usage import Counted, count_on, fell

GB = 10**9
RANGE = 2**32
COUNTS = st.integers(0, MAX_OCTETS) | st.integers(0, 5000) | st.integers(RANGE - 5000, RANGE + 5000)
TOTALS = st.builds(Octets, COUNTS, COUNTS)
SAID = st.builds(Octets, st.integers(-(2**31), -2) | COUNTS, st.integers(-(2**31), -2) | COUNTS)
NOTHING = Counted(Octets(), Octets())


def used_after(said: Iterable[tuple[int, int]]) -> Octets:
    """Return what is used after the first reports on a session."""
    return reduce(count_on, (Octets(*totals) for totals in said), NOTHING).used


@pytest.mark.parametrize(
    ("said", "used"),
    [
        # totals grow, or are repeated
        ([(1000, 100), (1000, 100), (5000, 101)], (5000, 101)),
        # both begin anew, as at a restart
        ([(5000, 500), (1000, 100), (1500, 100)], (6500, 600)),
        ([(5000, 500), (0, 0), (4000, 400)], (9000, 900)),
        ([(5 * GB, GB), (1000, 100)], (5 * GB + 1000, GB + 100)),
        ([(0, RANGE - 1000), (0, 0), (0, 500)], (0, RANGE - 500)),
        ([(RANGE - 1000, RANGE - 2000), (0, 0), (500, 400)], (RANGE - 500, RANGE - 1600)),
        # one direction has more than before the restart
        ([(5000, 500), (700, 501)], (5700, 1001)),
        ([(5000, 500), (5001, 499)], (10001, 999)),
        # a counter of 32 bits begins again at zero
        ([(RANGE - 1000, 5000), (500, 6000)], (RANGE + 500, 6000)),
        ([(RANGE - 1000, 5000), (500, 5000)], (RANGE + 500, 5000)),
        ([(5000, RANGE - 1), (5001, 0)], (5001, RANGE)),
        ([(RANGE - 1000, RANGE - 2000), (500, 400)], (RANGE + 500, RANGE + 400)),
        ([(3 * RANGE // 4, 5), (RANGE // 4 - 1, 6)], (RANGE + RANGE // 4 - 1, 6)),
        ([(RANGE - 1000, 5), (500, 6), (RANGE - 1, 7), (1, 8)], (2 * RANGE + 1, 8)),
        # too far for that
        ([(3 * RANGE // 4 - 1, 5), (500, 6)], (3 * RANGE // 4 + 499, 11)),
        ([(RANGE - 1000, 5), (RANGE // 4, 6)], (RANGE - 1000 + RANGE // 4, 11)),
        ([(RANGE, 5), (500, 6)], (RANGE + 500, 11)),
        # and no wrap where the other direction fell for another reason
        ([(RANGE - 1000, 5000), (500, 100)], (RANGE - 500, 5100)),
        # a counter of 32 bits printed as signed
        ([(2**31 - 10, 5), (-(2**31), 6), (-1000, 7), (500, 8)], (RANGE + 500, 8)),
        ([(2**31 - 10, 2**31 - 20), (-(2**31) + 5, -(2**31) + 6)], (2**31 + 5, 2**31 + 6)),
        ([(2**31 - 10, 5), (-(2**31) + 90, 6), (-(2**31) + 50, 6), (-(2**31) + 100, 7)], (2**31 + 100, 7)),
        # a negative number that cannot be that
        ([(5000, 5), (-5, 6), (6000, 7)], (6000, 7)),
        ([(5000, 5), (5500, -300), (6000, 7)], (6000, 7)),
        ([(5 * GB, 5), (-300, 6), (5 * GB + 1, 7)], (5 * GB + 1, 7)),
        # older totals come late
        ([(10**6, 10), (2 * 10**6, 20), (1_999_000, 20), (2_100_000, 21)], (2_100_000, 21)),
        ([(10**6, 10), (2 * 10**6, 20), (1_500_000, 15), (2_100_000, 21)], (2_100_000, 21)),
        ([(10**6, 10), (2 * 10**6, 20), (1_999_000, 19)], (2 * 10**6, 20)),
        ([(10**6, 10), (2 * 10**6, 20), (1_999_000, 19), (1_998_000, 18), (2_100_000, 21)], (2_100_000, 21)),
        # what looked late was a restart, as totals go on from there
        ([(5000, 500), (4000, 400), (4000, 400)], (9000, 900)),
        ([(5000, 500), (4000, 400), (4500, 450), (6000, 500)], (11000, 1000)),
        ([(5000, 500), (4000, 400), (100, 10), (200, 10)], (5200, 510)),
        # less by half or more is never late
        ([(5000, 500), (2500, 499)], (7500, 999)),
        ([(5000, 500), (4999, 250)], (9999, 750)),
        ([(5000, 1), (4000, 0)], (9000, 1)),
        # the largest numbers
        ([(MAX_OCTETS, MAX_OCTETS), (1, 1)], (MAX_OCTETS, MAX_OCTETS)),
        ([(MAX_OCTETS, 5), (MAX_OCTETS - 1, 5), (MAX_OCTETS, 6)], (MAX_OCTETS, 6)),
    ],
)
def test_totals_are_right_to_the_octet(said: list[tuple[int, int]], used: tuple[int, int]) -> None:
    """Wherever the numbers tell what happened, and otherwise as the table says."""
    assert used_after(said) == Octets(*used)


@pytest.mark.parametrize(
    ("before", "said", "used"),
    [
        ((RANGE - 1000, 5000), (500, 6000), (RANGE - 500, 11000)),
        ((2_000_000, 20), (1_999_000, 20), (3_999_000, 40)),
        ((5000, 500), (6000, 600), (6000, 600)),
    ],
    ids=["no wrap", "not late", "kept its clients"],
)
def test_a_restart_that_pings_show_leaves_no_doubt(
    before: tuple[int, int], said: tuple[int, int], used: tuple[int, int]
) -> None:
    """Totals that fell began anew; those that did not have survived it, as over C{wdctl restart}."""
    known = Counted(Octets(*before), Octets(*before))
    assert count_on(known, Octets(*said), has_restarted=True) == Counted(Octets(*used), Octets(*said))


def test_nothing_is_late_on_a_session_that_counted_nothing() -> None:
    """Inherited totals are those of the session before: a token has no older reports."""
    inherited = Counted(Octets(), Octets(5000, 500))
    assert count_on(inherited, Octets(4000, 400)) == Counted(Octets(4000, 400), Octets(4000, 400))


@pytest.mark.parametrize(
    ("totals", "is_less"),
    [((100, 20), False), ((101, 21), False), ((99, 21), True), ((101, 19), True), ((99, 19), True)],
)
def test_totals_fall_in_either_direction(totals: tuple[int, int], is_less: bool) -> None:
    """Only then does it matter what the gateway's pings say."""
    assert fell(Octets(100, 20), Octets(*totals)) is is_less


@given(st.builds(Counted, TOTALS, TOTALS, st.none() | TOTALS), SAID, st.booleans())
def test_use_never_falls_and_can_be_stored(before: Counted, said: Octets, has_restarted: bool) -> None:
    """Whatever a gateway, or somebody who pretends to be one, reports."""
    after = count_on(before, said, has_restarted=has_restarted)
    for octets in (after.used, after.last, after.doubtful or Octets()):
        assert 0 <= octets.incoming <= MAX_OCTETS
        assert 0 <= octets.outgoing <= MAX_OCTETS
    assert after.used.incoming >= before.used.incoming
    assert after.used.outgoing >= before.used.outgoing


@given(st.lists(st.tuples(st.integers(0, 2**30), st.integers(1, 2**20)), min_size=1))
def test_counters_of_32_bits_count_like_longer_ones(growth: list[tuple[int, int]]) -> None:
    """As long as a report is no more than a gigabyte from the last, in plain or signed numbers."""
    down = up = 0
    plain = signed = NOTHING
    for more_down, more_up in growth:
        down, up = down + more_down, up + more_up
        shown = Octets(down % RANGE, up % RANGE)
        plain = count_on(plain, shown)
        signed = count_on(signed, Octets(*(n - RANGE if n >= 2**31 else n for n in (shown.incoming, shown.outgoing))))
    assert plain.used == signed.used == Octets(down, up)


@given(st.lists(st.integers(1, 1000), min_size=3, max_size=20), st.data())
def test_one_late_report_changes_nothing(growth: list[int], data: st.DataObject) -> None:
    """Two neighbours change places anywhere, and what was used is what the highest of them says."""
    totals = [sum(growth[: end + 1]) for end in range(len(growth))]
    at = data.draw(st.integers(0, len(totals) - 2))
    # Totals that grew by more than the sum before them look like a restart, whichever way they came.
    if 2 * totals[at] > totals[at + 1]:
        totals[at], totals[at + 1] = totals[at + 1], totals[at]
    assert used_after((total, total) for total in totals) == Octets(sum(growth), sum(growth)) or at == len(totals) - 2
