"""Rows become values by the names of their columns, wherever these stand."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from pytest_twisted import ensureDeferred

from tests.support.builders import run
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.driver.rows import RowReader


@dataclass
class Note:
    """A note."""

    number: int
    text: str = "nothing"


NOTES = RowReader(Note)


@pytest.mark.parametrize("columns", ["1 AS number, 'a' AS text", "'a' AS text, now() AS time, 1 AS number"])
@ensureDeferred
async def test_the_order_of_columns_does_not_matter(database: Database, columns: str) -> None:
    """Nor do columns that nothing is made of."""

    async def read(cursor: Cursor) -> tuple[list[Note], Note | None, Note | None]:
        await cursor.execute(f"SELECT {columns}")
        everything = NOTES.all(cursor)
        await cursor.execute(f"SELECT {columns}")
        return everything, NOTES.one(cursor), NOTES.one(cursor)

    assert await run(database, read) == ([Note(1, "a")], Note(1, "a"), None)


def test_a_column_may_be_missing_where_there_is_a_default() -> None:
    """And only there; none may be there twice."""
    assert NOTES.over(("number",))((7,)) == Note(7)
    with pytest.raises(LookupError, match="the column number is there 0 times"):
        NOTES.over(("text",))
    with pytest.raises(LookupError, match="the column text is there 2 times"):
        NOTES.over(("number", "text", "text"))


def test_tables_that_are_joined_are_told_apart_by_a_prefix() -> None:
    """What has no column is given by keyword."""

    def pair(number: int, *, note: Note) -> tuple[int, Note]:
        return number, note

    columns = ("number", "note_number", "note_text")
    note = RowReader(Note, prefix="note_").over(columns)((1, 2, "b"))
    assert RowReader(pair).over(columns)((1, 2, "b"), note=note) == (1, Note(2, "b"))
