"""
The courses that things may have taken, and how one event more may go; pure.

Of a question without an answer nobody knows whether it was heard, and of two at once nobody knows which was first: so
there may be several.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from wifidogd.domain.sessions import AuthCode
from wifidogd.simulation.oracle.expected import IN_USE, Event, ExpectedSession, ExpectedSessions, Phase, outcomes, swept

MOST_SCENARIOS = 20_000
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
class DeviceHistory:
    """
    What the history has on one device.

    @ivar settled: sessions that are over and certain.
    @ivar late: log-outs that the server could not settle at once, and may at any time as long as their session goes on.
    @ivar forgotten: events that were under way when the gateway forgot the device, so that the server may hear of that
        after them.
    @ivar given_up: True once there were too many scenarios, or something happened that no answer told of.
    @ivar is_unreported: whether the gateway never reports the device.
    @ivar asked_to_end: when the server was last asked to end one of the sessions.
    @ivar ending_since: when it acknowledged that, for the session that is about to end; None for none.
    """

    settled: list[ExpectedSession] = field(default_factory=list)
    scenarios: set[Scenario] = field(default_factory=lambda: {Scenario(())})
    under_way: dict[int, Event] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    forgotten: set[int] = field(default_factory=set)
    given_up: bool = False
    is_unreported: bool = False
    asked_to_end: float = float("-inf")
    ending_since: float | None = None


def without(scenarios: set[Scenario], number: int) -> set[Scenario]:
    """Drop what scenarios say of the answer to an event."""
    return {
        Scenario(scenario.sessions, frozenset(known for known in scenario.answered if known[0] != number))
        for scenario in scenarios
    }


def all_swept(scenarios: set[Scenario]) -> set[Scenario]:
    """Return the scenarios after the server has ended what is in use."""
    return {Scenario(swept(scenario.sessions), scenario.answered) for scenario in scenarios}


def rename_session(known: DeviceHistory, before: str, after: str) -> None:
    """Give a session another token in all scenarios and events under way."""
    known.scenarios = {
        Scenario(
            tuple(each._replace(token=after) if each.token == before else each for each in scenario.sessions),
            scenario.answered,
        )
        for scenario in known.scenarios
    }
    known.under_way = {
        number: event._replace(token=after) if event.token == before else event
        for number, event in known.under_way.items()
    }


def drop_session(known: DeviceHistory, token: str) -> None:
    """Take a session out of all scenarios."""
    known.scenarios = {
        Scenario(tuple(each for each in scenario.sessions if each.token != token), scenario.answered)
        for scenario in known.scenarios
    }


def settle(known: DeviceHistory) -> list[str]:
    """
    Take off what is over and certain.

    @return: the tokens of the sessions that were.
    """
    if len(known.scenarios) != 1 or known.under_way:
        return []
    [scenario] = known.scenarios
    going_on = next((at for at, each in enumerate(scenario.sessions) if each.phase in GOING_ON), len(scenario.sessions))
    known.settled += scenario.sessions[:going_on]
    known.scenarios = {Scenario(scenario.sessions[going_on:])}
    return [session.token for session in scenario.sessions[:going_on]]


def possible_accounts(known: DeviceHistory) -> list[ExpectedSessions]:
    """Return the sessions of a device in each possible scenario; nothing if there were too many."""
    going_on = {scenario.sessions for scenario in unfolded(known)}
    if known.given_up:
        return []
    if known.is_unreported:
        going_on |= {_ended(sessions) for sessions in going_on}
    return [(*known.settled, *sessions) for sessions in going_on]


def _ended(sessions: ExpectedSessions) -> ExpectedSessions:
    """End what is to end, as the server does in time without a report."""
    return tuple(
        session._replace(phase=Phase.ENDED) if session.phase is Phase.ENDING else session for session in sessions
    )


def is_over(known: DeviceHistory, token: str) -> bool:
    """Return whether a session continues in no scenario."""
    sessions = (session for scenario in known.scenarios for session in scenario.sessions)
    return not any(session.token == token and session.phase in GOING_ON for session in sessions)


def unfolded(known: DeviceHistory, besides: Collection[int] = ()) -> set[Scenario]:
    """
    Return the scenarios in which each event under way was heard or not, in every order.

    @param besides: events that are left out.
    """
    scenarios = set(known.scenarios)
    fresh = list(scenarios)
    while fresh:
        scenario = fresh.pop()
        heard = {number for number, _ in scenario.answered}
        for number, event in known.under_way.items():
            if number in heard or number in besides:
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
