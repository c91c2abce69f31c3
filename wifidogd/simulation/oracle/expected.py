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
    How far a session has come.

    C{ENDING} is online until its gateway next reports; C{UNUSED} is a token that lapsed before any gateway asked.
    """

    PENDING = "pending"
    ONLINE = "online"
    ENDING = "ending"
    ENDED = "ended"
    UNUSED = "unused"


IN_USE = (Phase.ONLINE, Phase.ENDING)

NO_OCTETS = Octets()


class ExpectedSession(NamedTuple):
    """
    What a token stands for.

    @ivar used: octets that belong to this session.
    @ivar last: the totals last reported for it, or taken over from the session that it replaced.
    @ivar doubtful: lower ones that came after these; None for none.
    """

    token: str
    phase: Phase = Phase.PENDING
    used: Octets = Octets()
    last: Octets = Octets()
    doubtful: Octets | None = None


ExpectedSessions = tuple[ExpectedSession, ...]
"""All sessions of one device at one gateway, in the order of their tokens."""


class Event(NamedTuple):
    """
    Something the server is told about a token.

    @ivar stage: None for a guest who presses the log-out button of the portal.
    @ivar totals: None from a gateway that does not say.
    @ivar may_have_lapsed: whether a token that nobody has used yet may be too old.
    """

    token: str
    stage: Stage | None
    totals: Octets | None = Octets()
    may_have_lapsed: bool = False


def grown(last: Octets, totals: Octets) -> Octets:
    """
    Say what was used between two reports.

    Totals that fell began at zero again, in both directions (docs/protocol.md 6.6).
    """
    if totals.incoming < last.incoming or totals.outgoing < last.outgoing:
        return totals
    return Octets(totals.incoming - last.incoming, totals.outgoing - last.outgoing)


def outcomes(sessions: ExpectedSessions, event: Event) -> Iterator[tuple[ExpectedSessions, AuthCode]]:
    """
    List what a right server may make of an event: the sessions afterwards, and its answer.

    More than one only where a token may have lapsed, or where pings may have told why totals fell.  The answer to a
    log-out button counts as 0.
    """
    index = next((at for at, session in enumerate(sessions) if session.token == event.token), None)
    session = None if index is None else sessions[index]
    if index is None or session is None or session.phase in (Phase.ENDED, Phase.UNUSED):
        yield sessions, AuthCode.DENIED
        return
    if event.stage is None:
        phase = Phase.ENDING if session.phase is Phase.ONLINE else session.phase
        yield _with(sessions, index, session._replace(phase=phase)), AuthCode.DENIED
        return
    if session.phase is Phase.PENDING:
        if event.may_have_lapsed:
            yield _with(sessions, index, session._replace(phase=Phase.UNUSED)), AuthCode.DENIED
        sessions, session = _replaced(sessions, session)
    for read in _taken(session, event):
        yield _with(sessions, index, read), AuthCode.ALLOWED if read.phase is Phase.ONLINE else AuthCode.DENIED


def swept(sessions: ExpectedSessions) -> ExpectedSessions:
    """End what is in use, as a server does that hears no more of it."""
    return tuple(session._replace(phase=Phase.ENDED) if session.phase in IN_USE else session for session in sessions)


def _replaced(sessions: ExpectedSessions, session: ExpectedSession) -> tuple[ExpectedSessions, ExpectedSession]:
    """Replace the session before by this one, with its totals: the gateway counts on (docs/protocol.md 6.6)."""
    last = next((rival.last for rival in sessions if rival.phase in IN_USE), Octets())
    return swept(sessions), session._replace(phase=Phase.ONLINE, last=last)


def _taken(session: ExpectedSession, event: Event) -> Iterator[ExpectedSession]:
    """Enter a report; at login a gateway always says 0 or nothing, which is no news."""
    is_over = session.phase is Phase.ENDING or event.stage is Stage.LOGOUT
    session = session._replace(phase=Phase.ENDED if is_over else Phase.ONLINE)
    if event.stage is Stage.LOGIN or event.totals is None:
        yield session
        return
    used = session.used + grown(session.last, event.totals)
    yield session._replace(used=used, last=event.totals, doubtful=None)
    if session.used != NO_OCTETS and _may_be_late(session, event.totals):
        yield session._replace(doubtful=event.totals)


def _may_be_late(session: ExpectedSession, totals: Octets) -> bool:
    """Return whether totals may be older than the last (docs/protocol.md 3.6)."""
    doubtful = session.doubtful
    goes_on = doubtful is not None and totals.incoming >= doubtful.incoming and totals.outgoing >= doubtful.outgoing
    is_near = all(
        count == last or last / 2 < count < last
        for count, last in ((totals.incoming, session.last.incoming), (totals.outgoing, session.last.outgoing))
    )
    return is_near and totals != session.last and not goes_on


def _with(sessions: ExpectedSessions, index: int, session: ExpectedSession) -> ExpectedSessions:
    return (*sessions[:index], session, *sessions[index + 1 :])
