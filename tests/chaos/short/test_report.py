"""What trials have shown becomes a page."""

from __future__ import annotations

import json

import pytest

from tests.chaos.report.page import BEGIN, DOCS, END, filled, merged, plot, table

FROZEN = {"fault": "frozen", "load": "200 a second", "promised": "answers", "seen": "them", "missed": [], "held": True}
KILLED = FROZEN | {"fault": "killed", "missed": ["books: 1 octet", "late"], "held": False}


def test_a_row_takes_the_place_of_an_older_one_about_the_same_fault() -> None:
    """A trial that is repeated is told once."""
    again = FROZEN | {"seen": "more of them"}
    assert merged([FROZEN, KILLED], [again]) == [again, KILLED]
    assert merged([FROZEN], [KILLED]) == [FROZEN, KILLED]


def test_a_promise_that_rows_share_is_told_once() -> None:
    """And what was not kept is told with its reason."""
    lines = table([FROZEN, KILLED]).splitlines()
    assert lines[0] == "1. Answers."
    assert lines[-2:] == [
        "| frozen | 200 a second | 1 | them | yes |",
        "| killed | 200 a second | 1 | them | **no**: books: 1 octet; late |",
    ]


def test_the_table_goes_between_the_marks() -> None:
    """The rest of the page is the author's."""
    assert filled(f"a\n{BEGIN}\nold\n{END}\nz", "new") == f"a\n{BEGIN}\n\nnew\n\n{END}\nz"
    with pytest.raises(ValueError, match="no marks"):
        filled("a page", "new")


def test_the_page_shows_the_rows_that_are_kept() -> None:
    """Nobody has edited one of the two."""
    rows = json.loads((DOCS / "reliability.json").read_text("utf-8"))
    assert table(rows) in (DOCS / "reliability.md").read_text("utf-8")


def test_half_an_hour_is_drawn() -> None:
    """Each figure in percent of its median."""
    minutes = [{"memory": 80.0, "cost": 2.0, "descriptors": 20.0}] * 30
    assert plot(minutes).svg().startswith("<svg")
    assert [line.points[0] for line in plot(minutes).lines] == [(1, 100.0)] * 3
