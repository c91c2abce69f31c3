"""Accounts of guests who sign in with name and password."""

from __future__ import annotations

import unicodedata
from datetime import datetime

from wifidogd.domain.guests import Account
from wifidogd.store.access.remembered_devices import forget_devices_of
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

FETCH_ACCOUNT = """
    SELECT account_id, name, password_hash, disabled, created_at, email, validated_at, plan, old_hash
      FROM accounts
     WHERE name = %(name)s
        OR email = %(name)s
     ORDER BY name = %(name)s DESC
     LIMIT 1
"""

FETCH_BY_ID = """
    SELECT account_id, name, password_hash, disabled, created_at, email, validated_at, plan, old_hash
      FROM accounts
     WHERE account_id = %(account_id)s
"""

ADD_ACCOUNT = """
    INSERT INTO accounts (name, password_hash, created_at, validated_at)
    VALUES (%(name)s, %(password_hash)s, %(now)s, %(now)s)
        ON CONFLICT (name) DO NOTHING
"""

SIGN_UP = """
    INSERT INTO accounts (name, email, password_hash, created_at)
    VALUES (%(email)s, %(email)s, %(password_hash)s, %(now)s)
        ON CONFLICT DO NOTHING
 RETURNING account_id
"""

VALIDATE = """
    UPDATE accounts
       SET validated_at = coalesce(validated_at, %(now)s)
     WHERE account_id = %(account_id)s
       AND email = %(email)s
"""

END_PROBATION = """
    UPDATE sessions
       SET probation_until = NULL
     WHERE token_hash IN (
           SELECT token_hash
             FROM sessions
            WHERE account_id = %(account_id)s
              AND probation_until IS NOT NULL
            ORDER BY token_hash
              FOR UPDATE)
"""

SET_EMAIL = """
    UPDATE accounts
       SET name = CASE WHEN name = email THEN %(email)s ELSE name END,
           email = %(email)s,
           validated_at = %(now)s
     WHERE account_id = %(account_id)s
       AND NOT EXISTS (
           SELECT 1
             FROM accounts AS others
            WHERE (others.name = %(email)s OR others.email = %(email)s)
              AND others.account_id <> %(account_id)s)
"""

SET_PASSWORD = """
    UPDATE accounts
       SET password_hash = %(password_hash)s,
           old_hash = NULL
     WHERE name = %(name)s
 RETURNING account_id
"""

UPGRADE_PASSWORD = """
    UPDATE accounts
       SET password_hash = %(password_hash)s,
           old_hash = NULL
     WHERE account_id = %(account_id)s
       AND old_hash = %(old_hash)s
"""

FORGET_UNVALIDATED = """
    DELETE FROM accounts
     WHERE account_id IN (
           SELECT account_id
             FROM accounts
            WHERE validated_at IS NULL
              AND created_at < %(before)s
              AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.account_id = accounts.account_id)
            LIMIT %(limit)s
              FOR UPDATE SKIP LOCKED)
"""

SET_DISABLED = """
    UPDATE accounts
       SET disabled = %(disabled)s
     WHERE name = %(name)s
"""

LIST_ACCOUNTS = """
    SELECT account_id, name, password_hash, disabled, created_at, email, validated_at, plan, old_hash
      FROM accounts
     ORDER BY name
     LIMIT %(limit)s
"""


ACCOUNTS = RowReader(Account)


def fold_name(name: str) -> str:
    """
    Return an account's name in the form in which it is stored and compared.

    Phones put a capital letter in front and a space behind what people type;
    some write accents as separate characters.
    """
    return unicodedata.normalize("NFC", name).strip().lower()


async def fetch_account(cursor: Cursor, name: str) -> Account | None:
    """
    Fetch the account that a guest or operator calls C{name}, or by its address.

    @return: None if there is none; disabled ones are found too.
    """
    await cursor.execute(FETCH_ACCOUNT, {"name": fold_name(name)})
    return ACCOUNTS.one(cursor)


