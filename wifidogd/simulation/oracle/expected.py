"""
What a right server knows after each thing that gateways and guests tell it; pure.

Written from protocol.md and kept apart from L{wifidogd.domain.decisions}: who audits does their own sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from wifidogd.domain.sessions import AuthCode, Octets, Stage


class Phase(Enum):
    """
    How far a stay has come.

    C{ENDING} is online until its gateway next reports; C{UNUSED} is a token that lapsed before any gateway asked.
    """

    PENDING = "pending"
    ONLINE = "online"
    ENDING = "ending"
    ENDED = "ended"
    UNUSED = "unused"


IN_USE = (Phase.ONLINE, Phase.ENDING)

NO_OCTETS = Octets()


class Stay(NamedTuple):
    """
    What a token stands for.

    @ivar used: octets that belong to this stay.
    @ivar last: the totals last reported for it, or taken over from the stay that it replaced.
    """

    token: str
    phase: Phase = Phase.PENDING
    used: Octets = Octets()
    last: Octets = Octets()


Stays = tuple[Stay, ...]
"""All stays of one device at one gateway, in the order of their tokens."""


class Act(NamedTuple):
    """
    Something the server is told about a token.

    @ivar stage: None for a guest who presses the log-out button of the portal.
    @ivar may_have_lapsed: whether a token that nobody has used yet may be too old.
    """

    token: str
    stage: Stage | None
    totals: Octets = Octets()
    may_have_lapsed: bool = False


def grown(last: Octets, totals: Octets) -> Octets:
    """
    Say what was used between two reports.

    Totals that fell began at zero again, in both directions (protocol.md section 5).
    """
    if totals.incoming < last.incoming or totals.outgoing < last.outgoing:
        return totals
    return Octets(totals.incoming - last.incoming, totals.outgoing - last.outgoing)


def outcomes(stays: Stays, act: Act) -> Iterator[tuple[Stays, AuthCode]]:
    """
    List what a right server may make of an act: the stays afterwards, and its answer.

    More than one only where a token may have lapsed.  The answer to a log-out button counts as 0.
    """
    place = next((at for at, stay in enumerate(stays) if stay.token == act.token), None)
    stay = None if place is None else stays[place]
    if place is None or stay is None or stay.phase in (Phase.ENDED, Phase.UNUSED):
        yield stays, AuthCode.DENIED
        return
    if act.stage is None:
        phase = Phase.ENDING if stay.phase is Phase.ONLINE else stay.phase
        yield _with(stays, place, stay._replace(phase=phase)), AuthCode.DENIED
        return
    if stay.phase is Phase.PENDING:
        if act.may_have_lapsed:
            yield _with(stays, place, stay._replace(phase=Phase.UNUSED)), AuthCode.DENIED
        stays, stay = _replaced(stays, stay)
    stay = _taken(stay, act)
    yield _with(stays, place, stay), AuthCode.ALLOWED if stay.phase is Phase.ONLINE else AuthCode.DENIED


def swept(stays: Stays) -> Stays:
    """End what is in use, as a server does that hears no more of it."""
    return tuple(stay._replace(phase=Phase.ENDED) if stay.phase in IN_USE else stay for stay in stays)


def _replaced(stays: Stays, stay: Stay) -> tuple[Stays, Stay]:
    """Let a stay take the place of the one before, with its totals: the gateway counts on (protocol.md 0.12)."""
    last = next((rival.last for rival in stays if rival.phase in IN_USE), Octets())
    return swept(stays), stay._replace(phase=Phase.ONLINE, last=last)


def _taken(stay: Stay, act: Act) -> Stay:
    """Enter a report; at login a gateway always says 0, which is no news."""
    is_over = stay.phase is Phase.ENDING or act.stage is Stage.LOGOUT
    phase = Phase.ENDED if is_over else Phase.ONLINE
    if act.stage is Stage.LOGIN:
        return stay._replace(phase=phase)
    more = grown(stay.last, act.totals)
    used = Octets(stay.used.incoming + more.incoming, stay.used.outgoing + more.outgoing)
    return stay._replace(phase=phase, used=used, last=act.totals)


def _with(stays: Stays, place: int, stay: Stay) -> Stays:
    return (*stays[:place], stay, *stays[place + 1 :])
