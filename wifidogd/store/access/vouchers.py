"""Vouchers: codes on paper with which guests sign in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from wifidogd.domain.plans import AllowanceOwner
from wifidogd.domain.sessions import Reason
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

ADD_VOUCHERS = """
    INSERT INTO vouchers (code_hash, code, batch, plan, network, valid_until, created_at)
    SELECT code_hash, code, %(batch)s, %(plan)s, %(network)s, %(valid_until)s, %(now)s
      FROM unnest(%(code_hashes)s::bytea[], %(codes)s::text[]) AS new (code_hash, code)
        ON CONFLICT (code_hash) DO NOTHING
 RETURNING code
"""

LOCK_VOUCHER = """
    SELECT voucher_id, code, batch, plan, network, valid_until, created_at, revoked
      FROM vouchers
     WHERE code_hash = %(code_hash)s
       FOR UPDATE
"""

FORGET_CODE = """
    UPDATE vouchers
       SET code = NULL
     WHERE voucher_id = %(voucher_id)s
       AND code IS NOT NULL
"""

LIST_VOUCHERS = """
    SELECT voucher_id, code, batch, vouchers.plan, vouchers.network, vouchers.valid_until, created_at,
           vouchers.revoked, first_used_at
      FROM vouchers
      LEFT JOIN allowances USING (voucher_id)
     WHERE (%(batch)s::text IS NULL OR batch = %(batch)s)
     ORDER BY voucher_id
     LIMIT %(limit)s
"""

REVOKE = """
    UPDATE vouchers
       SET revoked = true
     WHERE (code_hash = %(code_hash)s OR batch = %(batch)s)
       AND NOT revoked
 RETURNING voucher_id
"""

FIND_SESSIONS = """
    SELECT token_hash
      FROM sessions
     WHERE allowance_id IN (SELECT allowance_id FROM allowances WHERE voucher_id = ANY(%(voucher_ids)s::bigint[]))
     ORDER BY token_hash
       FOR UPDATE
"""

END_SESSIONS = """
    UPDATE sessions
       SET ending = %(reason)s
     WHERE token_hash = ANY(%(token_hashes)s::bytea[])
       AND ending IS NULL
"""

REVOKE_ALLOWANCES = """
    UPDATE allowances
       SET revoked = true
     WHERE allowance_id IN (
           SELECT allowance_id
             FROM allowances
            WHERE voucher_id = ANY(%(voucher_ids)s::bigint[])
            ORDER BY allowance_id
              FOR UPDATE)
"""


@dataclass(frozen=True, slots=True)
class Order:
    """
    What the vouchers of a batch have in common.

    @ivar batch: made together, printed together; 1 to 40 characters.
    @ivar valid_until: not to be used from then on; None for no end of its own.
    """

    batch: str
    plan: str
    network: str
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Voucher:
    """
    A code with which guests sign in.

    @ivar code: in its plain form, until its first use; None from then on.
    @ivar valid_until: not to be used from then on; None for no end of its own.
    @ivar first_used_at: when a guest first got online with it; None until then, and where that was not fetched.
    """

    voucher_id: int
    code: str | None = field(repr=False)
    batch: str
    plan: str
    network: str
    valid_until: datetime | None
    created_at: datetime
    revoked: bool
    first_used_at: datetime | None = None

    @property
    def owner(self) -> AllowanceOwner:
        """The owner of its allowance."""
        return AllowanceOwner(voucher_id=self.voucher_id)


VOUCHERS = RowReader(Voucher)


async def add_vouchers(cursor: Cursor, codes: Mapping[str, bytes], order: Order, now: datetime) -> set[str]:
    """
    Add vouchers for all codes that are not taken, in one statement.

    @param codes: their hashes by their plain form.
    @return: the codes that were added.
    @raise StoreRefused: if there is no such plan or network.
    """
    codes_of_batch = {"code_hashes": list(codes.values()), "codes": list(codes), "now": now}
    shared = {
        "batch": order.batch,
        "plan": order.plan,
        "network": order.network,
        "valid_until": order.valid_until,
    }
    await cursor.execute(ADD_VOUCHERS, codes_of_batch | shared)
    return {code for (code,) in cursor.fetchall()}


async def lock_voucher(cursor: Cursor, code_hash: bytes) -> Voucher | None:
    """
    Fetch the voucher with this code, revoked or not, and hold it: it is revoked either before a sign-in or after.

    @return: None if there is none.
    """
    await cursor.execute(LOCK_VOUCHER, {"code_hash": code_hash})
    return VOUCHERS.one(cursor)


def forget_code(cursor: Cursor, voucher_id: int) -> None:
    """Send that only the hash is kept of a code that somebody uses."""
    cursor.send(FORGET_CODE, {"voucher_id": voucher_id})


async def list_vouchers(cursor: Cursor, limit: int, batch: str | None = None) -> list[Voucher]:
    """
    Fetch vouchers in the order in which they were made.

    @param limit: how many at most.
    @param batch: None for those of every batch.
    """
    await cursor.execute(LIST_VOUCHERS, {"limit": limit, "batch": batch})
    return VOUCHERS.all(cursor)


async def revoke_vouchers(cursor: Cursor, *, code_hash: bytes | None = None, batch: str | None = None) -> int:
    """
    Revoke vouchers; their sessions end with the gateway's next report.

    Sessions are locked before allowances, each in key order, as everywhere.

    @return: how many vouchers were revoked now, and not before.
    """
    await cursor.execute(REVOKE, {"code_hash": code_hash, "batch": batch})
    voucher_ids = [voucher_id for (voucher_id,) in cursor.fetchall()]
    await cursor.execute(FIND_SESSIONS, {"voucher_ids": voucher_ids})
    token_hashes = [bytes(token_hash) for (token_hash,) in cursor.fetchall()]
    await cursor.execute(END_SESSIONS, {"token_hashes": token_hashes, "reason": Reason.REVOKED.value})
    await cursor.execute(REVOKE_ALLOWANCES, {"voucher_ids": voucher_ids})
    return len(voucher_ids)
