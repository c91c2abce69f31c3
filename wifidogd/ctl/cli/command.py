"""What every command of wifidogctl works with, and how it says no."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import TypeVar

from twisted.internet.interfaces import IReactorFromThreads, IReactorTCP, IReactorTime

from wifidogd.domain.errors import WifidogdError
from wifidogd.store.driver.database import Cursor, Database

T = TypeVar("T")


class ExitCode(IntEnum):
    """What scripts can tell from how wifidogctl ended."""

    DONE = 0
    REFUSED = 1
    WRONG_USAGE = 2
    UNREACHABLE = 3


class CommandFailed(WifidogdError):
    """
    What the operator asked for cannot be: nothing was changed.

    The message is one sentence that says why, and what to do instead.
    """


class WrongUsage(WifidogdError):
    """
    What the operator typed cannot be used.

    The message is one sentence that says what to type instead.
    """


class ICommandReactor(IReactorFromThreads, IReactorTCP, IReactorTime):
    """What commands need of a reactor."""


@dataclass(frozen=True, slots=True)
class Command:
    """
    One command on its way.

    @ivar arguments: as its parser left them.
    @ivar now: the moment at which it is done.
    """

    arguments: Namespace
    database: Database
    reactor: ICommandReactor
    now: datetime

    async def transaction(self, work: Callable[[Cursor], Awaitable[T]]) -> T:
        """Await C{work(cursor)} between BEGIN and COMMIT, as L{Database.transaction}."""
        return await self.database.transaction(work)
