"""Out of a backup's text come rows and counters, whatever else somebody has written into it."""

from __future__ import annotations

from io import BytesIO

import pytest

from wifidogd.domain.errors import StoreRefused
from wifidogd.store.backup.dump_text import CHUNK, CopySource, TableRows, counters

HEAD = b"--\nSET client_encoding = 'UTF8';\n"
COPY = b'COPY public.terms (network, "when") FROM stdin;\n'


def read(text: bytes, table: str = "terms") -> bytes:
    """Return all rows of a table, as psycopg2 reads them."""
    source = CopySource(TableRows(BytesIO(text), table))
    return b"".join(iter(lambda: source.read(8192), b""))


def test_rows_come_out_as_they_are() -> None:
    """An escaped end of data within a row is part of it."""
    rows = b"default\ta\\\\.\\nb\nrooms\t\\N\n"
    assert read(HEAD + COPY + rows + b"\\.\n\n--\n-- dump complete\n") == rows


@pytest.mark.parametrize(
    ("head", "columns"),
    [
        (COPY, ("network", "when")),
        (b'COPY "Wi-Fi".terms (network) FROM stdin;\n', ("network",)),
        (b'COPY public."terms" ("a ""b""") FROM stdin;\n', ('a "b"',)),
    ],
)
def test_columns_are_named_without_quotes(head: bytes, columns: tuple[str, ...]) -> None:
    """PostgreSQL quotes the words of its language."""
    assert TableRows(BytesIO(HEAD + head + b"\\.\n"), "terms").columns == columns


def test_the_encoding_of_the_rows_is_known() -> None:
    """It is the database's that was backed up."""
    assert TableRows(BytesIO(HEAD + COPY), "terms").encoding == "UTF8"
    assert TableRows(BytesIO(b"SET client_encoding = 'LATIN1';\n" + COPY), "terms").encoding == "LATIN1"


@pytest.mark.parametrize(
    "statement",
    [
        b"COPY public.terms FROM PROGRAM 'touch /tmp/marker';\n",
        b"COPY public.terms (network) FROM PROGRAM 'touch /tmp/marker';\n",
        b"COPY public.terms (network) FROM '/etc/passwd';\n",
        b"COPY public.terms (network) FROM stdin; DROP TABLE accounts;\n",
        b"COPY public.terms (network FROM stdin; DROP TABLE accounts; --) FROM stdin;\n",
        b'COPY public.terms ("network\n") FROM stdin;\n',
        b"COPY public.accounts (network) FROM stdin;\n",
        b"COPY terms (network) FROM stdin;\n",
        b"COPY (SELECT 1) TO PROGRAM 'touch /tmp/marker';\n",
        b"\\! touch /tmp/marker\n",
        b"",
    ],
)
def test_a_statement_that_is_not_ours_is_refused(statement: bytes) -> None:
    """Nothing of it is ever executed, so that it need not be understood."""
    with pytest.raises(StoreRefused, match="no rows of the table terms where they should be: it is damaged"):
        TableRows(BytesIO(HEAD + statement + b"x\n\\.\n"), "terms")


@pytest.mark.parametrize("after", [b"\\! touch /tmp/marker\n", b"DROP TABLE accounts;\n", b"more\trows\n\\.\n"])
def test_what_follows_the_end_of_the_rows_is_not_read(after: bytes) -> None:
    """A row of a changed backup may hold the end of data, and commands after it."""
    assert read(HEAD + COPY + b"default\tx\n\\.\n" + after) == b"default\tx\n"


@pytest.mark.parametrize("text", [b"default\tx\n", b"default\tx", b"", b"\\", b"x\\.\n"])
def test_rows_that_break_off_are_refused(text: bytes) -> None:
    """pg_restore may die, and the file may be cut."""
    with pytest.raises(StoreRefused, match="break off"):
        read(HEAD + COPY + text)


def test_a_table_that_is_there_twice_is_refused() -> None:
    """Half of its rows would be lost."""
    with pytest.raises(StoreRefused, match="twice"):
        read(HEAD + COPY + b"\\.\n" + COPY + b"\\.\n")


def test_a_row_without_an_end_is_read_in_pieces() -> None:
    """So that it does not fill the memory; what looks like an end within it is none."""
    rows = b"x" * CHUNK + b"\\.\n" + b"y\n"
    pieces = list(TableRows(BytesIO(HEAD + COPY + rows + b"\\.\n"), "terms").lines())
    assert b"".join(pieces) == rows
    assert max(map(len, pieces)) == CHUNK


def test_counters_are_read_and_nothing_else() -> None:
    """A number that no sequence has is none."""
    lines = [
        b"SELECT pg_catalog.setval('public.mails_mail_id_seq', 42, true);\n",
        b"SELECT pg_catalog.setval('public.devices_device_id_seq', 1, false);\n",
        b"SELECT pg_catalog.setval('public.other', 1, true); DROP TABLE accounts;\n",
        b"SELECT pg_catalog.setval('public.x', (SELECT 1), true);\n",
        b"SELECT pg_catalog.setval('public.y', 12345678901234567890, true);\n",
        b"SELECT evil();\n",
    ]
    assert counters(lines) == {"mails_mail_id_seq": (42, True), "devices_device_id_seq": (1, False)}
