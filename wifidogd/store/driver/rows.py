"""Reads rows into values of our own by the names of their columns."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from operator import itemgetter
from typing import Any, Generic, TypeVar

from wifidogd.store.driver.database import Cursor

T = TypeVar("T")
Row = tuple[Any, ...]


class RowReader(Generic[T]):
    """
    Makes a value of each row: every parameter of a function, or of a class, takes the column of its name.

    A parameter with a default may have no column; one that can only be given by keyword has none.  Where the columns
    stand in a row is worked out once for each statement, so a row costs no look-up of names.
    """

    def __init__(self, make: Callable[..., T], prefix: str = "") -> None:
        """@param prefix: what the columns' names begin with in a statement that joins tables."""
        self._make = make
        self._prefix = prefix
        self._parameters = [each for each in signature(make).parameters.values() if each.kind is not each.KEYWORD_ONLY]
        self._known: dict[tuple[str, ...], Callable[..., T]] = {}

    def all(self, cursor: Cursor) -> list[T]:
        """Return the values of all rows of the last statement."""
        read = self.over(cursor.columns)
        return [read(row) for row in cursor.fetchall()]

    def one(self, cursor: Cursor) -> T | None:
        """Return the value of the next row of the last statement; None after the last."""
        row = cursor.fetchone()
        return None if row is None else self.over(cursor.columns)(row)

    def over(self, columns: tuple[str, ...]) -> Callable[..., T]:
        """
        Return what makes a value of a row with these columns, and of keyword arguments that have none.

        @raise LookupError: if a column that is needed is missing, or there twice.
        """
        if columns not in self._known:
            self._known[columns] = self._reader(columns)
        return self._known[columns]

    def _reader(self, columns: tuple[str, ...]) -> Callable[..., T]:
        defaults: list[Any] = []
        places: list[int] = []
        for parameter in self._parameters:
            name = self._prefix + parameter.name
            if name not in columns and parameter.default is not Parameter.empty:
                places.append(len(columns) + len(defaults))
                defaults.append(parameter.default)
            elif columns.count(name) == 1:
                places.append(columns.index(name))
            else:
                raise LookupError(f"the column {name} is there {columns.count(name)} times")
        make, pick, rest = self._make, _picker(places), tuple(defaults)
        if rest:
            return lambda row, **others: make(*pick(row + rest), **others)
        return lambda row, **others: make(*pick(row), **others)


def _picker(places: list[int]) -> Callable[[Row], Row]:
    """Return what picks the items in these places; always a tuple, unlike that of L{itemgetter}."""
    if len(places) == 1:
        [place] = places
        return lambda row: (row[place],)
    return itemgetter(*places)
