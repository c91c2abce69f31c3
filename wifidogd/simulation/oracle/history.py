"""
What was told to the server and what it acknowledged; pure.

Of a question without an answer nobody knows whether it was heard, and of two at once nobody knows which was first.
So the history keeps every scenario that is possible, and drops those that an answer rules out: what is left is what a
right server may have stored, nearly always one single scenario.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.simulation.oracle.expected import IN_USE, Event, ExpectedSession, ExpectedSessions, Phase, outcomes, swept

LAPSES_AFTER = 150.0
"""Seconds after which a token that no gateway has asked about may have lapsed; it is good for three minutes."""

MOST_SCENARIOS = 500
"""Courses kept for a device; where there are more the history gives up, rather than using up the memory."""


GOING_ON = (*IN_USE, Phase.PENDING)


class ListedDevice(NamedTuple):
    """A device at a gateway; what is stored is the sum of sessions there."""

    gw_id: str
    mac: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    One way that things may have gone.

    @ivar answered: what the server will answer to events under way that it has heard in this scenario.
    """

    sessions: ExpectedSessions
    answered: frozenset[tuple[int, AuthCode]] = frozenset()


@dataclass(slots=True)
class _DeviceHistory:
    """
    What the history has on one device.

    @ivar settled: sessions that are over and certain.
    @ivar late: log-outs that the server could not settle at once, and may at any time as long as their session goes on.
    @ivar forgotten: events that were under way when the gateway forgot the device, so that the server may hear of that
        after them.
    @ivar given_up: True once there were too many scenarios.
    """

    settled: list[ExpectedSession] = field(default_factory=list)
    scenarios: set[Scenario] = field(default_factory=lambda: {Scenario(())})
    under_way: dict[int, Event] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    forgotten: set[int] = field(default_factory=set)
    given_up: bool = False


