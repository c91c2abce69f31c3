"""The mutator: what it changes, that a change is made, and that its processes end."""

from __future__ import annotations

import ast
import time
from functools import cache

import pytest

from tests.mutants.mutations import Mutant, mutants_of, mutated, read
from tests.mutants.race import TIMED_OUT, Job, race
from tests.mutants.rooms import ROOMS
from tests.mutants.verdicts import Report, equivalents
from tests.support.checkout import ROOT

DECISIONS = ROOT / "wifidogd" / "domain" / "decisions.py"


@pytest.mark.parametrize(
    ("function", "change"),
    [
        ("decide", "now >= session.opened_at + FIRST_USE_WITHIN -> now > session.opened_at + FIRST_USE_WITHIN"),
        ("decide", "now >= session.opened_at + FIRST_USE_WITHIN -> now < session.opened_at + FIRST_USE_WITHIN"),
        ("decide", "session.opened_at + FIRST_USE_WITHIN -> session.opened_at - FIRST_USE_WITHIN"),
        ("decide", "session is None or refusal is not None -> session is None and refusal is not None"),
        ("_activate", "None if limit is None else now + limit -> now + limit"),
        ("find_refusal", "return Refusal.WRONG_GATEWAY -> return None"),
        ("", "3 -> 4"),
        ("", "'unknown token' -> 'unknown tokenXX'"),
    ],
)
def test_small_changes_are_found(function: str, change: str) -> None:
    """In functions, and in what a module does when it is imported."""
    assert (function, change) in [(mutant.function, mutant.change) for mutant in mutants_of(DECISIONS)]


def test_every_change_can_be_made_and_makes_another_program() -> None:
    """Which compiles, and differs from the module in one place."""
    before = ast.dump(read(DECISIONS))
    for mutant in mutants_of(DECISIONS):
        tree = mutated(DECISIONS, mutant)
        compile(tree, mutant.file, "exec")
        assert ast.dump(tree) != before, mutant.key


@cache
def all_keys() -> list[str]:
    """List the names of all changes of all rooms."""
    return [mutant.key for room in ROOMS.values() for path in room.files for mutant in mutants_of(path)]


def test_no_two_changes_have_the_same_name() -> None:
    """By which the list of equivalents and the memory of earlier runs know them."""
    assert len(all_keys()) == len(set(all_keys()))


def test_words_for_people_and_types_are_left_alone() -> None:
    """Nobody tests the text of a docstring, an annotation or an error."""
    texts = {
        str(mutant.node.value)
        for path in ROOMS["domain"].files
        for mutant in mutants_of(path)
        if isinstance(mutant.node, ast.Constant)
    }
    assert not [text for text in texts if "write them like" in text or "pure" in text or "datetime" in text]


def test_every_equivalent_is_still_a_change() -> None:
    """One of a line that is gone must go from the list, or it would hide the next survivor of that name."""
    assert set(equivalents()) - set(all_keys()) == set()
    assert all(reason.endswith(".") for reason in equivalents().values())


def test_processes_run_two_at_a_time_and_end_at_their_deadline() -> None:
    """One that hangs counts as one whose change was noticed."""
    started = time.monotonic()
    jobs = [
        Job("good", lambda: 0, 30.0),
        Job("bad", lambda: 1, 30.0),
        Job("raises", lambda: 1 // 0, 30.0),
        Job("hangs", lambda: time.sleep(60) or 0, 0.5),
    ]
    assert dict(race(jobs)) == {"good": 0, "bad": 1, "raises": 70, "hangs": TIMED_OUT}
    assert time.monotonic() - started < 30


def test_the_score_leaves_out_what_makes_no_difference() -> None:
    """Of four changes one is equivalent, and one of the other three survived."""
    mutants = [Mutant("a.py", "f", 1, line, "x -> y", (), ast.Pass(), line) for line in (1, 2, 3, 4)]
    report = Report("domain", 95.0, mutants, mutants[:1], mutants[1:2], [])
    assert report.score == pytest.approx(200 / 3)
    assert "a.py:2 in f: x -> y" in report.text()
    assert "2 of 3 killed, 66.7 %; 1 equivalent; goal of 95 % MISSED" in report.text()
