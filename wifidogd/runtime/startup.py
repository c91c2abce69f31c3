"""A service whose start takes time and may turn out to be impossible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from wifidogd.domain.errors import ConfigurationError

log = Logger()

Tell = Callable[[str], None]


def say_why_not(problem: str) -> None:
    """Tell the operator in one sentence what is wrong."""
    log.critical("wifidogd cannot start: {problem}", problem=problem)


class StartupService(Service):
    """
    Starts in the background; what cannot start stops the process and says why.

    @ivar has_failed: whether it could not start.
    """

    def __init__(self, reactor: Any, *, refuse: Tell = say_why_not) -> None:
        """
        @param refuse: told in one sentence what the operator can do something about.
        """
        self._reactor = reactor
        self.refuse = refuse
        self._starting: Deferred[None] | None = None
        self.has_failed = False

    async def begin(self) -> None:
        """
        Do what starting takes.

        @raise ConfigurationError: if it is impossible.
        @raise CannotListenError: if a port cannot be had.
        """
        raise NotImplementedError

    async def end(self) -> None:
        """Undo it, however far it has got; it may not have ended yet."""
        raise NotImplementedError

    def startService(self) -> None:
        """Begin to start."""
        super().startService()
        self._starting = ensureDeferred(self._start())

    def stopService(self) -> Deferred[None]:
        """Begin to stop; fires when that is done."""
        super().stopService()
        return ensureDeferred(self.end())

    def give_up_starting(self) -> None:
        """Let a start that still goes on end where it is."""
        if self._starting is not None:
            self._starting.cancel()

    def fail(self) -> None:
        """Stop the process, as the service is of no use."""
        self.has_failed = True
        self._reactor.callWhenRunning(self._reactor.stop)

    async def _start(self) -> None:
        try:
            await self.begin()
        except CancelledError:
            return
        except (ConfigurationError, CannotListenError) as problem:
            self.refuse(str(problem))
        except Exception:
            log.failure("wifidogd cannot start")
        else:
            return
        self.fail()
