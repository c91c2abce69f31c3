"""Read rows out of what pg_dump writes in its plain format, without a PostgreSQL and in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from wifidogd.ctl.migration.dump_formats import codec_of, expect_plain, expect_postgresql
from wifidogd.ctl.migration.pg_values import Quotes, read_field, read_lists
from wifidogd.settings.text_files import WESTERN, as_utf8

PIECE = 65_536
"""Octets of a line that are looked at together; a row of COPY that is longer is not read."""

LONGEST_STATEMENT = 1_048_576
"""Octets of an INSERT; a longer one is not read."""

NAME = rb'(?:"?\w+"?\.)?"?(?P<table>\w+)"?'

COPY = re.compile(rb"COPY " + NAME + rb"(?: \((?P<columns>[^)]*)\))? FROM stdin;$")

INSERT = re.compile(rb"INSERT INTO " + NAME + rb"(?: \((?P<columns>[^)]*)\))?(?: OVERRIDING \w+ VALUE)?\s+VALUES\s")

CREATE = re.compile(rb"CREATE TABLE " + NAME + rb" \($")

COLUMN = re.compile(rb'\s+(?!CONSTRAINT\b|CHECK\b|PRIMARY\b|UNIQUE\b|FOREIGN\b)"?(\w+)"?\s')

ENCODING = re.compile(rb"SET client_encoding = '(\w+)';$")

CONFORMING = re.compile(rb"SET standard_conforming_strings = (on|off);$")


@dataclass(frozen=True, slots=True)
class Row:
    """
    One row of a table.

    @ivar line: where it begins, from 1.
    @ivar values: by column; None for NULL.
    """

    line: int
    table: str
    values: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """
    A row, or several, that could not be read.

    @ivar line: where it begins, from 1.
    @ivar problem: what was wrong with it, as the end of a sentence.
    """

    line: int
    table: str
    problem: str


@dataclass(frozen=True, slots=True)
class _Piece:
    """A line, or L{PIECE} octets of a long one."""

    line: int
    text: bytes
    starts: bool
    ends: bool


class Dump:
    """
    One reading of one dump.

    @ivar seen: the names of all tables that it has made or filled so far.
    """

    def __init__(self, file: BinaryIO, tables: Mapping[str, Collection[str]]) -> None:
        """
        @param tables: names without schema, and the columns without which a row is of no use.
        """
        text, self._is_converted = as_utf8(file)
        self._pieces = _pieces(text)
        self._wanted = {table.encode(): frozenset(columns) for table, columns in tables.items()}
        self._columns: dict[bytes, list[str]] = {}
        self._encoding: str | None = None
        self._conforming = False
        self.seen: set[str] = set()

    def rows(self) -> Iterator[Row | Unreadable]:
        """
        Read the rows of the wanted tables, whether written as COPY or as INSERT.

        Rows of other tables are skipped with care: text that guests typed may look like a statement.

        @raise ConfigurationError: if this is no plain dump, or in an unknown encoding.
        """
        for piece in self._pieces:
            expect_postgresql(piece.text)
            if piece.starts and (match := COPY.match(piece.text)):
                yield from self._copy(match, piece.line)
            elif piece.starts and piece.text.startswith(b"INSERT INTO "):
                yield from self._insert(piece)
            elif match := CREATE.match(piece.text):
                self._create(match["table"])
            elif match := ENCODING.match(piece.text):
                self._encoding = "utf-8" if self._is_converted else codec_of(match[1])
            elif match := CONFORMING.match(piece.text):
                self._conforming = match[1] == b"on"

    def _create(self, table: bytes) -> None:
        """Record the columns of a table, for statements that do not name them."""
        columns = []
        self.seen.add(table.decode())
        for piece in self._pieces:
            if piece.text.startswith(b")"):
                break
            if table in self._wanted and (match := COLUMN.match(piece.text)):
                columns.append(match[1].decode())
        self._columns[table] = columns

    def _copy(self, match: re.Match[bytes], line: int) -> Iterator[Row | Unreadable]:
        """Read the lines up to the full stop after a backslash."""
        table = match["table"]
        self.seen.add(table.decode())
        columns = self._named(match)
        for piece in self._pieces:
            if piece.starts and piece.text == b"\\.":
                return
            line = piece.line
            if not piece.starts or table not in self._wanted:
                continue
            if not piece.ends:
                yield Unreadable(line, table.decode(), f"is longer than {PIECE} octets")
            else:
                yield self._row(line, table, columns, [read_field(field) for field in piece.text.split(b"\t")])
        yield Unreadable(line, table.decode(), "is followed by the end of the file: the dump is not complete")

    def _insert(self, piece: _Piece) -> Iterator[Row | Unreadable]:
        """Read one statement, however many lines and rows it has."""
        line, quotes, statement, is_whole = piece.line, Quotes(self._conforming), bytearray(), False
        match = INSERT.match(piece.text + b"\n")
        if match is not None:
            self.seen.add(match["table"].decode())
        wanted = match is not None and match["table"] in self._wanted
        while True:
            text = piece.text + b"\n" * piece.ends
            is_whole = quotes.end_in(text)
            if wanted and len(statement) <= LONGEST_STATEMENT:
                statement += text
            following = None if is_whole else next(self._pieces, None)
            if following is None:
                break
            piece = following
        if match is None or not wanted:
            return
        if len(statement) > LONGEST_STATEMENT:
            problem = f"is longer than {LONGEST_STATEMENT} octets: make the dump without --rows-per-insert"
            yield Unreadable(line, match["table"].decode(), problem)
        elif not is_whole:
            yield Unreadable(line, match["table"].decode(), "does not end: the dump is not complete")
        else:
            yield from self._values(line, match, bytes(statement))

    def _values(self, line: int, match: re.Match[bytes], statement: bytes) -> Iterator[Row | Unreadable]:
        """Read the rows after VALUES."""
        columns, counted = self._named(match), 0
        for begins, fields in read_lists(statement, match.end() - 1, conforming=self._conforming):
            line += statement.count(b"\n", counted, begins)
            counted = begins
            yield self._row(line, match["table"], columns, fields)

    def _named(self, match: re.Match[bytes]) -> list[str]:
        """List the columns that a statement names, or its table has."""
        if match["columns"] is None:
            return self._columns.get(match["table"], [])
        return [name.strip().strip(b'"').decode("utf-8", "replace") for name in match["columns"].split(b",")]

    def _row(self, line: int, table: bytes, columns: list[str], fields: list[bytes | None]) -> Row | Unreadable:
        """Put fields under their columns; only those that are needed must be readable."""
        if len(fields) != len(columns):
            return Unreadable(line, table.decode(), f"has {len(fields)} fields instead of {len(columns)}")
        values: dict[str, str | None] = {}
        for column, field in zip(columns, fields, strict=True):
            needed = column in self._wanted[table]
            try:
                values[column] = None if field is None else self._decoded(field, "strict" if needed else "replace")
            except UnicodeDecodeError:
                return Unreadable(line, table.decode(), f"is not written in {self._encoding}")
        return Row(line, table.decode(), values)

    def _decoded(self, field: bytes, errors: str) -> str:
        """Return a field as text; old databases that took any octets have Latin-1 beside UTF-8."""
        if self._encoding is not None:
            return field.decode(self._encoding, errors)
        try:
            return field.decode("utf-8")
        except UnicodeDecodeError:
            return field.decode(WESTERN, errors)


def _pieces(file: BinaryIO) -> Iterator[_Piece]:
    """Cut a file into lines, and long lines into pieces."""
    line, starts = 0, True
    while text := file.readline(PIECE):
        line += starts
        if line == 1 and starts:
            expect_plain(text)
        ends = text.endswith(b"\n")
        whole = text.removesuffix(b"\n").removesuffix(b"\r") if ends else text
        yield _Piece(line, whole, starts, ends or len(text) < PIECE)
        starts = ends
