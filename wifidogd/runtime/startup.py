"""A service whose start takes time and may turn out to be impossible."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from wifidogd.domain.errors import ConfigurationError

log = Logger()

Refuse = Callable[[str], None]


_HTTPS = 443

_WHY_NOT_LISTENING = {
    errno.EADDRINUSE: "another program listens there: stop it, or choose another port with --listen",
    errno.EACCES: (
        "only root may open ports below 1024: use the unit in docs/wifidogd.service, set "
        "net.ipv4.ip_unprivileged_port_start, or choose another port with --listen"
    ),
    errno.EADDRNOTAVAIL: "no interface of this machine has that address: correct --listen",
}
"""What the operator can do about a port that cannot be had."""


def log_refusal(problem: str) -> None:
    """Log in one sentence why the server cannot start."""
    log.critical("wifidogd cannot start: {problem}", problem=problem)


def why_not_listening(error: CannotListenError) -> str:
    """Return in one sentence why a port cannot be had, and what to do."""
    number = getattr(error.socketError, "errno", None)
    place = f"{error.interface} port {error.port}".strip() if isinstance(error.port, int) else str(error.port)
    instead = ", or leave out --https" if error.port == _HTTPS else ""
    return f"It cannot listen at {place}: {_WHY_NOT_LISTENING.get(number or 0, error.socketError)}{instead}."


class StartupService(MultiService):
    """
    Starts in the background; if it cannot start, it stops the process and logs why.

    Unlike other services with children it does not start and stop them by
    itself: L{begin} and L{end} do, in their order.

    @ivar has_failed: whether it could not start.
    @ivar problem: why not.
    """

    def __init__(self, reactor: Any, *, refuse: Refuse = log_refusal) -> None:
        """
        @param refuse: called with one sentence about what the operator can mend.
        """
        super().__init__()
        self._reactor = reactor
        self._refuse = refuse
        self.problem = "a mistake of ours; the log has the details"
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

    def refuse(self, problem: str) -> None:
        """Tell the operator in one sentence why the service cannot start."""
        self.problem = problem
        self._refuse(problem)

    def exit_with_status(self) -> None:
        """
        End the process with status 1, and the reason as the last line, if the service could not start.

        To be called when everything else is done: twistd itself ends with 0.
        """
        if self.has_failed:
            print(f"wifidogd cannot start: {self.problem}", file=sys.__stderr__, flush=True)
            os._exit(1)

    def fail(self) -> None:
        """Stop the process, since the service is of no use."""
        self.has_failed = True
        self._reactor.callWhenRunning(self._reactor.stop)

    async def _start(self) -> None:
        try:
            await self.begin()
        except CancelledError:
            return
        except CannotListenError as problem:
            self.refuse(why_not_listening(problem))
        except ConfigurationError as problem:
            self.refuse(str(problem))
        except Exception:
            log.failure("wifidogd cannot start")
        else:
            return
        self.fail()
