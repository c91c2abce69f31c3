"""Accounts as they are stored."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pytest_twisted import ensureDeferred

from tests.support.builders import put, run
from tests.support.deadline import within
from wifidogd.domain.errors import StoreRefused
from wifidogd.store.accounts.accounts import (
    Account,
    add_account,
    fetch_account,
    list_accounts,
    set_disabled,
    set_password,
)
from wifidogd.store.driver.database import Database

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


async def add(database: Database, name: str) -> bool:
    """Add an account with some password."""
    return await within(5, database.transaction(lambda cursor: add_account(cursor, name, "$argon2id$1", NOON)))


async def fetch(database: Database, name: str) -> Account | None:
    """Return an account by its name."""
    return await within(5, database.transaction(lambda cursor: fetch_account(cursor, name)))


@ensureDeferred
async def test_an_account_is_found_however_it_is_typed(database: Database) -> None:
    """The database's own idea of lower-case does not matter: this one knows ASCII only."""
    assert await add(database, "Åsa")
    account = await fetch(database, " åSA")
    assert account is not None
    assert (account.name, account.password_hash, account.disabled, account.created_at) == (
        "åsa",
        "$argon2id$1",
        False,
        NOON,
    )
    assert await fetch(database, "asa") is None


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("zoe", "Ｚｏｅ"),
        ("ｚｏｅ", "ZOE"),
        ("straße", "STRASSE"),
        ("STRASSE", "Straße"),
        ("ıŞık", "IŞIK"),
        ("İpek", "ipek"),
        ("ipek", "İPEK"),
        ("Οδυσσεύς", "ΟΔΥΣΣΕΎΣ"),
        ("zoe@example.org", "ｚｏｅ＠ｅｘａｍｐｌｅ．ｏｒｇ"),
        ("zoe@xn--bcher-kva.example", "Zoe@Bücher.example"),
    ],
)
@ensureDeferred
async def test_an_account_is_found_in_every_width_and_case(database: Database, name: str, typed: str) -> None:
    """Also by those whose language has another lower case, or whose address has a domain in letters of its own."""
    assert await add(database, name)
    account = await fetch(database, typed)
    assert account is not None
    assert await fetch(database, name) == account
    assert not await add(database, typed) or "@" in name


@ensureDeferred
async def test_names_that_became_one_are_told_apart_by_their_old_form(database: Database) -> None:
    """As they were before; what is done to one is not done to the other."""
    await add(database, "strasse")
    await put(database, "INSERT INTO accounts (name, password_hash, created_at) VALUES ('straße', '$old', now())")
    assert [(await fetch(database, name)).name for name in ("STRASSE", "Straße")] == ["strasse", "straße"]  # type: ignore[union-attr]
    await run(database, set_password, "Straße", "$new")
    await run(database, set_disabled, "STRASSE", True)
    assert [
        (account.name, account.password_hash, account.disabled) for account in await run(database, list_accounts, 9)
    ] == [
        ("strasse", "$argon2id$1", True),
        ("straße", "$new", False),
    ]


@ensureDeferred
async def test_a_taken_name_is_not_given_twice(database: Database) -> None:
    """In any case; the first password is kept."""
    assert await add(database, "anna")
    first = await fetch(database, "anna")
    assert not await add(database, "ANNA")
    assert await fetch(database, "anna") == first


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
@ensureDeferred
async def test_impossible_names_are_refused(database: Database, name: str) -> None:
    """By the schema, whoever asks."""
    with pytest.raises(StoreRefused):
        await add(database, name)


@ensureDeferred
async def test_password_and_lock_can_be_changed(database: Database) -> None:
    """Each by itself; an unknown name changes nothing and says so."""
    await add(database, "anna")
    assert await within(5, database.transaction(lambda cursor: set_password(cursor, "Anna", "$argon2id$2")))
    assert await within(5, database.transaction(lambda cursor: set_disabled(cursor, "Anna", True)))
    account = await fetch(database, "anna")
    assert account is not None
    assert (account.password_hash, account.disabled) == ("$argon2id$2", True)
    assert not await within(5, database.transaction(lambda cursor: set_password(cursor, "bob", "$argon2id$2")))
    assert not await within(5, database.transaction(lambda cursor: set_disabled(cursor, "bob", False)))


@ensureDeferred
async def test_accounts_are_listed_by_name_and_bounded(database: Database) -> None:
    """The list never holds more than was asked for."""
    for name in ("carl", "anna", "bob"):
        await add(database, name)
    accounts = await within(5, database.transaction(lambda cursor: list_accounts(cursor, 2)))
    assert [account.name for account in accounts] == ["anna", "bob"]


def test_a_password_hash_does_not_reach_a_log() -> None:
    """Not even when an account is printed whole."""
    assert "argon2" not in repr(Account(1, "anna", "$argon2id$1", False, NOON))
