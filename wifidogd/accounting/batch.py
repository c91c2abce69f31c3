"""Folds a batch of reports, in order of arrival, into the sessions they are about; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from wifidogd.domain.decisions import Decision, Refusal, decide, end_replaced, place_of, refuse, takes_place
from wifidogd.domain.quotas import Amount, Verdict, is_slotted
from wifidogd.domain.sessions import Ended, Octets, Place, Reason, Report, Session
from wifidogd.domain.usage import AllowanceUsage, drawn_between

NO_USAGE: Mapping[int, AllowanceUsage] = {}
NO_RESTARTS: Mapping[str, datetime] = {}


class ReportBatch:
    """
    The working state of one batch, between reading it from the store and writing it back.

    @ivar ended: sessions that ended, as they stood then.
    @ivar verdicts: by token hash, which limit of an allowance ended a session.
    @ivar displaced: token hashes of sessions that ended for devices that came later.
    @ivar left: token hashes of sessions that go on at another gateway, so that their next report ends them.
    @ivar drawn: by allowance_id, what was used of those whose plans limit use by day or span.
    """

    def __init__(
        self,
        sessions: Mapping[bytes, Session],
        online: Iterable[Session],
        may_ask: Callable[[str, str | None], bool],
        usage: Mapping[int, AllowanceUsage] = NO_USAGE,
        restarts: Mapping[str, datetime] = NO_RESTARTS,
    ) -> None:
        """
        @param sessions: the open sessions that the batch's tokens name, by token hash.
        @param online: live sessions that a report of the batch may replace.
        @param may_ask: returns whether a gateway, by gw_id, is adopted and a key is good for it.
        @param usage: of the allowances of all these sessions, by allowance_id.
        @param restarts: when gateways whose totals fell last restarted, as their pings show, by gw_id.
        """
        self._open = {session.token_hash: session for session in online} | dict(sessions)
        self._known_places: dict[Place, bytes] | None = None
        self._may_ask = may_ask
        self._changed: set[bytes] = set()
        self._usage_before = usage
        self._restarts = restarts
        self._usage = dict(usage)
        self.ended: list[Ended] = []
        self.verdicts: dict[bytes, Verdict] = {}
        self.displaced: set[bytes] = set()
        self.left: list[bytes] = []
        self.drawn: dict[int, Amount] = {}

    @property
    def changed(self) -> list[Session]:
        """The sessions that were reported and continue, in the order of their token hashes."""
        return [self._open[token_hash] for token_hash in sorted(self._changed)]

    @property
    def begun(self) -> list[int]:
        """The allowances that were used for the first time."""
        return [
            allowance_id
            for allowance_id, usage in self._usage.items()
            if usage.allowance.first_used_at != self._usage_before[allowance_id].allowance.first_used_at
        ]

    def usage_of(self, session: Session) -> AllowanceUsage | None:
        """Return the usage of a session's allowance after the reports so far; None if it has none."""
        return None if session.allowance_id is None else self._usage.get(session.allowance_id)

    def enter(self, token_hash: bytes, report: Report, now: datetime) -> Decision:
        """Judge the next report of the batch and record what it changes."""
        session = self._open.get(token_hash)
        gw_id = report.gw_id or (session.gw_id if session is not None else None)
        if gw_id is not None and not self._may_ask(gw_id, report.key):
            return refuse(Refusal.GATEWAY_NOT_ADOPTED)
        if session is not None and self._has_lost_origin(session):
            return refuse(Refusal.ORIGIN_ENDED)
        rival = self._rival(session, report)
        usage = None if session is None else self.usage_of(session)
        inherited = Octets() if rival is None else rival.last
        restarted_at = None if session is None else self._restarts.get(session.gw_id)
        decision = decide(session, report, now, inherited, usage, restarted_at=restarted_at)
        if session is not None and decision.session is not None:
            self._draw(session, decision)
            if rival is not None and decision.session.mac is not None:
                self._close(end_replaced(rival, now))
            self._note(decision, decision.session)
            if session.activated_at is None and decision.reason is None and session.roamed_from is not None:
                self._leave_behind(session.roamed_from)
        return decision

    def _has_lost_origin(self, session: Session) -> bool:
        """Return whether a session would continue another that has ended or is about to, and so must not begin."""
        if session.activated_at is not None or session.roamed_from is None:
            return False
        origin = self._open.get(session.roamed_from)
        return origin is None or origin.ending is not None

    def _leave_behind(self, token_hash: bytes) -> None:
        """Let the next report on a session end it, whose guest has come to another gateway."""
        self._open[token_hash] = replace(self._open[token_hash], ending=Reason.ROAMED)
        self.left.append(token_hash)

    def _rival(self, session: Session | None, report: Report) -> Session | None:
        """Return the live session that C{session} replaces with this report; None if there is none."""
        if session is None or not takes_place(session, report):
            return None
        place = place_of(session, report)
        token_hash = None if place is None else self._places.get(place)
        return None if token_hash is None else self._open[token_hash]

    @property
    def _places(self) -> dict[Place, bytes]:
        """The token hash of the session in each place; looked for only once a report takes one, which few do."""
        if self._known_places is None:
            found = ((place_of(session), token_hash) for token_hash, session in self._open.items())
            self._known_places = {place: token_hash for place, token_hash in found if place is not None}
        return self._known_places

    def _draw(self, before: Session, decision: Decision) -> None:
        """Add the usage in a report to its allowance."""
        session, usage = decision.session, decision.tally
        if session is None or usage is None:
            return
        allowance = usage.allowance
        self._usage[allowance.allowance_id] = usage
        if decision.verdict is not None:
            self.verdicts[session.token_hash] = decision.verdict
        if decision.reason is Reason.REPLACED:
            self.displaced.add(session.token_hash)
        drawn = drawn_between(before, session)
        if is_slotted(allowance.plan) and drawn != Amount():
            self.drawn[allowance.allowance_id] = self.drawn.get(allowance.allowance_id, Amount()) + drawn

    def _note(self, decision: Decision, session: Session) -> None:
        if decision.reason is not None and decision.ended_at is not None:
            self._close(Ended(session, decision.ended_at, decision.reason))
            return
        before = self._open[session.token_hash]
        self._open[session.token_hash] = session
        self._changed.add(session.token_hash)
        if self._known_places is not None and (place := place_of(session)) is not None:
            self._leave(before)
            self._known_places[place] = session.token_hash

    def _close(self, ended: Ended) -> None:
        session = ended.session
        self._leave(self._open.pop(session.token_hash))
        self._changed.discard(session.token_hash)
        usage = self.usage_of(session)
        if usage is not None:
            self._usage[usage.allowance.allowance_id] = usage.leave(session)
        self.ended.append(ended)

    def _leave(self, session: Session) -> None:
        """Make the place free where a session was before a report."""
        places, place = self._known_places, place_of(session)
        if places is not None and place is not None and places.get(place) == session.token_hash:
            del places[place]
