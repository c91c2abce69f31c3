"""A service whose start takes time and may turn out to be impossible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from wifidogd.domain.errors import ConfigurationError

log = Logger()

Refuse = Callable[[str], None]


def log_refusal(problem: str) -> None:
    """Log in one sentence why the server cannot start."""
    log.critical("wifidogd cannot start: {problem}", problem=problem)


class StartupService(MultiService):
    """
    Starts in the background; if it cannot start, it stops the process and logs why.

    Unlike other services with children it does not start and stop them by
    itself: L{begin} and L{end} do, in their order.

    @ivar has_failed: whether it could not start.
    """

    def __init__(self, reactor: Any, *, refuse: Refuse = log_refusal) -> None:
        """
        @param refuse: called with one sentence about what the operator can mend.
        """
        super().__init__()
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
        """Undo it, however far it has got; it may be going on still."""
        raise NotImplementedError

    def startService(self) -> None:
        """Begin to start."""
        Service.startService(self)
        self._starting = ensureDeferred(self._start())

    def stopService(self) -> Deferred[None]:
        """Begin to stop; the result fires when that is done."""
        Service.stopService(self)
        return ensureDeferred(self.end())

    def give_up_starting(self) -> None:
        """Cancel a start that is still going on."""
        if self._starting is not None:
            self._starting.cancel()

    def fail(self) -> None:
        """Stop the process, since the service is of no use."""
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
