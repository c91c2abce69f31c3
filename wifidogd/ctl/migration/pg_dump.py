"""Read rows out of what pg_dump writes in its plain format, without a PostgreSQL and in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from wifidogd.ctl.migration.pg_values import Quotes, read_field, read_lists
from wifidogd.domain.errors import ConfigurationError

PIECE = 65_536
"""Octets of a line that are looked at together; a row of COPY that is longer is not read."""

LONGEST_STATEMENT = 1_048_576
"""Octets of an INSERT; a longer one is not read."""

ENCODINGS = {
    b"UTF8": "utf-8",
    b"UNICODE": "utf-8",
    b"SQL_ASCII": "utf-8",
    b"LATIN1": "latin-1",
    b"LATIN2": "iso8859-2",
    b"LATIN5": "iso8859-9",
    b"LATIN9": "iso8859-15",
    b"WIN1250": "cp1250",
    b"WIN1252": "cp1252",
}
"""What a dump may be written in; all of them keep ASCII as it is."""

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


def read_rows(file: BinaryIO, tables: Collection[str]) -> Iterator[Row | Unreadable]:
    """
    Read the rows of some tables, whether written as COPY or as INSERT.

    Rows of other tables are skipped with care: text that guests typed may
    look like a statement.

    @param tables: names without schema.
    @raise ConfigurationError: if this is no plain dump, or in an unknown encoding.
    """
    return _Dump(file, tables).rows()


class _Dump:
    """One reading of one dump."""

    def __init__(self, file: BinaryIO, tables: Collection[str]) -> None:
        self._pieces = _pieces(file)
        self._wanted = {table.encode() for table in tables}
        self._columns: dict[bytes, list[str]] = {}
        self._encoding = "utf-8"
        self._conforming = False

    def rows(self) -> Iterator[Row | Unreadable]:
        """Go through the file from statement to statement."""
        for piece in self._pieces:
            if piece.starts and (match := COPY.match(piece.text)):
                yield from self._copy(match, piece.line)
            elif piece.starts and piece.text.startswith(b"INSERT INTO "):
                yield from self._insert(piece)
            elif match := CREATE.match(piece.text):
                self._create(match["table"])
            elif match := ENCODING.match(piece.text):
                self._encoding = _codec(match[1])
            elif match := CONFORMING.match(piece.text):
                self._conforming = match[1] == b"on"

    def _create(self, table: bytes) -> None:
        """Note the columns of a table, for statements that do not name them."""
        columns = []
        for piece in self._pieces:
            if piece.text.startswith(b")"):
                break
            if table in self._wanted and (match := COLUMN.match(piece.text)):
                columns.append(match[1].decode())
        self._columns[table] = columns

    def _copy(self, match: re.Match[bytes], line: int) -> Iterator[Row | Unreadable]:
        """Read the lines up to the full stop after a backslash."""
        table = match["table"]
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
        return [name.strip().strip(b'"').decode(self._encoding, "replace") for name in match["columns"].split(b",")]

    def _row(self, line: int, table: bytes, columns: list[str], fields: list[bytes | None]) -> Row | Unreadable:
        """Put fields under their columns."""
        if len(fields) != len(columns):
            return Unreadable(line, table.decode(), f"has {len(fields)} fields instead of {len(columns)}")
        try:
            texts = [None if field is None else field.decode(self._encoding) for field in fields]
        except UnicodeDecodeError:
            return Unreadable(line, table.decode(), f"is not written in {self._encoding}")
        return Row(line, table.decode(), dict(zip(columns, texts, strict=True)))


def _pieces(file: BinaryIO) -> Iterator[_Piece]:
    """Cut a file into lines, and long lines into pieces."""
    line, starts = 0, True
    while text := file.readline(PIECE):
        line += starts
        if line == 1 and starts:
            _expect_plain(text)
        ends = text.endswith(b"\n")
        whole = text.removesuffix(b"\n").removesuffix(b"\r") if ends else text
        yield _Piece(line, whole, starts, ends or len(text) < PIECE)
        starts = ends


def _expect_plain(text: bytes) -> None:
    """Refuse what pg_dump and its friends write in other formats."""
    if text.startswith(b"PGDMP"):
        raise ConfigurationError(
            "This is a dump in the custom format: turn it into text with `pg_restore -f TEXT FILE`."
        )
    if text.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK\x03\x04", b"\x28\xb5\x2f\xfd")):
        raise ConfigurationError("This file is compressed: unpack it first.")


def _codec(name: bytes) -> str:
    """Look up Python's name of an encoding of PostgreSQL."""
    if name.upper() not in ENCODINGS:
        raise ConfigurationError(
            f"The dump is written in {name.decode('ascii', 'replace')}: make one with `pg_dump --encoding=UTF8`."
        )
    return ENCODINGS[name.upper()]
