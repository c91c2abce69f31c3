"""The secret that signs forms, shared by all servers on one database."""

from __future__ import annotations

from wifidogd.store.driver.database import Cursor

SELECT_SECRET = "SELECT secret FROM signing_keys"


async def fetch_secret(cursor: Cursor) -> str:
    """Fetch the signing secret: 72 characters, made with the schema."""
    await cursor.execute(SELECT_SECRET)
    ((secret,),) = cursor.fetchall()
    return str(secret)
