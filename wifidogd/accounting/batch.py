"""Fold a batch of reports, in order of arrival, into the sessions they name; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from wifidogd.domain.decisions import Decision, Refusal, decide, end_replaced, refuse, takes_place
from wifidogd.domain.quotas import Amount, Verdict, is_slotted
from wifidogd.domain.sessions import Ended, Octets, Reason, Report, Session
from wifidogd.domain.usage import AllowanceUsage, drawn_between

NO_TALLIES: Mapping[int, AllowanceUsage] = {}


class ReportBatch:
    """
    The working state of one batch, between reading it from the store and writing it back.

    @ivar ended: sessions that ended, as they stood then.
    @ivar verdicts: by token hash, which limit of an allowance ended a session.
    @ivar displaced: token hashes of sessions that ended for devices that came later.
    @ivar drawn: by allowance_id, what was used of those whose plans ask when.
    """

    def __init__(
        self,
        sessions: Mapping[bytes, Session],
        online: Iterable[Session],
        may_ask: Callable[[str, str | None], bool],
        tallies: Mapping[int, AllowanceUsage] = NO_TALLIES,
    ) -> None:
        """
        @param sessions: the open sessions that the batch's tokens name, by token hash.
        @param online: live sessions whose place a report of the batch may take.
        @param may_ask: tells whether a gateway, by gw_id, is adopted and a key is good for it.
        @param tallies: of the allowances of all these sessions, by allowance_id.
        """
        self._open = {session.token_hash: session for session in online} | dict(sessions)
        self._online: dict[tuple[str, str | None], bytes] = {
            (session.gw_id, session.mac): session.token_hash
            for session in self._open.values()
            if session.mac is not None
        }
        self._may_ask = may_ask
        self._changed: set[bytes] = set()
        self._untouched = tallies
        self._tallies = dict(tallies)
        self.ended: list[Ended] = []
        self.verdicts: dict[bytes, Verdict] = {}
        self.displaced: set[bytes] = set()
        self.drawn: dict[int, Amount] = {}

    @property
    def changed(self) -> list[Session]:
        """The sessions that were reported and go on."""
        return [self._open[token_hash] for token_hash in sorted(self._changed)]

    @property
    def begun(self) -> list[int]:
        """The allowances that were used for the first time."""
        return [
            allowance_id
            for allowance_id, tally in self._tallies.items()
            if tally.allowance.first_used_at != self._untouched[allowance_id].allowance.first_used_at
        ]

    def tally_of(self, session: Session) -> AllowanceUsage | None:
        """Say what is known of a session's allowance after the reports so far; None if it has none."""
        return None if session.allowance_id is None else self._tallies.get(session.allowance_id)

    def enter(self, token_hash: bytes, report: Report, now: datetime) -> Decision:
        """Judge the next report of the batch and note what it changes."""
        session = self._open.get(token_hash)
        gw_id = report.gw_id or (session.gw_id if session is not None else None)
        if gw_id is not None and not self._may_ask(gw_id, report.key):
            return refuse(Refusal.GATEWAY_NOT_ADOPTED)
        rival = self._rival(session, report)
        tally = None if session is None else self.tally_of(session)
        decision = decide(session, report, now, Octets() if rival is None else rival.last, tally)
        if session is not None and decision.session is not None:
            self._draw(session, decision)
            if rival is not None and decision.session.mac is not None:
                self._close(end_replaced(rival, now))
            self._note(decision, decision.session)
        return decision

    def _rival(self, session: Session | None, report: Report) -> Session | None:
        """Find the live session whose place C{session} takes with this report."""
        if session is None or not takes_place(session, report):
            return None
        token_hash = self._online.get((session.gw_id, report.mac))
        return None if token_hash is None else self._open[token_hash]

    def _draw(self, before: Session, decision: Decision) -> None:
        """Keep account of what a report says was used of an allowance."""
        session, tally = decision.session, decision.tally
        if session is None or tally is None:
            return
        allowance = tally.allowance
        self._tallies[allowance.allowance_id] = tally
        if decision.verdict is not None:
            self.verdicts[session.token_hash] = decision.verdict
        if decision.reason is Reason.REPLACED:
            self.displaced.add(session.token_hash)
        drawn = drawn_between(before, session)
        if is_slotted(allowance.plan) and drawn != Amount():
            known = self.drawn.get(allowance.allowance_id, Amount())
            self.drawn[allowance.allowance_id] = Amount(known.time + drawn.time, known.octets + drawn.octets)

    def _note(self, decision: Decision, session: Session) -> None:
        if decision.reason is not None and decision.ended_at is not None:
            self._close(Ended(session, decision.ended_at, decision.reason))
            return
        self._open[session.token_hash] = session
        self._changed.add(session.token_hash)
        if session.mac is not None:
            self._online[session.gw_id, session.mac] = session.token_hash

    def _close(self, ended: Ended) -> None:
        session = ended.session
        del self._open[session.token_hash]
        self._changed.discard(session.token_hash)
        if self._online.get((session.gw_id, session.mac)) == session.token_hash:
            del self._online[session.gw_id, session.mac]
        tally = self.tally_of(session)
        if tally is not None:
            self._tallies[tally.allowance.allowance_id] = tally.leave(session)
        self.ended.append(ended)
