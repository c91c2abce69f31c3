"""Which sessions a device may continue at another gateway, as far as anybody can know; pure (docs/protocol.md 8)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from wifidogd.simulation.oracle.expected import Phase
from wifidogd.simulation.oracle.scenarios import DeviceHistory, ListedDevice, unfolded


class LiveSession(NamedTuple):
    """A session of a device at a gateway that its next report may let go on."""

    device: ListedDevice
    token: str


class Origins(NamedTuple):
    """
    What a device could continue at a gateway where it has come to.

    @ivar sessions: that may be live at other gateways.
    @ivar is_due: whether the server must let the device go on: exactly one is live for certain.
    @ivar is_known: whether none but these may be.
    """

    sessions: frozenset[LiveSession]
    is_due: bool
    is_known: bool = True


def find_origins(device: ListedDevice, places: Mapping[ListedDevice, DeviceHistory]) -> Origins:
    """
    Return which sessions a device could continue at a gateway.

    @param places: all that is known of the device, by gateway.
    """
    live = {place: live_sessions(place, known) for place, known in places.items()}
    here = live.pop(device, set())
    found = frozenset().union(*live.values())
    is_known = not any(known.given_up for known in places.values())
    is_certain = all(is_live_for_certain(session, places[session.device]) for session in found)
    return Origins(found, is_known and not here and len(found) == 1 and is_certain, is_known)


def live_sessions(device: ListedDevice, known: DeviceHistory) -> set[LiveSession]:
    """Return the sessions of a device at a gateway that may be live."""
    return {
        LiveSession(device, session.token)
        for scenario in unfolded(known)
        for session in scenario.sessions
        if session.phase is Phase.ONLINE
    }


def is_live_for_certain(session: LiveSession, known: DeviceHistory, besides: Collection[int] = ()) -> bool:
    """
    Return whether a session is live whatever became of the events under way.

    @param besides: events that are left out of account.
    """
    phases = [
        [each.phase for each in scenario.sessions if each.token == session.token]
        for scenario in unfolded(known, besides)
    ]
    return not known.given_up and all(found == [Phase.ONLINE] for found in phases)
