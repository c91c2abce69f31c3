"""Queued mails and the links in them, in a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest_twisted import ensureDeferred

import wifidogd.store.accounts.outbox as mails
from tests.support.builders import LOBBY, MINUTE, NOON, SECOND, adopt_all, put, rows, run, together, token_hash
from wifidogd.store.accounts.accounts import add_account, fetch_account, fetch_account_by_id, set_password
from wifidogd.store.accounts.confirmations import forget_unvalidated, set_email, sign_up, validate
from wifidogd.store.accounts.email_links import (
    Link,
    Purpose,
    add_link,
    find_link,
    forget_links,
    remove_links,
    use_link,
    use_links_like,
)
from wifidogd.store.accounts.outbox import claim_mails, put_off, queue_mail, remove_mails
from wifidogd.store.driver.database import Database

ZOE = "zoe@example.org"


@ensureDeferred
async def test_a_mail_is_claimed_by_one(database: Database) -> None:
    """Two servers that look at once share the work; what one has, the other does not get."""
    for number in range(10):
        assert await run(database, queue_mail, f"guest{number}@example.org", "Subject: hi\n\nhi", NOON)
    claims = await together(*(run(database, claim_mails, NOON, NOON + MINUTE, 5) for _ in range(4)))
    claimed = [mail.recipient for claim in claims for mail in claim]
    assert len(claimed) == len(set(claimed))
    while more := await run(database, claim_mails, NOON, NOON + MINUTE, 5):
        claimed += [mail.recipient for mail in more]
    assert sorted(claimed) == sorted(f"guest{number}@example.org" for number in range(10))


@ensureDeferred
async def test_a_claim_of_a_server_that_died_runs_out(database: Database) -> None:
    """And counts as a try."""
    await run(database, queue_mail, ZOE, "m", NOON)
    [mail] = await run(database, claim_mails, NOON, NOON + MINUTE, 5)
    assert (mail.recipient, mail.message, mail.queued_at, mail.tries) == (ZOE, "m", NOON, 1)
    assert await run(database, claim_mails, NOON + MINUTE - SECOND, NOON + 2 * MINUTE, 5) == []
    [again] = await run(database, claim_mails, NOON + MINUTE, NOON + 2 * MINUTE, 5)
    assert again.tries == 2


@ensureDeferred
async def test_what_was_put_off_comes_back_and_what_was_removed_does_not(database: Database) -> None:
    """The longest due first."""
    for number in range(3):
        await run(database, queue_mail, f"guest{number}@example.org", "m", NOON)
    first, second, third = await run(database, claim_mails, NOON, NOON + MINUTE, 5)
    await run(database, remove_mails, [first.mail_id])
    await run(database, put_off, second.mail_id, NOON + 10 * MINUTE)
    assert [mail.mail_id for mail in await run(database, claim_mails, NOON + MINUTE, NOON + 60 * MINUTE, 5)] == [
        third.mail_id
    ]
    assert [mail.mail_id for mail in await run(database, claim_mails, NOON + 10 * MINUTE, NOON + 60 * MINUTE, 5)] == [
        second.mail_id
    ]


@ensureDeferred
async def test_the_queue_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes when it is full is told so."""
    monkeypatch.setattr(mails, "MOST", 3)
    assert [await run(database, queue_mail, ZOE, "m", NOON) for _ in range(4)] == [True, True, True, False]
    assert await rows(database, "SELECT count(*) FROM mails") == [(3,)]


@ensureDeferred
async def test_an_address_signs_up_once(database: Database) -> None:
    """Whether it is known as an address or as a name."""
    assert await run(database, add_account, "eve@example.org", "$1", NOON)
    assert await run(database, sign_up, "eve@example.org", "$2", NOON) is None
    number = await run(database, sign_up, ZOE, "$2", NOON)
    assert number is not None
    assert await run(database, sign_up, ZOE, "$3", NOON) is None
    account = await run(database, fetch_account, "ZOE@example.org")
    assert account is not None
    assert (account.account_id, account.name, account.email, account.password_hash) == (number, ZOE, ZOE, "$2")
    assert account.validated_at is None


@ensureDeferred
async def test_what_the_operator_makes_is_validated(database: Database) -> None:
    """There is nothing to show."""
    await run(database, add_account, "anna", "$1", NOON)
    account = await run(database, fetch_account, "anna")
    assert account is not None
    assert (account.validated_at, account.email) == (NOON, None)


@ensureDeferred
async def test_validating_ends_probation_of_that_account_only(database: Database) -> None:
    """And keeps the first moment."""
    await adopt_all(database, LOBBY)
    numbers = [await run(database, sign_up, f"guest{number}@example.org", "$", NOON) for number in range(2)]
    for at, number in enumerate(numbers):
        await put(
            database,
            "INSERT INTO sessions (token_hash, gw_id, account_id, opened_at, probation_until)"
            " VALUES (%(hash)s, 'lobby', %(number)s, %(noon)s, %(noon)s)",
            {"hash": token_hash(at), "number": number, "noon": NOON},
        )
    assert not await run(database, validate, numbers[0], "other@example.org", NOON)
    assert await run(database, validate, numbers[0], "guest0@example.org", NOON)
    assert await run(database, validate, numbers[0], "guest0@example.org", NOON + MINUTE)
    assert await rows(database, "SELECT account_id FROM sessions WHERE probation_until IS NULL") == [(numbers[0],)]
    account = await run(database, fetch_account_by_id, numbers[0])
    assert account is not None
    assert account.validated_at == NOON