async def fetch_account_by_id(cursor: Cursor, account_id: int) -> Account | None:
    """Fetch an account by its number; None if it is gone."""
    await cursor.execute(FETCH_BY_ID, {"account_id": account_id})
    return ACCOUNTS.one(cursor)


async def sign_up(cursor: Cursor, email: str, password_hash: str, now: datetime) -> int | None:
    """
    Add an account whose guest has yet to show that the address is theirs; the address is its name too.

    @param email: in the form of L{wifidogd.domain.addresses}.
    @return: its number; None if the address is known, as an address or as a name.
    """
    await cursor.execute(SIGN_UP, {"email": email, "password_hash": password_hash, "now": now})
    row = cursor.fetchone()
    return None if row is None else int(row[0])


async def validate(cursor: Cursor, account_id: int, email: str, now: datetime) -> bool:
    """
    Record that an address is its owner's, and end the probation of their sessions.

    @return: False if the account has another address by now.
    """
    await cursor.execute(VALIDATE, {"account_id": account_id, "email": email, "now": now})
    is_right = cursor.rowcount == 1
    if is_right:
        await cursor.execute(END_PROBATION, {"account_id": account_id})
    return is_right


async def set_email(cursor: Cursor, account_id: int, email: str, now: datetime) -> bool:
    """
    Give an account another address, which its owner has shown to be theirs.

    An account called by its address is called by the new one from then on.

    @return: False if somebody else has that address, or the account is gone.
    @raise StoreConflict: if somebody else takes it at this moment.
    """
    await cursor.execute(SET_EMAIL, {"account_id": account_id, "email": email, "now": now})
    is_free = cursor.rowcount == 1
    if is_free:
        await cursor.execute(END_PROBATION, {"account_id": account_id})
    return is_free


async def add_account(cursor: Cursor, name: str, password_hash: str, now: datetime) -> bool:
    """
    Add an account.

    @return: False if the name is taken.
    @raise StoreRefused: if the name is empty or longer than 100 characters.
    """
    await cursor.execute(ADD_ACCOUNT, {"name": fold_name(name), "password_hash": password_hash, "now": now})
    return cursor.rowcount == 1


async def set_password(cursor: Cursor, name: str, password_hash: str) -> bool:
    """
    Replace the password of an account, and forget its devices: whoever had the old one may have had theirs remembered.

    @return: False if there is no such account.
    """
    await cursor.execute(SET_PASSWORD, {"name": fold_name(name), "password_hash": password_hash})
    row = cursor.fetchone()
    if row is not None:
        await forget_devices_of(cursor, row[0])
    return row is not None


def upgrade_password(cursor: Cursor, account: Account, password_hash: str) -> None:
    """
    Send a better hash of the same password for an account that has an old one.

    A password that was changed meanwhile stays as it is.
    """
    cursor.send(
        UPGRADE_PASSWORD,
        {"account_id": account.account_id, "old_hash": account.old_hash, "password_hash": password_hash},
    )


async def set_disabled(cursor: Cursor, name: str, disabled: bool) -> bool:
    """
    Lock an account or unlock it; its open sessions continue.

    @return: False if there is no such account.
    """
    await cursor.execute(SET_DISABLED, {"name": fold_name(name), "disabled": disabled})
    return cursor.rowcount == 1


async def list_accounts(cursor: Cursor, limit: int) -> list[Account]:
    """Fetch accounts by name, C{limit} at most."""
    await cursor.execute(LIST_ACCOUNTS, {"limit": limit})
    return ACCOUNTS.all(cursor)


async def forget_unvalidated(cursor: Cursor, before: datetime, limit: int) -> int:
    """
    Delete accounts made before then whose address nobody has shown to be theirs, unless they are online.

    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_UNVALIDATED, {"before": before, "limit": limit})
    return cursor.rowcount
