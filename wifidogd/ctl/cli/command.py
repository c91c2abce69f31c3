"""What every command of wifidogctl works with, and the errors it can end with."""

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
    """Exit codes of wifidogctl."""

    DONE = 0
    REFUSED = 1
    WRONG_USAGE = 2
    UNREACHABLE = 3
    NOBODY_READS = 141
    """As a shell shows a program that SIGPIPE has ended."""


class CommandFailed(WifidogdError):
    """
    The command cannot be carried out; nothing was changed.

    The message is one sentence that says why, and what to do instead.
    """


class WrongUsage(WifidogdError):
    """
    The command line cannot be used.

    The message is one sentence that says what to type instead.
    """


class ICommandReactor(IReactorFromThreads, IReactorTCP, IReactorTime):
    """The interfaces of a reactor that commands need."""


@dataclass(frozen=True, slots=True)
class Command:
    """
    A command that is being run.

    @ivar arguments: from its parser.
    @ivar now: when it was started.
    """

    arguments: Namespace
    database: Database
    reactor: ICommandReactor
    now: datetime

    async def transaction(self, work: Callable[[Cursor], Awaitable[T]]) -> T:
        """Await C{work(cursor)} between BEGIN and COMMIT, as L{Database.transaction}."""
        return await self.database.transaction(work)
