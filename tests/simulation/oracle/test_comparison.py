"""The audit finds every octet and every session that is not where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.domain.tokens import hash_secret
from wifidogd.simulation.oracle.comparison import MOST_DIFFERENCES, audit
from wifidogd.simulation.oracle.history import History
from wifidogd.simulation.oracle.scenarios import ListedDevice
from wifidogd.store.operators.stored_sessions import Kept

LOBBY = ListedDevice("sim-0001", "02:51:4d:00:00:01")

PAST = Kept(7, None, *LOBBY, Octets(100, 10), "logged out")
OPEN = Kept(8, hash_secret("b"), *LOBBY, Octets(20, 2))
NEVER_USED = Kept(9, None, "sim-0001", None, Octets())


def history() -> History:
    """A session that is over, one that is open, and a token that nobody used."""
    history = History(lambda: 0.0)
    for token, stage, octets, answer in (
        ("a", Stage.LOGOUT, Octets(100, 10), AuthCode.DENIED),
        ("b", Stage.COUNTERS, Octets(20, 2), AuthCode.ALLOWED),
    ):
        history.minted(LOBBY, token)
        assert history.heard(LOBBY, history.began(LOBBY, token, Stage.LOGIN), AuthCode.ALLOWED)
        assert history.heard(LOBBY, history.began(LOBBY, token, stage, octets), answer)
    history.minted(LOBBY, "c")
    return history


def test_tables_that_agree() -> None:
    """In whatever order they are read."""
    found = audit(history(), [NEVER_USED, OPEN, PAST])
    assert (found.sessions, found.difference_count, found.open_questions, found.unchecked) == (2, 0, 0, 0)
    assert found.stored == found.expected == Octets(120, 12)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([PAST], "reported 100 down 10 up (ended), 20 down 2 up (open), stored 100 down 10 up (logged out)"),
        ([], "stored nothing"),
        ([replace(PAST, used=Octets(101, 10)), OPEN], "stored 101 down 10 up (logged out), 20 down 2 up (open)"),
        ([PAST, replace(OPEN, used=Octets(20, 1))], "stored 100 down 10 up (logged out), 20 down 1 up (open)"),
        ([PAST, replace(OPEN, token_hash=None, reason="time is up")], "20 down 2 up (time is up)"),
        ([PAST, replace(OPEN, token_hash=hash_secret("x"))], LOBBY.mac),
        ([replace(PAST, session_id=9), OPEN], "stored 20 down 2 up (open), 100 down 10 up (logged out)"),
        ([PAST, OPEN, replace(OPEN, session_id=9, used=Octets())], "0 down 0 up (open)"),
        ([PAST, OPEN, replace(OPEN, mac="02:51:4d:00:00:02")], "02:51:4d:00:00:02 at sim-0001: reported nothing"),
        ([PAST, OPEN, replace(NEVER_USED, used=Octets(1, 0))], "never in use but has 1 down 0 up"),
    ],
)
def test_tables_that_differ(rows: Sequence[Kept], says: str) -> None:
    """By an octet, by a session, by what is open, or by whose it is."""
    found = audit(history(), rows)
    assert found.difference_count == 1
    assert says in found.differences[0]


def test_what_is_unknown_may_be_stored_either_way() -> None:
    """And nothing in between."""
    for octets, differences in ((20, 0), (21, 1), (90, 0)):
        known = history()
        known.lost(LOBBY, known.began(LOBBY, "b", Stage.COUNTERS, Octets(90, 2)))
        found = audit(known, [PAST, replace(OPEN, used=Octets(octets, 2))])
        assert (found.difference_count, found.open_questions) == (differences, 1)


def test_a_device_that_the_history_gave_up_on_is_counted_as_unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than as right."""
    monkeypatch.setattr("wifidogd.simulation.oracle.scenarios.MOST_SCENARIOS", 20)
    known = history()
    for number in range(21):
        known.lost(LOBBY, known.began(LOBBY, "b", Stage.COUNTERS, Octets(100 + number, 2)))
    found = audit(known, [PAST])
    assert (found.unchecked, found.difference_count) == (1, 0)


def test_only_the_first_differences_are_told() -> None:
    """All are counted."""
    rows = [replace(OPEN, session_id=number, mac=f"02:00:00:00:00:{number:02x}") for number in range(100)]
    found = audit(History(lambda: 0.0), rows)
    assert (found.difference_count, len(found.differences)) == (100, MOST_DIFFERENCES)
