"""
The embedded PostgreSQL: a private server that starts, lives and ends with wifidogd.

It listens on a Unix socket only, in a directory that only its user may enter,
so whoever can connect is trusted.  It never outlives us, and a directory that
holds data is never written over.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from wifidogd.domain.errors import ConfigurationError
from wifidogd.runtime.one_shot import OneShot
from wifidogd.store.embedded.binaries import Binaries, can_run, find_binaries, major_of, transplant
from wifidogd.store.embedded.child import Child
from wifidogd.store.embedded.commands import (
    SOCKET_NAME,
    initdb_command,
    server_command,
    socket_directory,
)
from wifidogd.store.embedded.damage import advice, remark, space_advice
from wifidogd.store.embedded.data_directory import CLUSTER, LOCK, dsn_of
from wifidogd.store.embedded.lock import DirectoryLock
from wifidogd.store.embedded.ownership import Owner, choose_owner, make_data_directory, make_private_directory
from wifidogd.store.embedded.runner import Runner
from wifidogd.store.embedded.stale_servers import evict, remove_lock_files
from wifidogd.store.embedded.threads import Reactor, in_thread

log = Logger()

START_DEADLINE = 60.0
"""Seconds for everything up to the first accepted connection."""

CONNECTIONS_EACH, MORE_CONNECTIONS = 6, 16
"""What the pool of a server process may open, and what is left for the operator's programs."""

BACK_OFF = (0.0, 1.0, 2.0)
"""Seconds before each further attempt to restart; the last one stays: a disk may have space again at any moment."""

SELDOM = 30
"""One of so many attempts with the last pause is logged: one a minute."""

STABLE = 30.0
"""Seconds after which a server that ends counts as having worked, so that the first pause is taken again."""


