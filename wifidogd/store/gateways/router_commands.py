"""What a process wants the router of a gateway to be told that is connected to another."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

IS_CONNECTED = """
    SELECT EXISTS (SELECT FROM router_connections WHERE gw_id = %(gw_id)s)
"""

PUT = """
    INSERT INTO router_commands (gw_id, kind, mac, ip, token, seconds, asked_at)
    SELECT gw_id, %(kind)s, %(mac)s, %(ip)s, %(token)s, %(seconds)s, %(now)s
      FROM router_connections
     WHERE gw_id = %(gw_id)s
 RETURNING command_id
"""

TAKE = """
    WITH taken AS (
        SELECT command_id, gw_id, kind, mac, ip, token, seconds
          FROM router_commands
         WHERE outcome IS NULL
           AND asked_at > %(asked_since)s
           AND (SELECT server
                  FROM router_connections
                 WHERE router_connections.gw_id = router_commands.gw_id) = %(server)s
         ORDER BY command_id
         LIMIT %(limit)s
           FOR UPDATE SKIP LOCKED
    )
    UPDATE router_commands
       SET outcome = '', token = NULL
      FROM taken
     WHERE router_commands.command_id = taken.command_id
 RETURNING taken.*
"""

FETCH_OUTCOME = """
    SELECT outcome
      FROM router_commands
     WHERE command_id = %(command_id)s
"""

SAVE_OUTCOME = """
    UPDATE router_commands
       SET outcome = %(outcome)s
     WHERE command_id = %(command_id)s
"""

REMOVE = """
    DELETE FROM router_commands
     WHERE command_id = %(command_id)s
"""

FORGET_COMMANDS = """
    DELETE FROM router_commands
     WHERE asked_at < %(before)s
"""


class StoredCommand(NamedTuple):
    """
    A command that one process leaves to another.

    @ivar kind: C{auth} or C{tmp_pass}.
    @ivar token: is in the store until the command is taken, seconds at most.
    """

    command_id: int
    gw_id: str
    kind: str
    mac: str
    ip: str | None
    token: str | None
    seconds: int | None


async def is_connected(cursor: Cursor, gw_id: str) -> bool:
    """Return whether the router of a gateway is connected to some process."""
    await cursor.execute(IS_CONNECTED, {"gw_id": gw_id})
    [(connected,)] = cursor.fetchall()
    return bool(connected)


async def put_command(cursor: Cursor, command: StoredCommand, now: datetime) -> int | None:
    """
    Leave a command to the process that the router is connected to.

    @return: its number; None if the router is connected to none.
    """
    values = {"kind": command.kind, "mac": command.mac, "ip": command.ip, "token": command.token}
    await cursor.execute(PUT, values | {"gw_id": command.gw_id, "seconds": command.seconds, "now": now})
    row = cursor.fetchone()
    return None if row is None else int(row[0])


async def take_commands(cursor: Cursor, server: str, asked_since: datetime, limit: int) -> list[StoredCommand]:
    """Take the commands for routers that are connected to a process; each is taken once."""
    await cursor.execute(TAKE, {"server": server, "asked_since": asked_since, "limit": limit})
    return COMMANDS.all(cursor)


async def fetch_outcome(cursor: Cursor, command_id: int) -> str | None:
    """Return what became of a command; empty or None while nobody knows."""
    await cursor.execute(FETCH_OUTCOME, {"command_id": command_id})
    row = cursor.fetchone()
    return None if row is None else row[0]


async def save_outcome(cursor: Cursor, command_id: int, outcome: str) -> None:
    """Record what became of a command."""
    await cursor.execute(SAVE_OUTCOME, {"command_id": command_id, "outcome": outcome})


async def remove_command(cursor: Cursor, command_id: int) -> None:
    """Remove a command, sent or not."""
    await cursor.execute(REMOVE, {"command_id": command_id})


async def forget_commands(cursor: Cursor, before: datetime) -> None:
    """Remove commands that somebody asked for who ended before they had an answer."""
    await cursor.execute(FORGET_COMMANDS, {"before": before})


COMMANDS = RowReader(StoredCommand)
