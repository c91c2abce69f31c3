"""Dumps of PostgreSQL: what the real pg_dump writes, and what damaged files hold."""

from __future__ import annotations

import codecs
import io
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import make_database
from tests.support.checkout import DATA
from tests.support.postgres import ThrowawayPostgres, newest_binaries
from wifidogd.ctl.migration.pg_dump import LONGEST_STATEMENT, PIECE, Dump, Row, Unreadable
from wifidogd.ctl.migration.pg_values import Quotes
from wifidogd.domain.errors import ConfigurationError

DUMP = DATA / "wifidog-auth.sql"

HEAD = b"COPY public.users (name, pass) FROM stdin;\n"

UTF8 = b"SET client_encoding = 'UTF8';\n"

INTO = b"INSERT INTO users (name) VALUES "

CONFORMING = b"SET standard_conforming_strings = on;\n"

FALSE = ("f", "false")

BOB = {"name": "bob", "pass": "x"}


def read(text: bytes, *tables: str) -> list[Row | Unreadable]:
    """Read a dump from memory."""
    return list(Dump(io.BytesIO(text), dict.fromkeys(tables or ("users",), ("name",))).rows())


def values(text: bytes) -> list[dict[str, str | None] | str]:
    """Read only what the rows hold, or why they cannot be read."""
    return [dict(one.values) if isinstance(one, Row) else one.problem for one in read(text)]


def told(one: Row | Unreadable) -> object:
    """Reduce a row to what does not depend on the format: COPY writes t and f for truth."""
    return one if isinstance(one, Unreadable) else [value for value in one.values.values() if value not in FALSE]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--inserts"],
        ["--column-inserts"],
        ["--inserts", "--rows-per-insert=3"],
        ["--column-inserts", "--rows-per-insert=1000"],
        ["--encoding=LATIN1"],
        ["--inserts", "--encoding=LATIN9"],
        ["--quote-all-identifiers"],
        ["--data-only"],
        ["--data-only", "--column-inserts", "--quote-all-identifiers"],
    ],
    ids=" ".join,
)
def test_every_way_to_dump_says_the_same(postgres: ThrowawayPostgres, options: list[str]) -> None:
    """Whatever the operator typed, and whatever guests typed that looks like statements."""
    dsn, binaries = make_database(postgres), newest_binaries()
    subprocess.run([binaries / "psql", "-qXv", "ON_ERROR_STOP=1", "-f", DUMP, dsn], check=True, capture_output=True)
    dumped = subprocess.run([binaries / "pg_dump", *options, dsn], check=True, capture_output=True).stdout
    plain = read(DUMP.read_bytes(), "users", "nodes")
    again = read(dumped, "users", "nodes")
    assert len(plain) == 17
    assert [told(one) for one in again] == [told(one) for one in plain]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (HEAD + b"anna\t\\N\n\\.\n", [{"name": "anna", "pass": None}]),
        (HEAD + b"a\\tb\\\\\\n\tx\\041\\x41\\q\n\\.\n", [{"name": "a\tb\\\n", "pass": "x!Aq"}]),
        (HEAD + b"anna\tx\r\n\\.\r\n", [{"name": "anna", "pass": "x"}]),
        (
            UTF8 + HEAD + b"anna\n\xff\t\nbob\tx\n\\.\n",
            ["has 1 fields instead of 2", "is not written in utf-8", BOB],
        ),
        (UTF8 + HEAD + b"bob\t\xff\n\\.\n", [{"name": "bob", "pass": "\ufffd"}]),
        (HEAD + b"J\xf6rg\tJ\xc3\xb6rg\n\\.\n", [{"name": "Jörg", "pass": "Jörg"}]),
        (b"SET client_encoding = 'SQL_ASCII';\n" + HEAD + b"J\xf6rg\tx\n\\.\n", [{"name": "Jörg", "pass": "x"}]),
        (codecs.BOM_UTF8 + HEAD + b"bob\tx\n\\.\n", [BOB]),
        (
            codecs.BOM_UTF16_LE
            + "SET client_encoding = 'LATIN1';\r\nCOPY users (name) FROM stdin;\r\nJörg\r\n\\.\r\n".encode("utf-16-le"),
            [{"name": "Jörg"}],
        ),
        (HEAD + b"a" * 2 * PIECE + b"\tx\nbob\tx\n\\.\n", [f"is longer than {PIECE} octets", BOB]),
        (HEAD + b"bob\tx\n", [BOB, "is followed by the end of the file: the dump is not complete"]),
        (b"COPY users FROM stdin;\nbob\n\\.\n", ["has 1 fields instead of 0"]),
        (
            b'CREATE TABLE users (\n    "name" text,\n    CHECK (true)\n);\nCOPY users FROM stdin;\nbob\n\\.\n',
            [{"name": "bob"}],
        ),
        (INTO + b"('o''brien'), (NULL), (7);\n", [{"name": "o'brien"}, {"name": None}, {"name": "7"}]),
        (INTO + b"('a\\\\'';');\n", [{"name": "a\\';"}]),
        (CONFORMING + INTO + b"('a\\');\n", [{"name": "a\\"}]),
        (CONFORMING + INTO + b"(E'a\\\\\\n;');\n", [{"name": "a\\\n;"}]),
        (INTO + b"('two\nlines;\n');\n", [{"name": "two\nlines;\n"}]),
        (INTO + b"('bob'", ["does not end: the dump is not complete"]),
        (
            INTO + b"('" + b"x" * LONGEST_STATEMENT + b"');\n" + INTO + b"('bob');\n",
            [f"is longer than {LONGEST_STATEMENT} octets: make the dump without --rows-per-insert", {"name": "bob"}],
        ),
        (b"INSERT INTO other (name) VALUES ('\nINSERT INTO users (name) VALUES (1);\n');\n", []),
        (
            b"INSERT INTO other (name) VALUES ('" + b"x" * 3 * PIECE + b"\nINSERT INTO users (name) VALUES (1);\n');\n",
            [],
        ),
        (b"COPY other (name) FROM stdin;\nINSERT INTO users (name) VALUES (1);\n\\.\n", []),
        (b"", []),
    ],
)
def test_rows_are_read_or_reported(text: bytes, found: list[object]) -> None:
    """A bad row costs itself, never its neighbours, and text of other tables is never obeyed."""
    assert values(text) == found


