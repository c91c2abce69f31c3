"""The database for commands that work whether or not the server runs, and whatever schema it has."""

from __future__ import annotations

import signal
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any

from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.internet.interfaces import IReactorFromThreads

from wifidogd.ctl.cli.command import CommandFailed
from wifidogd.settings import checked_data_dir
from wifidogd.store.driver.database import Database
from wifidogd.store.embedded.cluster import Cluster
from wifidogd.store.embedded.data_directory import dsn_of, has_database, is_served


@asynccontextmanager
async def standing(reactor: Any, arguments: Namespace, *, new: bool = False) -> AsyncIterator[str]:
    """
    Provide the DSN of the database; its private PostgreSQL is started meanwhile if it does not run.

    @param new: whether to make a database where there is none.
    @raise CommandFailed: if there is none.
    @raise ConfigurationError: as L{Cluster.start}.
    """
    if arguments.database:
        yield arguments.database
        return
    data_dir = checked_data_dir(arguments.data_dir)
    if is_served(data_dir):
        yield dsn_of(data_dir)
        return
    if not new and not has_database(data_dir):
        raise CommandFailed(f"There is no database in {data_dir}: name another --data-dir or --database.")
    cluster = Cluster(data_dir, reactor=reactor)
    try:
        yield await cluster.start()
    finally:
        await cluster.stop()


@asynccontextmanager
async def connected(reactor: Any, dsn: str) -> AsyncIterator[Database]:
    """Provide one connection, for as long as needed."""
    database = Database(clock=reactor, size=1)
    database.start(dsn)
    try:
        yield database
    finally:
        await database.stop()


async def interruptible(reactor: Any, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """
    Await work that Ctrl-C cancels, so that it can clean up.

    @raise CommandFailed: if it was.
    """
    doing = ensureDeferred(work())
    with interrupts(reactor, doing.cancel):
        try:
            await doing
        except CancelledError:
            raise CommandFailed("Interrupted.") from None


@contextmanager
def interrupts(reactor: IReactorFromThreads, stop: Callable[[], None]) -> Iterator[None]:
    """
    Let the first Ctrl-C, or SIGTERM, call C{stop} in the reactor; another one ends the command as usual.

    To be used while the reactor runs, which has handlers of its own for these.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, action in before.items():
            signal.signal(number, action)

    def interrupted(number: int, frame: FrameType | None) -> None:
        restore()
        reactor.callFromThread(stop)

    for number in before:
        signal.signal(number, interrupted)
    try:
        yield
    finally:
        restore()
