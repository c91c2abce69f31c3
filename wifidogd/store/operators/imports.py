"""Accounts and gateways that come from another server's tables, many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from wifidogd.store.driver.database import Cursor

FIND_NAMES = """
    SELECT name
      FROM accounts
     WHERE name = ANY(%(names)s)
"""

FIND_EMAILS = """
    SELECT email
      FROM accounts
     WHERE email = ANY(%(emails)s)
"""

ADD_ACCOUNTS = """
    INSERT INTO accounts (name, email, old_hash, validated_at, disabled, created_at)
    SELECT name, email, old_hash, validated_at, disabled, created_at
      FROM unnest(%(names)s::text[], %(emails)s::text[], %(old_hashes)s::text[], %(validated)s::timestamptz[],
                  %(disabled)s::boolean[], %(created)s::timestamptz[])
           AS old (name, email, old_hash, validated_at, disabled, created_at)
     ORDER BY name
        ON CONFLICT DO NOTHING
"""

FIND_GATEWAYS = """
    SELECT gw_id
      FROM gateways
     WHERE gw_id = ANY(%(gw_ids)s)
     UNION
    SELECT gw_id
      FROM waiting_gateways
     WHERE gw_id = ANY(%(gw_ids)s)
"""


@dataclass(frozen=True, slots=True)
class NewAccount:
    """
    An account with a password that another server hashed.

    @ivar name: folded as L{wifidogd.domain.tokens.fold_name} does.
    @ivar old_hash: base64 of the MD5 of the password.
    @ivar validated_at: None while nobody has shown that the address is theirs.
    """

    name: str
    email: str | None
    old_hash: str = field(repr=False)
    validated_at: datetime | None
    disabled: bool
    created_at: datetime


async def find_names(cursor: Cursor, names: Sequence[str]) -> set[str]:
    """Return which of these names accounts have already."""
    await cursor.execute(FIND_NAMES, {"names": list(names)})
    return {name for (name,) in cursor.fetchall()}


async def find_emails(cursor: Cursor, emails: Sequence[str]) -> set[str]:
    """Return which of these addresses accounts have already."""
    await cursor.execute(FIND_EMAILS, {"emails": list(emails)})
    return {email for (email,) in cursor.fetchall()}


async def add_accounts(cursor: Cursor, accounts: Sequence[NewAccount]) -> int:
    """
    Add accounts, except those whose name or address was taken meanwhile.

    @return: how many were added.
    @raise StoreRefused: if one of them cannot be; none is added then.
    """
    await cursor.execute(
        ADD_ACCOUNTS,
        {
            "names": [one.name for one in accounts],
            "emails": [one.email for one in accounts],
            "old_hashes": [one.old_hash for one in accounts],
            "validated": [one.validated_at for one in accounts],
            "disabled": [one.disabled for one in accounts],
            "created": [one.created_at for one in accounts],
        },
    )
    return cursor.rowcount


async def find_gateways(cursor: Cursor, gw_ids: Sequence[str]) -> set[str]:
    """Return which of these gateways are adopted or wait to be."""
    await cursor.execute(FIND_GATEWAYS, {"gw_ids": list(gw_ids)})
    return {gw_id for (gw_id,) in cursor.fetchall()}