def test_lines_are_those_of_the_file() -> None:
    """So that the operator can look."""
    text = b"\n\n" + HEAD + b"anna\tx\nbob\n\\.\nINSERT INTO users (name) VALUES\n\t(1),\n\t(2);\n"
    assert [one.line for one in read(text)] == [4, 5, 8, 9]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (b"PGDMP\x01\x0e", "pg_restore"),
        (b"\x1f\x8b\x08\0", "unpack"),
        (b"SET client_encoding = 'EUC_JP';\n", "--encoding=UTF8"),
        (b"-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n", "of MySQL or MariaDB.*: use pg_dump"),
        (b"/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19\n", "of MySQL or MariaDB"),
        (b"-- phpMyAdmin SQL Dump\n-- version 5.2.1\n", "of MySQL or MariaDB"),
        (b"--\n\n/*!40101 SET NAMES utf8 */;\n", "of MySQL or MariaDB"),
    ],
)
def test_other_files_are_refused_with_advice(text: bytes, advice: str) -> None:
    """One sentence that says what to do."""
    with pytest.raises(ConfigurationError, match=advice):
        read(text)


@given(st.binary())
def test_any_file_comes_to_an_end(text: bytes) -> None:
    """Nonsense is nothing, or reported, or refused; never an error of ours."""
    for head in (b"", HEAD, b"INSERT INTO users (name) VALUES (", b"CREATE TABLE users (\n"):
        try:
            read(head + text)
        except ConfigurationError:
            continue


@given(st.lists(st.sampled_from([b"'", b"''", b"\\\\", b"a", b";", b"E'", b"\n"])), st.integers(0, 20))
def test_the_end_of_a_statement_does_not_depend_on_where_it_is_cut(parts: list[bytes], cut: int) -> None:
    """Long lines come in pieces."""
    text = b"".join(parts)
    if text[cut - 1 : cut + 1] == b"E'" or text[cut - 1 : cut + 1] == b"''" or text[cut - 1 : cut + 1] == b"\\\\":
        cut = 0
    whole, pieces = Quotes(conforming=True), Quotes(conforming=True)
    assert whole.end_in(text) == (pieces.end_in(text[:cut]) or pieces.end_in(text[cut:]))
