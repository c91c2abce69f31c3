"""Accounts of guests who sign in with name and password."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime

from wifidogd.store.database import Cursor

FETCH_ACCOUNT = """
    SELECT account_id, name, password_hash, disabled, created_at
      FROM accounts
     WHERE name = %(name)s
"""

ADD_ACCOUNT = """
    INSERT INTO accounts (name, password_hash, created_at)
    VALUES (%(name)s, %(password_hash)s, %(now)s)
        ON CONFLICT (name) DO NOTHING
"""

SET_PASSWORD = """
    UPDATE accounts
       SET password_hash = %(password_hash)s
     WHERE name = %(name)s
"""

SET_DISABLED = """
    UPDATE accounts
       SET disabled = %(disabled)s
     WHERE name = %(name)s
"""

LIST_ACCOUNTS = """
    SELECT account_id, name, password_hash, disabled, created_at
      FROM accounts
     ORDER BY name
     LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Account:
    """
    A guest with a password.

    @ivar name: folded as L{fold_name} does.
    @ivar password_hash: argon2id, in its own PHC string format.
    @ivar disabled: True while the operator has locked it.
    """

    account_id: int
    name: str
    password_hash: str = field(repr=False)
    disabled: bool
    created_at: datetime


def fold_name(name: str) -> str:
    """
    Write an account's name the one way in which it is stored and compared.

    Phones put a capital letter in front and a space behind what people type;
    some write accents as separate characters.
    """
    return unicodedata.normalize("NFC", name).strip().lower()


async def fetch_account(cursor: Cursor, name: str) -> Account | None:
    """
    Fetch the account that a guest or operator calls C{name}.

    @return: None if there is none; disabled ones are found too.
    """
    await cursor.execute(FETCH_ACCOUNT, {"name": fold_name(name)})
    row = cursor.fetchone()
    return None if row is None else Account(*row)


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
    Replace the password of an account.

    @return: False if there is no such account.
    """
    await cursor.execute(SET_PASSWORD, {"name": fold_name(name), "password_hash": password_hash})
    return cursor.rowcount == 1


async def set_disabled(cursor: Cursor, name: str, disabled: bool) -> bool:
    """
    Lock an account or unlock it; its open sessions go on.

    @return: False if there is no such account.
    """
    await cursor.execute(SET_DISABLED, {"name": fold_name(name), "disabled": disabled})
    return cursor.rowcount == 1


async def list_accounts(cursor: Cursor, limit: int) -> list[Account]:
    """Fetch accounts by name, C{limit} at most."""
    await cursor.execute(LIST_ACCOUNTS, {"limit": limit})
    return [Account(*row) for row in cursor.fetchall()]
