"""Where gateways and guests reach the server: the running server records it, and commands beside it read it."""

from __future__ import annotations

from datetime import datetime

from wifidogd.domain.server_address import ServerAddress
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

RECORD_ADDRESS = """
    INSERT INTO server_address (url, path, is_guess, recorded_at)
    VALUES (%(url)s, %(path)s, %(is_guess)s, %(now)s)
        ON CONFLICT (sole) DO UPDATE
       SET url = excluded.url, path = excluded.path, is_guess = excluded.is_guess, recorded_at = excluded.recorded_at
"""

FETCH_ADDRESS = """
    SELECT url, path, is_guess
      FROM server_address
"""

ADDRESSES = RowReader(ServerAddress)


async def record_server_address(cursor: Cursor, address: ServerAddress, now: datetime) -> None:
    """Record the address of a server that has started, instead of that of the one before."""
    values = {"url": address.url, "path": address.path, "is_guess": address.is_guess, "now": now}
    await cursor.execute(RECORD_ADDRESS, values)


async def fetch_server_address(cursor: Cursor) -> ServerAddress | None:
    """Return the address of the server that was started last; None if none ever was."""
    await cursor.execute(FETCH_ADDRESS)
    return ADDRESSES.one(cursor)
