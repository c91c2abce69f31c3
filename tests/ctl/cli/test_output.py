"""wifidogctl prints on any terminal and into any pipe."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from tests.ctl.test_ctl import wifidogctl
from tests.support.builders import put
from tests.support.checkout import ROOT
from tests.support.deadline import within
from wifidogd.store.driver.database import Database

LATIN = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1:strict"}
"""As Python sees a terminal under a locale such as de_DE.ISO-8859-1."""

MANY_ACCOUNTS = """
    INSERT INTO accounts (name, password_hash, created_at)
    SELECT 'guest' || number, '$argon2id$', now()
      FROM generate_series(1, 5000) AS number
"""

ACCOUNTS = "INSERT INTO accounts (name, password_hash, created_at) VALUES ('zoë', 'x', now()), ('中文', 'x', now())"


@ensureDeferred
async def test_letters_that_a_terminal_has_not_are_replaced(dsn: str, database: Database) -> None:
    """And those that it has are written in its encoding."""
    await put(database, ACCOUNTS)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **LATIN}
    command = [sys.executable, "-m", "wifidogd.ctl", "--database", dsn, "account", "list"]
    said = await within(60, deferToThread(subprocess.run, command, capture_output=True, env=environment, timeout=50))
    assert (said.returncode, said.stderr) == (0, b"")
    assert b"\nzo\xeb " in said.stdout
    assert b"\n?? " in said.stdout


@ensureDeferred
async def test_what_other_programs_read_is_utf8_under_every_locale(dsn: str, database: Database) -> None:
    """A list of vouchers for a spreadsheet loses no letter."""
    await put(database, "INSERT INTO plans (name, title) VALUES ('day', 'Day')")
    voucher = "sha256('x'), '7QKM2X4V9RTD', 'Frühling 中文', 'day', 'default', now()"
    await put(database, f"INSERT INTO vouchers (code_hash, code, batch, plan, network, created_at) VALUES ({voucher})")
    for words in (("export",), ("list", "--json")):
        outcome = await wifidogctl("--database", dsn, "voucher", *words, env=LATIN)
        assert outcome.code == 0, outcome.err
        assert "Frühling 中文" in outcome.out or "Fr\\u00fchling \\u4e2d\\u6587" in outcome.out


@pytest.mark.parametrize("words", [["account", "list"], ["account", "list", "--json"], ["--help"]])
@ensureDeferred
async def test_a_reader_that_has_seen_enough_ends_it_quietly(dsn: str, database: Database, words: list[str]) -> None:
    """As C{head} does: without a traceback, and with the status of a program that SIGPIPE has ended."""
    await put(database, MANY_ACCOUNTS)
    status, said = await within(60, deferToThread(read_one_octet, ["--database", dsn, *words]))
    assert said == b""
    assert status == (0 if words == ["--help"] else 141)


def read_one_octet(words: list[str]) -> tuple[int, bytes]:
    """Run wifidogctl, read one octet of what it prints, and return its status and what it says on standard error."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "wifidogd.ctl", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        os.read(process.stdout.fileno(), 1)
        process.stdout.close()
        return process.wait(50), process.stderr.read()
