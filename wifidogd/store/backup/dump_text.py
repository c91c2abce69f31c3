"""Takes rows and counters out of the text that pg_restore makes of a backup, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import IO

from wifidogd.domain.errors import StoreRefused

CHUNK = 65536
"""Octets of a row that are read at a time: a row without an end must not fill the memory."""

NAME = rb'(?:\w+|"(?:[^"\n]|"")+")'
COPY = re.compile(rb"COPY " + NAME + rb"\.(" + NAME + rb") \((" + NAME + rb"(?:, " + NAME + rb")*)\) FROM stdin;\r?\n")
ENCODING = re.compile(rb"SET client_encoding = '([A-Za-z0-9_-]+)';")
COUNTER = re.compile(
    rb"SELECT pg_catalog\.setval\('" + NAME + rb"\.(" + NAME + rb")', ([0-9]{1,19}), (true|false)\);\r?\n"
)


class TableRows:
    """
    The rows of one table, in the text format of COPY, as a file that psycopg2 copies from.

    The statement of the backup is not executed, only the names in it are read.  Data ends at the first C{\\.}, whatever
    comes after it; so nothing but rows leaves this object.

    @ivar columns: their names, in the order of the values in each row.
    @ivar encoding: of the rows.
    """

    def __init__(self, output: IO[bytes], table: str) -> None:
        """
        Read up to the first row.

        @param output: of pg_restore, for this table only.
        @raise StoreRefused: if there is no such table.
        """
        self._output = output
        self._table = table
        self._is_at_end = False
        self.encoding = "UTF8"
        self.columns = self._read_head()

    def _read_head(self) -> tuple[str, ...]:
        for line in iter(lambda: self._output.readline(CHUNK), b""):
            if found := ENCODING.match(line):
                self.encoding = found[1].decode("ascii")
            elif line.startswith(b"COPY "):
                found = COPY.fullmatch(line)
                if found is None or _plain(found[1]) != self._table:
                    break
                return tuple(_plain(name) for name in re.findall(NAME, found[2]))
        raise StoreRefused(f"The backup has no rows of the table {self._table} where they should be: it is damaged.")

    def lines(self) -> Iterator[bytes]:
        """
        Iterate over pieces of rows, each with at most L{CHUNK} octets.

        @raise StoreRefused: if the data breaks off, or a second table follows.
        """
        begins_row = True
        for piece in iter(lambda: self._output.readline(CHUNK), b""):
            if begins_row and piece.rstrip(b"\r\n") == b"\\.":
                return self._expect_no_more()
            begins_row = piece.endswith(b"\n")
            yield piece
        raise StoreRefused(f"The rows of the table {self._table} break off: the backup is damaged.")

    def _expect_no_more(self) -> None:
        for line in iter(lambda: self._output.readline(CHUNK), b""):
            if line.startswith(b"COPY "):
                raise StoreRefused(f"The backup has the table {self._table} twice: it is damaged.")


class CopySource:
    """
    Rows as psycopg2's C{copy_expert} reads them.

    @ivar problem: what ended the reading, which psycopg2 reports only as a text within an error of its own.
    """

    def __init__(self, rows: TableRows) -> None:
        self._pieces = rows.lines()
        self.problem: StoreRefused | None = None

    def read(self, size: int = CHUNK) -> bytes:
        """Return the next whole pieces of rows, at least C{size} octets of them while there are any."""
        taken, total = [], 0
        try:
            for piece in self._pieces:
                taken.append(piece)
                total += len(piece)
                if total >= size:
                    break
        except StoreRefused as problem:
            self.problem = problem
            raise
        return b"".join(taken)


def counters(lines: Iterable[bytes]) -> dict[str, tuple[int, bool]]:
    """
    Return where each sequence stands, by its name.

    @return: the last number, and whether it has been used.
    """
    found = (COUNTER.fullmatch(line) for line in lines)
    return {_plain(match[1]): (int(match[2]), match[3] == b"true") for match in found if match is not None}


def _plain(name: bytes) -> str:
    """Return a name without the quotes that pg_dump puts around some."""
    text = name.decode("utf-8", "replace")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text
