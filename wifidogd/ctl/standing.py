"""The database for commands that work whether or not the server runs, and whatever schema it has."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from twisted.internet.defer import CancelledError, ensureDeferred

from wifidogd.ctl.errand import NotDone
from wifidogd.ctl.interrupts import interrupts
from wifidogd.options import checked_data_dir
from wifidogd.store.cluster import Cluster, dsn_of, has_database, is_served
from wifidogd.store.database import Database


@asynccontextmanager
async def standing(reactor: Any, arguments: Namespace, *, new: bool = False) -> AsyncIterator[str]:
    """
    Provide the DSN of the database; its private PostgreSQL is started for as long if nobody has.

    @param new: whether to make a database where there is none.
    @raise NotDone: if there is none.
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
        raise NotDone(f"There is no database in {data_dir}: name another --data-dir or --database.")
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
    Await something that puts things in order when Ctrl-C ends it.

    @raise NotDone: if it was.
    """
    doing = ensureDeferred(work())
    with interrupts(reactor, doing.cancel):
        try:
            await doing
        except CancelledError:
            raise NotDone("Interrupted.") from None
