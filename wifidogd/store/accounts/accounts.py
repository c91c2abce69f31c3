"""Accounts of guests who sign in with name and password."""

from __future__ import annotations

from datetime import datetime

from wifidogd.domain.guests import Account
from wifidogd.domain.sessions import Reason
from wifidogd.domain.tokens import fold_name, spellings_of
from wifidogd.store.access.remembered_devices import forget_devices_of
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

FETCH_ACCOUNT = """
    SELECT account_id, name, password_hash, disabled, created_at, email, validated_at, plan, old_hash
      FROM accounts
     WHERE name = ANY(%(names)s::text[])
        OR email = ANY(%(names)s::text[])
     ORDER BY array_position(%(names)s::text[], name), array_position(%(names)s::text[], email)
     LIMIT 1
"""
"""A name goes before an address: the position of what is not there is NULL, which comes last."""

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

SET_PASSWORD = """
    UPDATE accounts
       SET password_hash = %(password_hash)s,
           old_hash = NULL
     WHERE account_id = %(account_id)s
"""

END_SESSIONS = """
    UPDATE sessions
       SET ending = %(reason)s
     WHERE token_hash IN (
           SELECT token_hash
             FROM sessions
            WHERE account_id = %(account_id)s
            ORDER BY token_hash
              FOR UPDATE)
"""

UPGRADE_PASSWORD = """
    UPDATE accounts
       SET password_hash = %(password_hash)s,
           old_hash = NULL
     WHERE account_id = %(account_id)s
       AND password_hash IS NOT DISTINCT FROM %(known_hash)s
       AND old_hash IS NOT DISTINCT FROM %(old_hash)s
"""

SET_DISABLED = """
    UPDATE accounts
       SET disabled = %(disabled)s
     WHERE account_id = %(account_id)s
"""

LIST_ACCOUNTS = """
    SELECT account_id, name, password_hash, disabled, created_at, email, validated_at, plan, old_hash
      FROM accounts
     ORDER BY name
     LIMIT %(limit)s
"""


ACCOUNTS = RowReader(Account)


async def fetch_account(cursor: Cursor, name: str) -> Account | None:
    """
    Fetch the account that a guest or operator calls C{name}, or by its address.

    @return: None if there is none; disabled ones are found too.
    """
    await cursor.execute(FETCH_ACCOUNT, {"names": spellings_of(name)})
    return ACCOUNTS.one(cursor)


async def fetch_account_by_id(cursor: Cursor, account_id: int) -> Account | None:
    """Fetch an account by its number; None if it is gone."""
    await cursor.execute(FETCH_BY_ID, {"account_id": account_id})
    return ACCOUNTS.one(cursor)


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
    Replace the password of an account, end its sessions and forget its devices: they may be of somebody who had the
    old one.

    The sessions show no data of the account from now on, and end when their gateways next report.

    @return: False if there is no such account.
    """
    account = await fetch_account(cursor, name)
    if account is None:
        return False
    whose = {"account_id": account.account_id}
    await cursor.execute(SET_PASSWORD, whose | {"password_hash": password_hash})
    await cursor.execute(END_SESSIONS, whose | {"reason": Reason.PASSWORD_CHANGED.value})
    await forget_devices_of(cursor, account.account_id)
    return True


def upgrade_password(cursor: Cursor, account: Account, password_hash: str) -> None:
    """
    Send a better hash of the same password for an account that has an old one.

    A password that was changed meanwhile stays as it is.
    """
    known = {"account_id": account.account_id, "known_hash": account.password_hash, "old_hash": account.old_hash}
    cursor.send(UPGRADE_PASSWORD, known | {"password_hash": password_hash})


async def set_disabled(cursor: Cursor, name: str, disabled: bool) -> bool:
    """
    Lock an account or unlock it; its open sessions continue.

    @return: False if there is no such account.
    """
    account = await fetch_account(cursor, name)
    if account is not None:
        await cursor.execute(SET_DISABLED, {"account_id": account.account_id, "disabled": disabled})
    return account is not None


async def list_accounts(cursor: Cursor, limit: int) -> list[Account]:
    """Fetch accounts by name, C{limit} at most."""
    await cursor.execute(LIST_ACCOUNTS, {"limit": limit})
    return ACCOUNTS.all(cursor)
