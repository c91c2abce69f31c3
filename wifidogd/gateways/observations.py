"""
What reports show of the gateways that send them: their dialect, and which direction is which.

It is kept with the gateway, where operators and all processes read it, and is
written when it changes.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.reports.directions import agreed, is_exchanged, shown_by
from wifidogd.domain.sessions import Counters, Dialect, Report, Stage
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.gateway_dialects import Observation, save_observations

log = Logger()

MOST_GUESTS = 50
"""Of a gateway, whose packets are remembered; the latest."""

CHANGE_AGAIN = 600.0
"""Seconds until the dialect of a gateway may change again: each change makes all processes read the gateways anew."""


class Observations:
    """Hears the reports that were accepted, and tells how those to come are to be read."""

    def __init__(self, database: Database, registry: Registry, *, clock: IReactorTime) -> None:
        self._database = database
        self._registry = registry
        self._clock = clock
        self._log = RateLimitedLog(log, clock)
        self._votes: dict[str, dict[str, Counters]] = {}
        self._changed_at: dict[str, float] = {}
        self._unsaved: dict[str, Observation] = {}

    def direct(self, report: Report) -> Report:
        """Return a report that says whether its gateway means the opposite of what its counters were read as."""
        gateway = None if report.gw_id is None else self._registry.gateway(report.gw_id)
        if gateway is None or not is_exchanged(report, gateway.counters, gateway.counters_seen):
            return report
        return replace(report, is_exchanged=True)

    def hear(self, report: Report, gw_id: str) -> None:
        """
        Learn from a report that was accepted.

        @param gw_id: of the session it is about.
        """
        gateway = self._registry.gateway(gw_id)
        if gateway is None:
            return
        self._hear_dialect(gateway, report)
        vote = shown_by(report)
        if vote is not None:
            self._hear_vote(gateway, report.token, vote)

    def _hear_dialect(self, gateway: Gateway, report: Report) -> None:
        dialect = report.dialect
        if dialect is Dialect.WIFIDOG_NG_2 and report.stage is Stage.COUNTERS:
            dialect = Dialect.OTHER  # wifidog-ng 2.x has no counters: somebody else uses the same library
        # wifidog-ng 1.x does not say what it is when a guest signs in.
        is_known = gateway.dialect is not None and dialect is Dialect.OTHER and report.stage is not Stage.COUNTERS
        if dialect is gateway.dialect or is_known:
            return
        now = self._clock.seconds()
        if now - self._changed_at.get(gateway.gw_id, now - CHANGE_AGAIN) >= CHANGE_AGAIN:
            self._changed_at[gateway.gw_id] = now
            self._note(Observation(gateway.gw_id, dialect, None))

    def _hear_vote(self, gateway: Gateway, token: str, vote: Counters) -> None:
        votes = self._votes.setdefault(gateway.gw_id, {})
        votes.pop(token, None)
        votes[token] = vote
        if len(votes) > MOST_GUESTS:
            del votes[next(iter(votes))]
        seen = agreed(votes.values())
        if seen is None:
            return
        if seen is not gateway.counters_seen:
            self._note(Observation(gateway.gw_id, None, seen))
        if gateway.counters not in (Counters.AUTO, seen):
            self._log.warn(
                "what guests of {gw_id} send and receive looks exchanged: if so, `wifidogctl gateway adopt {gw_id} "
                "--counters {seen}`",
                gw_id=gateway.gw_id,
                seen=seen.value,
            )

    def _note(self, news: Observation) -> None:
        known = self._unsaved.get(news.gw_id, news)
        self._unsaved[news.gw_id] = Observation(
            news.gw_id, news.dialect or known.dialect, news.counters_seen or known.counters_seen
        )

    async def flush(self) -> None:
        """
        Write what was learnt since the last time, and forget gateways that are not adopted any more.

        @raise StoreError: as L{Database.transaction}; what was learnt is kept.
        """
        unsaved, self._unsaved = self._unsaved, {}
        for known in (self._votes, self._changed_at):
            for gw_id in [gw_id for gw_id in known if self._registry.gateway(gw_id) is None]:
                del known[gw_id]
        if not unsaved:
            return
        try:
            await self._database.transaction(lambda cursor: save_observations(cursor, list(unsaved.values())))
        except Exception:
            for news in unsaved.values():
                self._unsaved.setdefault(news.gw_id, news)
            raise