class History:
    """
    What the server was told about each device, and what it acknowledged.

    @ivar tokens: how many were minted.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        """@param seconds: tells the time, as the server's clock runs."""
        self._seconds = seconds
        self._devices: dict[ListedDevice, _DeviceHistory] = {}
        self._minted_at: dict[str, float] = {}
        self._last_event = 0
        self.tokens = 0

    def minted(self, device: ListedDevice, token: str) -> None:
        """Record a token that the login page gave out."""
        self.tokens += 1
        self._minted_at[token] = self._seconds()
        known = self._devices.setdefault(device, _DeviceHistory())
        known.scenarios = {
            Scenario((*scenario.sessions, ExpectedSession(token)), scenario.answered) for scenario in known.scenarios
        }

    def began(self, device: ListedDevice, token: str, stage: Stage | None, totals: Octets | None = Octets()) -> int:
        """
        Note that the server is about to be told something.

        @param stage: None for the log-out button of the portal.
        @param totals: None if the server is not told any.
        @return: the number of this event.
        """
        self._last_event += 1
        minted_at = self._minted_at.get(token)
        may_have_lapsed = minted_at is not None and self._seconds() - minted_at > LAPSES_AFTER
        known = self._devices.setdefault(device, _DeviceHistory())
        known.under_way[self._last_event] = Event(token, stage, totals, may_have_lapsed)
        return self._last_event

    def heard(self, device: ListedDevice, number: int, answer: AuthCode = AuthCode.DENIED) -> bool:
        """
        Note an answer.

        @return: False if no right server would have given it; what it did is then unknown.
        """
        known = self._devices[device]
        scenarios = _unfolded(known)
        kept = {scenario for scenario in scenarios if (number, answer) in scenario.answered}
        is_right = bool(kept) or known.given_up
        self._conclude(known, number, kept or scenarios)
        return is_right

    def lost(self, device: ListedDevice, number: int) -> None:
        """
        Note that there was no answer, or that the server could not say: the event may have been heard or not.

        A log-out may also be heard later, as the server keeps it until it can settle it.
        """
        known = self._devices[device]
        if known.under_way[number].stage is Stage.LOGOUT:
            known.late.add(number)
            known.scenarios = _unfolded(known)
            self._let_go(known)
        else:
            self._conclude(known, number, _unfolded(known))

    def unsaid(self, device: ListedDevice, number: int) -> None:
        """Record that the server could not be reached, so that it has not heard of the event."""
        known = self._devices[device]
        self._conclude(known, number, known.scenarios)

    def forgotten(self, device: ListedDevice) -> None:
        """Record that a gateway has forgotten a device, so that the server may end its sessions unasked."""
        known = self._devices.get(device)
        if known is not None:
            known.forgotten |= known.under_way.keys()
            known.scenarios |= _swept(known.scenarios)

    def is_certain(self, device: ListedDevice) -> bool:
        """Return whether only one scenario is possible."""
        known = self._devices.get(device)
        return known is None or known.given_up or (len(known.scenarios) == 1 and not known.under_way)

    def is_online(self, device: ListedDevice, token: str) -> bool:
        """Return whether a session is online for certain."""
        known = self._devices.get(device)
        if known is None or known.under_way or known.given_up:
            return False
        phases = {
            session.phase for scenario in known.scenarios for session in scenario.sessions if session.token == token
        }
        return phases == {Phase.ONLINE}

    def accounts(self) -> Iterator[tuple[ListedDevice, list[ExpectedSessions]]]:
        """Yield each device with its sessions in each possible scenario; without scenarios if there were too many."""
        for device, known in self._devices.items():
            scenarios = {scenario.sessions for scenario in _unfolded(known)}
            yield device, [] if known.given_up else [(*known.settled, *sessions) for sessions in scenarios]

    def _conclude(self, known: _DeviceHistory, number: int, scenarios: set[Scenario]) -> None:
        """Take an event off those under way, and what is over and certain off the scenarios."""
        known.scenarios = _without(scenarios, number)
        del known.under_way[number]
        if number in known.forgotten:
            known.forgotten.discard(number)
            known.scenarios |= _swept(known.scenarios)
        self._let_go(known)

    def _let_go(self, known: _DeviceHistory) -> None:
        """Forget log-outs that can change nothing any more, and what is certain."""
        for number in [number for number in known.late if _is_over(known, known.under_way[number].token)]:
            known.late.discard(number)
            known.forgotten.discard(number)
            known.scenarios = _without(known.scenarios, number)
            del known.under_way[number]
        if len(known.scenarios) == 1 and not known.under_way:
            [scenario] = known.scenarios
            self._settle(known, scenario.sessions)

    def _settle(self, known: _DeviceHistory, sessions: ExpectedSessions) -> None:
        while sessions and sessions[0].phase in (Phase.ENDED, Phase.UNUSED):
            self._minted_at.pop(sessions[0].token, None)
            known.settled.append(sessions[0])
            sessions = sessions[1:]
        known.scenarios = {Scenario(sessions)}


def _without(scenarios: set[Scenario], number: int) -> set[Scenario]:
    """Drop what scenarios say of the answer to an event."""
    return {
        Scenario(scenario.sessions, frozenset(known for known in scenario.answered if known[0] != number))
        for scenario in scenarios
    }


def _swept(scenarios: set[Scenario]) -> set[Scenario]:
    """Return the scenarios after the server has ended what is in use."""
    return {Scenario(swept(scenario.sessions), scenario.answered) for scenario in scenarios}


def _is_over(known: _DeviceHistory, token: str) -> bool:
    """Return whether a session continues in no scenario."""
    sessions = (session for scenario in known.scenarios for session in scenario.sessions)
    return not any(session.token == token and session.phase in GOING_ON for session in sessions)


def _unfolded(known: _DeviceHistory) -> set[Scenario]:
    """Return the scenarios in which each event under way was heard or not, in every order."""
    scenarios = set(known.scenarios)
    fresh = list(scenarios)
    while fresh:
        scenario = fresh.pop()
        heard = {number for number, _ in scenario.answered}
        for number, event in known.under_way.items():
            if number in heard:
                continue
            for sessions, answer in outcomes(scenario.sessions, event):
                after = Scenario(sessions, scenario.answered | {(number, answer)})
                if after not in scenarios:
                    scenarios.add(after)
                    fresh.append(after)
        if len(scenarios) > MOST_SCENARIOS:
            known.given_up = True
            return {scenario}
    return scenarios
