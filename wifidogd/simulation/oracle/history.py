"""
What was told to the server and what it acknowledged; pure.

Of a question without an answer nobody knows whether it was heard, and of two at once nobody knows which was first.
So the history keeps every scenario that is possible, and drops those that an answer rules out: what is left is what a
right server may have stored, nearly always one single scenario.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.simulation.oracle.expected import Event, ExpectedSession, ExpectedSessions, Phase
from wifidogd.simulation.oracle.roaming import LiveSession, Origins, find_origins, is_live_for_certain
from wifidogd.simulation.oracle.scenarios import (
    DeviceHistory,
    ListedDevice,
    Scenario,
    all_swept,
    drop_session,
    is_over,
    possible_accounts,
    rename_session,
    settle,
    unfolded,
    without,
)

LAPSES_AFTER = 150.0
"""Seconds after which a token that no gateway has asked about may have lapsed; it is good for three minutes."""

KICKED_WITHIN = 10.0
"""Seconds after a session was to end in which a router may be told to throw its guest off."""


class History:
    """
    What the server was told about each device, and what it acknowledged.

    @ivar tokens: how many were minted.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        """@param seconds: tells the time, as the server's clock runs."""
        self._seconds = seconds
        self._devices: dict[ListedDevice, DeviceHistory] = {}
        self._minted_at: dict[str, float] = {}
        self._last_event = 0
        self._places: dict[str, list[ListedDevice]] = {}
        self._origins: dict[str, frozenset[LiveSession]] = {}
        self._departures: dict[int, list[tuple[ListedDevice, int]]] = {}
        self.tokens = 0

    def minted(self, device: ListedDevice, token: str, origins: Collection[LiveSession] = ()) -> None:
        """
        Record a token that the server gave out.

        @param origins: the sessions elsewhere of which it continues one, if it continues any.
        """
        self.tokens += 1
        if origins:
            self._origins[token] = frozenset(origins)
        self._minted_at[token] = self._seconds()
        known = self._known(device)
        known.ending_since = None
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
        known, number = self._known(device), self._last_event
        known.under_way[number] = Event(token, stage, totals, may_have_lapsed)
        if stage is None:
            known.asked_to_end = self._seconds()
        elif stage is not Stage.LOGOUT:
            self._begin_departures(number, token)
        return number

    def heard(self, device: ListedDevice, number: int, answer: AuthCode = AuthCode.DENIED) -> bool:
        """Record an answer; return False if no right server would have given it, and what it did is unknown."""
        known = self._devices[device]
        event = self._refreshed(known, number)
        scenarios = unfolded(known)
        kept = {scenario for scenario in scenarios if (number, answer) in scenario.answered}
        is_right = bool(kept) or known.given_up
        self._conclude(known, number, kept or scenarios)
        if event.stage is None and known.ending_since is None:
            known.ending_since = self._seconds()
        self._conclude_departures(number, event.token, self.heard if answer is not AuthCode.DENIED else self.unsaid)
        return is_right

    def lost(self, device: ListedDevice, number: int) -> None:
        """
        Record that there was no answer, or "cannot say", so that the event may have been heard or not.

        A log-out may also be heard later, as the server keeps it until it can settle it.
        """
        known = self._devices[device]
        event = self._refreshed(known, number)
        if event.stage is Stage.LOGOUT:
            known.late.add(number)
            known.scenarios = unfolded(known)
            self._let_go(known)
        else:
            self._conclude(known, number, unfolded(known))
        self._conclude_departures(number, event.token, self.lost)

    def unsaid(self, device: ListedDevice, number: int) -> None:
        """Record that the server could not be reached, so that it has not heard of the event."""
        known = self._devices[device]
        event = known.under_way[number]
        self._conclude(known, number, known.scenarios)
        self._conclude_departures(number, event.token, self.unsaid)

    def forgotten(self, device: ListedDevice) -> None:
        """Record that a gateway has forgotten a device, so that the server may end its sessions unasked."""
        known = self._devices.get(device)
        if known is not None:
            known.forgotten |= known.under_way.keys()
            known.scenarios |= all_swept(known.scenarios)

    def origins(self, device: ListedDevice) -> Origins:
        """Return which sessions at other gateways a device could continue at this one."""
        return find_origins(device, {place: self._devices[place] for place in self._places.get(device.mac, ())})

    def named(self, device: ListedDevice, stand_in: str, token: str) -> None:
        """Record the token of a session that began before anybody was told it."""
        rename_session(self._devices[device], stand_in, token)
        if stand_in in self._origins:
            self._origins[token] = self._origins.pop(stand_in)

    def withdrawn(self, device: ListedDevice, token: str) -> None:
        """Record that there is no session by a token."""
        drop_session(self._devices[device], token)
        self._drop(token)

    def unreported(self, device: ListedDevice) -> None:
        """Record that a gateway reports no device, so that the server ends unasked what is to end."""
        self._known(device).is_unreported = True

    def give_up(self, device: ListedDevice) -> None:
        """Stop keeping track of a device at a gateway, because something happened that no answer told of."""
        self._devices[device].given_up = True

    def kicked(self, device: ListedDevice) -> bool:
        """
        Record that the server had a device thrown off, so that it ends the session unasked.

        @return: False if no right server would have done so.
        """
        known = self._known(device)
        phases = {session.phase for scenario in unfolded(known) for session in scenario.sessions}
        was_asked = self._seconds() - known.asked_to_end <= KICKED_WITHIN
        self.forgotten(device)
        return was_asked or known.given_up or Phase.ENDING in phases

    def stop_waiting(self, device: ListedDevice) -> float | None:
        """Return for how many seconds the server has known that a session is to end, and forget it; None if none is."""
        known = self._devices.get(device)
        if known is None or known.ending_since is None:
            return None
        since, known.ending_since = known.ending_since, None
        return self._seconds() - since

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
            yield device, possible_accounts(known)

    def _known(self, device: ListedDevice) -> DeviceHistory:
        if device not in self._devices:
            self._devices[device] = DeviceHistory()
            self._places.setdefault(device.mac, []).append(device)
        return self._devices[device]

    def _begin_departures(self, number: int, token: str) -> None:
        """Ask the sessions that a token may continue to end, as the report that begins it does."""
        for origin in self._origins.get(token, ()):
            departure = self.began(origin.device, origin.token, None)
            self._departures.setdefault(number, []).append((origin.device, departure))

    def _conclude_departures(self, number: int, token: str, conclude: Callable[[ListedDevice, int], object]) -> None:
        departures = self._departures.pop(number, [])
        is_begun = conclude == self.heard
        if is_begun:
            self._origins.pop(token, None)
        for device, departure in departures:
            # Of several nobody knows which it was.
            (self.lost if is_begun and len(departures) > 1 else conclude)(device, departure)

    def _refreshed(self, known: DeviceHistory, number: int) -> Event:
        """Return an event that is concluded; one on a token whose origin may be over may have been refused."""
        event = known.under_way[number]
        if event.token in self._origins and (event.stage is Stage.LOGOUT or self._may_be_orphan(number, event.token)):
            event = known.under_way[number] = event._replace(may_have_lapsed=True)
        return event

    def _may_be_orphan(self, number: int, token: str) -> bool:
        besides = {departure for _, departure in self._departures.get(number, ())}
        origins = self._origins[token]
        return not all(is_live_for_certain(each, self._devices[each.device], besides) for each in origins)

    def _conclude(self, known: DeviceHistory, number: int, scenarios: set[Scenario]) -> None:
        """Take an event off those under way, and what is over and certain off the scenarios."""
        known.scenarios = without(scenarios, number)
        del known.under_way[number]
        if number in known.forgotten:
            known.forgotten.discard(number)
            known.scenarios |= all_swept(known.scenarios)
        self._let_go(known)

    def _let_go(self, known: DeviceHistory) -> None:
        """Forget log-outs that can change nothing any more, and what is certain."""
        for number in [number for number in known.late if is_over(known, known.under_way[number].token)]:
            known.late.discard(number)
            known.forgotten.discard(number)
            known.scenarios = without(known.scenarios, number)
            del known.under_way[number]
        for token in settle(known):
            self._drop(token)

    def _drop(self, token: str) -> None:
        self._minted_at.pop(token, None)
        self._origins.pop(token, None)
