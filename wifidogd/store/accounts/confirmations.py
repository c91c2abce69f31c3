"""Accounts that guests make themselves, and the addresses that they confirm."""

from __future__ import annotations

from datetime import datetime

from wifidogd.store.accounts.probations import end_probations
from wifidogd.store.driver.database import Cursor

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
              AND ending IS NULL
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
        await end_probations(cursor, email)
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


async def forget_unvalidated(cursor: Cursor, before: datetime, limit: int) -> int:
    """
    Delete accounts made before then whose address nobody has shown to be theirs, unless they are online.

    @return: how many, C{limit} at most.
    """
    await cursor.execute(FORGET_UNVALIDATED, {"before": before, "limit": limit})
    return cursor.rowcount