def _rename(old: Path, new: Path) -> None:
    """Give a directory its final name, and write the name to disk."""
    old.rename(new)
    parent = os.open(new.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


class Cluster:
    """
    A private PostgreSQL below a data directory.

    C{postgresql} holds its files, C{run} its socket, C{lock} the right to run
    it, C{binaries-*} a copy of its programs where one is needed.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        reactor: Reactor,
        guarded: bool = sys.platform != "linux",
        servers: int = 1,
    ) -> None:
        """
        @param guarded: whether a process in between ends PostgreSQL after our death, where the kernel does not.
        @param servers: processes that serve from it.
        """
        self._connections = MORE_CONNECTIONS + servers * CONNECTIONS_EACH
        self._data_dir = data_dir.resolve()
        self._directory = self._data_dir / CLUSTER
        self._sockets = socket_directory(self._data_dir)
        self._lock = DirectoryLock(self._data_dir / LOCK)
        self._reactor = reactor
        self._runner = Runner(reactor, guarded=guarded, remark=partial(remark, self._directory))
        self._started: OneShot | None = None
        self._supervision: OneShot | None = None

    async def start(self) -> str:
        """
        Start the server, after making its files if there are none, and restart it until L{stop}.

        @return: the DSN, once it accepts connections.
        @raise ConfigurationError: if that is impossible, or takes over a minute; nothing is left running.
        @raise CancelledError: if it was stopped meanwhile.
        """
        self._runner.reset()
        self._started = OneShot()
        deadline = self._reactor.callLater(START_DEADLINE, self._runner.interrupt, TimeoutError)
        try:
            await self._bring_up()
        except BaseException as problem:
            self._runner.interrupt(CancelledError)
            await self._wind_up()
            if isinstance(problem, OSError):
                raise ConfigurationError(self._explain(problem)) from problem
            raise
        finally:
            if deadline.active():
                deadline.cancel()
            self._started.come()
        return dsn_of(self._data_dir)

    async def stop(self) -> None:
        """Shut the server down within 10 s, cleanly if it can; does nothing when there is none."""
        self._runner.interrupt(CancelledError)
        for quiet in (self._started, self._supervision):
            if quiet is not None:
                await quiet.wait()
        await self._wind_up()

    def _explain(self, problem: OSError) -> str:
        """Return a sentence that says why it did not start; a L{TimeoutError} is an L{OSError} too."""
        if isinstance(problem, TimeoutError):
            return (
                f"The embedded PostgreSQL in {self._data_dir} did not start within {START_DEADLINE:.0f} s."
                f" It last said:\n{self._runner.last_words}"
            )
        return f"The embedded PostgreSQL in {self._data_dir} cannot be started: {problem}."

    async def _bring_up(self) -> None:
        owner = choose_owner(self._directory)
        make_data_directory(self._data_dir, owner)
        self._lock.acquire()
        found = major_of(self._directory)
        make_private_directory(self._sockets, owner)
        await self._clear_the_way()
        binaries = await self._find_binaries(owner)
        if found is None:
            await self._initialise(binaries, owner)
        command = server_command(binaries, self._directory, self._sockets, self._connections)
        server = self._runner.spawn(command, self._directory, owner)
        await server.ready.wait()
        self._runner.check()
        if not server.is_ready:
            raise ConfigurationError(
                f"The embedded PostgreSQL in {self._data_dir} {server.ending}. It last said:\n"
                f"{server.last_words}\n{advice(self._directory, owner, server.last_words)}".rstrip()
            )
        log.info(
            "PostgreSQL {version} serves {directory} as the user {owner}",
            version=binaries.version, directory=str(self._directory), owner=owner.name,
        )  # fmt: skip
        self._supervision = OneShot()
        _ = ensureDeferred(self._supervise(server, command, owner)).addBoth(self._supervision_ended)

    async def _clear_the_way(self) -> None:
        """Stop servers that nobody supervises any more, and remove the lock files of dead ones."""
        await evict(self._directory, self._reactor)
        remove_lock_files(
            self._directory / "postmaster.pid",
            self._sockets / SOCKET_NAME,
            self._sockets / f"{SOCKET_NAME}.lock",
        )

    async def _find_binaries(self, owner: Owner) -> Binaries:
        binaries = await find_binaries(self._directory, owner, reactor=self._reactor)
        if can_run(binaries.directory, owner):
            return binaries
        return replace(binaries, directory=await in_thread(self._reactor, transplant, binaries, self._data_dir))

    async def _initialise(self, binaries: Binaries, owner: Owner) -> None:
        """Make a cluster; it gets its name when it is complete, so half a cluster is never used."""
        unfinished = self._directory.with_suffix(".new")
        await evict(unfinished, self._reactor)
        if unfinished.exists():
            await in_thread(self._reactor, shutil.rmtree, unfinished)
        make_private_directory(unfinished, owner)
        initdb = self._runner.spawn(initdb_command(binaries, unfinished), unfinished, owner)
        await initdb.ended.wait()
        self._runner.check()
        if initdb.has_failed:
            raise ConfigurationError(
                f"A database cannot be made in {self._data_dir}: initdb {initdb.ending}. It said:\n"
                f"{initdb.last_words}\n{space_advice(self._data_dir, initdb.last_words)}".rstrip()
            )
        await in_thread(self._reactor, _rename, unfinished, self._directory)
        log.info("Made a database in {directory}", directory=str(self._directory))

    async def _supervise(self, server: Child, command: list[str], owner: Owner) -> None:
        """
        Restart the server when it ends by itself, after longer and longer pauses.

        @raise CancelledError: when we are stopped.
        """
        failures = 0
        while True:
            started_at = self._reactor.seconds()
            await server.ended.wait()
            self._runner.check()
            failures = 0 if self._reactor.seconds() - started_at > STABLE else failures
            pause = BACK_OFF[min(failures, len(BACK_OFF) - 1)]
            failures += 1
            if failures <= len(BACK_OFF) or failures % SELDOM == 1:
                log.error(
                    "PostgreSQL {ending}; starting it again in {pause} s. It last said:\n{last_words}",
                    ending=server.ending, pause=pause, last_words=server.last_words, failures=failures,
                )  # fmt: skip
            await self._runner.sleep(pause)
            try:
                await self._clear_the_way()
                server = self._runner.spawn(command, self._directory, owner)
            except CancelledError:
                raise
            except Exception:
                log.failure("PostgreSQL cannot be started again yet")

    def _supervision_ended(self, outcome: object) -> None:
        if isinstance(outcome, Failure) and not outcome.check(CancelledError):
            log.failure("PostgreSQL is not supervised any more", outcome)
        if self._supervision is not None:
            self._supervision.come()

    async def _wind_up(self) -> None:
        """Wait for the last program to end, and release the data directory."""
        try:
            await self._runner.wait()
            if self._lock.is_held:
                await evict(self._directory, self._reactor)
        finally:
            self._lock.release()