@ensureDeferred
async def test_an_address_moves_with_the_name_that_is_the_same(database: Database) -> None:
    """Another name is kept; an address that somebody has cannot be taken."""
    number = await run(database, sign_up, ZOE, "$", NOON)
    assert await run(database, set_email, number, "zoe@new.example", NOON)
    account = await run(database, fetch_account_by_id, number)
    assert account is not None
    assert (account.name, account.email, account.validated_at) == ("zoe@new.example", "zoe@new.example", NOON)
    await run(database, add_account, "anna", "$", NOON)
    anna = await run(database, fetch_account, "anna")
    assert anna is not None
    assert not await run(database, set_email, anna.account_id, "zoe@new.example", NOON)
    assert await run(database, set_email, anna.account_id, "anna@example.org", NOON)
    by_address = await run(database, fetch_account, "anna@example.org")
    assert by_address is not None
    assert by_address.name == "anna"


@ensureDeferred
async def test_a_name_goes_before_an_address(database: Database) -> None:
    """Nobody gets at an account by giving theirs the other's name as an address."""
    await run(database, add_account, "anna@example.org", "$named", NOON)
    await put(
        database,
        "INSERT INTO accounts (name, email, password_hash, created_at)"
        " VALUES ('eve', 'anna@example.org', '$eve', now())",
    )
    account = await run(database, fetch_account, "anna@example.org")
    assert account is not None
    assert account.password_hash == "$named"


@ensureDeferred
async def test_a_new_password_ends_the_old_hash(database: Database) -> None:
    """Or the imported one would go on working beside it."""
    await put(database, "INSERT INTO accounts (name, old_hash, created_at) VALUES ('old', 'MD5', now())")
    account = await run(database, fetch_account, "old")
    assert account is not None
    assert (account.password_hash, account.old_hash) == (None, "MD5")
    await run(database, set_password, "old", "$new")
    assert await rows(database, "SELECT password_hash, old_hash FROM accounts") == [("$new", None)]


@ensureDeferred
async def test_accounts_never_validated_are_forgotten(database: Database) -> None:
    """With their links; not those that are online, nor the operator's."""
    await adopt_all(database, LOBBY)
    await run(database, add_account, "anna", "$", NOON)
    gone = await run(database, sign_up, ZOE, "$", NOON)
    unchanged = await run(database, sign_up, "eve@example.org", "$", NOON)
    await run(database, sign_up, "new@example.org", "$", NOON + MINUTE)
    await put(
        database,
        "INSERT INTO sessions (token_hash, gw_id, account_id, opened_at) VALUES (%(hash)s, 'lobby', %(number)s, now())",
        {"hash": token_hash(1), "number": unchanged},
    )
    await run(
        database, add_link, token_hash(9), Link(gone, Purpose.VALIDATE, ZOE), now=NOON, expires_at=NOON + MINUTE, most=1
    )
    assert await run(database, forget_unvalidated, NOON + MINUTE, 100) == 1
    assert await rows(database, "SELECT name FROM accounts ORDER BY name") == [
        ("anna",),
        ("eve@example.org",),
        ("new@example.org",),
    ]
    assert await rows(database, "SELECT count(*) FROM email_links") == [(0,)]


@ensureDeferred
async def test_a_link_works_once_and_until_it_expires(database: Database) -> None:
    """Looking does not use it up; once used it says so."""
    number = await run(database, sign_up, ZOE, "$", NOON)
    link = Link(number, Purpose.VALIDATE, ZOE)
    for at in range(3):
        assert await run(database, add_link, token_hash(at), link, now=NOON, expires_at=NOON + MINUTE, most=3)
    assert not await run(database, add_link, token_hash(3), link, now=NOON, expires_at=NOON + MINUTE, most=3)
    assert await run(database, find_link, token_hash(0), NOON + MINUTE - SECOND) == link
    assert await run(database, find_link, token_hash(0), NOON + MINUTE) is None
    assert await run(database, use_link, token_hash(0), NOON + MINUTE) is None
    assert sorted(
        (await together(*(run(database, use_link, token_hash(0), NOON) for _ in range(3)))), key=lambda got: got is None
    ) == [link, None, None]
    assert await run(database, use_link, token_hash(7), NOON) is None
    assert await run(database, find_link, token_hash(0), NOON) == replace(link, is_used=True)
    assert await run(database, add_link, token_hash(4), link, now=NOON, expires_at=NOON + MINUTE, most=3)
    await run(database, use_links_like, replace(link, email="eve@example.org"), NOON)
    assert await run(database, find_link, token_hash(4), NOON) == link
    await run(database, use_links_like, link, NOON)
    assert await run(database, find_link, token_hash(4), NOON) == replace(link, is_used=True)
    await rows(database, "UPDATE email_links SET used_at = NULL RETURNING 1")
    await run(database, remove_links, number, Purpose.PASSWORD)
    assert await run(database, find_link, token_hash(1), NOON) == link
    await run(database, remove_links, number, Purpose.PASSWORD, Purpose.VALIDATE)
    assert await run(database, find_link, token_hash(1), NOON) is None


@ensureDeferred
async def test_expired_links_are_forgotten(database: Database) -> None:
    """To the very second, like they expire."""
    number = await run(database, sign_up, ZOE, "$", NOON)
    link = Link(number, Purpose.PASSWORD, ZOE)
    await run(database, add_link, token_hash(0), link, now=NOON, expires_at=NOON + MINUTE, most=3)
    assert await run(database, forget_links, NOON + MINUTE - SECOND, 100) == 0
    assert await run(database, forget_links, NOON + MINUTE, 100) == 1
