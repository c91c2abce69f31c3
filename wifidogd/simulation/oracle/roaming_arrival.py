"""A device that has come to a gateway, and may go on there: what the answer must be, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from wifidogd.domain.sessions import AuthCode, Stage
from wifidogd.simulation.oracle.history import History
from wifidogd.simulation.oracle.roaming import LiveSession
from wifidogd.simulation.oracle.scenarios import ListedDevice

_NUMBERS = count(1)


class RoamingArrival:
    """
    The question of one device, from before it is asked until it is answered.

    Where the session begins with the answer, it is in the history from the beginning, under a name that stands in for
    the token, as the server may settle other reports before the answer arrives.
    """

    def __init__(self, history: History, device: ListedDevice, *, begins_at_once: bool) -> None:
        self._history = history
        self._device = device
        self._before = history.origins(device)
        self._stand_in = f"roaming-{next(_NUMBERS)}"
        self._number: int | None = None
        if begins_at_once:
            history.minted(device, self._stand_in, self._before.sessions)
            self._number = history.began(device, self._stand_in, Stage.LOGIN, None)

    def is_let_in(self, token: str) -> bool:
        """
        Record a yes.

        @return: False if no right server would have said so.
        """
        history, device, after = self._history, self._device, self._history.origins(self._device)
        origins = self._before.sessions | after.sessions
        if self._number is None:
            history.minted(device, token, origins)
        else:
            history.named(device, self._stand_in, token)
            history.heard(device, self._number, AuthCode.ALLOWED)
            if origins != self._before.sessions:
                history.give_up(device)
        return bool(origins) or not (self._before.is_known and after.is_known)

    def is_turned_away(self) -> bool:
        """
        Record a no.

        @return: False if a right server would have said yes.
        """
        self._withdraw()
        after = self._history.origins(self._device)
        if not (self._before.is_due and after.is_due):
            return True
        self._doubt(after.sessions)
        return False

    def unanswered(self, *, is_unsaid: bool) -> None:
        """
        Record that there is no answer.

        @param is_unsaid: whether the server has not heard the question.
        """
        self._withdraw()
        if not is_unsaid:
            self._doubt(self._before.sessions)

    def _withdraw(self) -> None:
        if self._number is not None:
            self._history.unsaid(self._device, self._number)
            self._history.withdrawn(self._device, self._stand_in)

    def _doubt(self, origins: Iterable[LiveSession]) -> None:
        """Record that a session may have begun whose token nobody knows."""
        if self._number is None:
            return
        self._history.give_up(self._device)
        for origin in origins:
            self._history.lost(origin.device, self._history.began(origin.device, origin.token, None))
