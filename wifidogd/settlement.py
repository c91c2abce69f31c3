"""Fold a batch of reports, in order of arrival, into the sessions they name; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from wifidogd.model import Ended, Octets, Report, Session
from wifidogd.rules import Decision, Refusal, decide, end_replaced, refuse, takes_place


class Settlement:
    """
    The working state of one batch, between reading it from the store and writing it back.

    @ivar ended: sessions that ended, as they stood then.
    """

    def __init__(
        self,
        sessions: Mapping[bytes, Session],
        online: Iterable[Session],
        may_ask: Callable[[str, str | None], bool],
    ) -> None:
        """
        @param sessions: the open sessions that the batch's tokens name, by token hash.
        @param online: live sessions whose place a report of the batch may take.
        @param may_ask: tells whether a gateway, by gw_id, is adopted and a key is good for it.
        """
        self._open = {session.token_hash: session for session in online} | dict(sessions)
        self._online: dict[tuple[str, str | None], bytes] = {
            (session.gw_id, session.mac): session.token_hash
            for session in self._open.values()
            if session.mac is not None
        }
        self._may_ask = may_ask
        self._changed: set[bytes] = set()
        self.ended: list[Ended] = []

    @property
    def changed(self) -> list[Session]:
        """The sessions that were reported and go on."""
        return [self._open[token_hash] for token_hash in sorted(self._changed)]

    def enter(self, token_hash: bytes, report: Report, now: datetime) -> Decision:
        """Judge the next report of the batch and note what it changes."""
        session = self._open.get(token_hash)
        gw_id = report.gw_id or (session.gw_id if session is not None else None)
        if gw_id is not None and not self._may_ask(gw_id, report.key):
            return refuse(Refusal.GATEWAY_NOT_ADOPTED)
        rival = self._rival(session, report)
        decision = decide(session, report, now, Octets() if rival is None else rival.last)
        if decision.session is not None:
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
        self.ended.append(ended)
