"""An event that happens once."""

from __future__ import annotations

from twisted.internet.defer import Deferred


class OneShot:
    """
    Any number of callers may wait for it, before or after it comes; one that is cancelled does not affect the others.

    @ivar has_come: whether it has happened.
    """

    def __init__(self) -> None:
        self.has_come = False
        self._waiting: list[Deferred[None]] = []

    def come(self) -> None:
        """Resume all callers that wait; a second time changes nothing."""
        self.has_come = True
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.called:
                each.callback(None)

    async def wait(self) -> None:
        """Return when it has come."""
        if not self.has_come:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting
