"""Commands to routers from any process: sent at once where the router is connected here, else through the store."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from wifidogd.domain.errors import StoreError
from wifidogd.domain.sessions import UtcNow
from wifidogd.gateways.registry import Registry
from wifidogd.gateways.router_commands import Admission, Command, ConnectedRouters, Outcome, TemporaryPass
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.router_commands import (
    StoredCommand,
    fetch_outcome,
    is_connected,
    put_command,
    remove_command,
    save_outcome,
    take_commands,
)

LOOK_FOR_COMMANDS = timedelta(seconds=1)
"""How often a process looks for what its routers are to be told by others."""

WAIT = 4.0
"""Seconds for which whoever asks for a command waits to hear what became of it."""

_ASK_AGAIN = 0.25
_MOST_TAKEN = 100
_GOOD = (Outcome.DONE, Outcome.SENT)

Relayed = Admission | TemporaryPass


class CommandRelay:
    """
    Sends commands to the routers of all processes.

    Guests are thrown off otherwise: see L{Kickoffs<wifidogd.accounting.kickoffs.Kickoffs>}.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        routers: ConnectedRouters,
        *,
        server: str,
        clock: IReactorTime,
        utc_now: UtcNow,
    ) -> None:
        """
        @param server: the name of this process among those on the database.
        """
        self._database = database
        self._registry = registry
        self._routers = routers
        self._server = server
        self._clock = clock
        self._utc_now = utc_now
        self._log = RateLimitedLog(Logger(), clock)

    async def is_reachable(self, gw_id: str) -> bool:
        """
        Return whether a gateway's router is connected to some process.

        @raise StoreError: as L{Database.transaction}.
        """
        if self._routers.connection(gw_id) is not None:
            return True
        return await self._database.transaction(lambda cursor: is_connected(cursor, gw_id))

    async def admit(self, gw_id: str, mac: str, ip: str, token: str) -> bool:
        """
        Have a router let a device in without a browser; its next counters report names the token.

        Only a gateway with a key is told a token: for one without, anybody could listen.

        @param token: of an open session at this gateway.
        @return: whether the device is in, as far as the router says.
        @raise StoreError: as L{Database.transaction}.
        """
        gateway = self._registry.gateway(gw_id)
        if gateway is None or not gateway.key_hashes:
            return False
        return await self._send(Admission(gw_id, mac, ip, token))

    async def open_for(self, gw_id: str, mac: str, length: timedelta) -> bool:
        """
        Have a router open the internet to a device for a while, without a session.

        @return: whether it is open, as far as the router says.
        @raise StoreError: as L{Database.transaction}.
        """
        return await self._send(TemporaryPass(gw_id, mac, int(length.total_seconds())))

    async def take(self) -> None:
        """
        Send what other processes have left for routers that are connected here; nothing is read where none is.

        @raise StoreError: as L{Database.transaction}.
        """
        if not len(self._routers):
            return
        asked_since = self._utc_now() - timedelta(seconds=WAIT)
        take = partial(take_commands, server=self._server, asked_since=asked_since, limit=_MOST_TAKEN)
        for stored in await self._database.transaction(take):
            sending = Deferred.fromCoroutine(self._send_stored(stored))
            sending.addErrback(partial(self._log.failure, "a command was not sent"))  # type: ignore[unused-awaitable]

    async def _send(self, command: Relayed) -> bool:
        connection = self._routers.connection(command.gw_id)
        if connection is None:
            return await self._send_elsewhere(command) in _GOOD
        sending = connection.send(command).addTimeout(WAIT, self._clock, lambda *_: Outcome.UNANSWERED)
        return await sending in _GOOD

    async def _send_elsewhere(self, command: Relayed) -> Outcome:
        """Leave a command to the process that the router is connected to, and wait for what became of it."""
        put = partial(put_command, command=_stored(command), now=self._utc_now())
        command_id = await self._database.transaction(put)
        if command_id is None:
            return Outcome.UNSENT
        until = self._clock.seconds() + WAIT
        said: str | None = None
        try:
            while not said and self._clock.seconds() < until:
                await deferLater(self._clock, _ASK_AGAIN)
                said = await self._database.transaction(lambda cursor: fetch_outcome(cursor, command_id))
        finally:
            await self._database.transaction(lambda cursor: remove_command(cursor, command_id))
        return Outcome(said) if said else Outcome.UNANSWERED

    async def _send_stored(self, stored: StoredCommand) -> None:
        command, connection = _command(stored), self._routers.connection(stored.gw_id)
        outcome = Outcome.UNSENT if connection is None else await connection.send(command)
        try:
            await self._database.transaction(lambda cursor: save_outcome(cursor, stored.command_id, outcome.value))
        except StoreError as problem:
            self._log.warn("whoever asked for a command is not told its outcome: {problem}", problem=problem)


def _stored(command: Relayed) -> StoredCommand:
    if isinstance(command, Admission):
        return StoredCommand(0, command.gw_id, "auth", command.mac, command.ip, command.token, None)
    return StoredCommand(0, command.gw_id, "tmp_pass", command.mac, None, None, command.seconds)


def _command(stored: StoredCommand) -> Command:
    if stored.kind == "auth":
        return Admission(stored.gw_id, stored.mac, stored.ip or "", stored.token or "")
    return TemporaryPass(stored.gw_id, stored.mac, stored.seconds or 0)
