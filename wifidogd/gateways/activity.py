"""What adopted gateways do, kept in memory and written in one statement every few seconds."""

from __future__ import annotations

from datetime import datetime, timedelta

from twisted.internet.interfaces import IReactorTime

from wifidogd.domain.reports.activity import ActivityKind
from wifidogd.domain.sessions import UtcNow
from wifidogd.gateways.registry import Registry
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.activity import save_activity

SAVE_AGAIN = timedelta(minutes=10)
"""How long the same is not written again: a check-list needs to know that something works, not how often."""


class Activity:
    """What adopted gateways have just done; of each gateway one instant for each L{ActivityKind}."""

    def __init__(self, database: Database, registry: Registry, *, clock: IReactorTime, utc_now: UtcNow) -> None:
        self._database = database
        self._registry = registry
        self._clock = clock
        self._utc_now = utc_now
        self._noted: dict[str, dict[ActivityKind, float]] = {}
        self._unsaved: dict[tuple[str, ActivityKind], datetime] = {}

    def note(self, gw_id: str, kind: ActivityKind) -> None:
        """Keep that a gateway has just done something, unless that was kept not long ago or it is not adopted."""
        if self._registry.gateway(gw_id) is None:
            return
        noted, now = self._noted.setdefault(gw_id, {}), self._clock.seconds()
        if now - noted.get(kind, now - SAVE_AGAIN.total_seconds()) < SAVE_AGAIN.total_seconds():
            return
        noted[kind] = now
        self._unsaved[gw_id, kind] = self._utc_now()

    async def flush(self) -> None:
        """
        Write what came since the last time, and forget gateways that are not adopted any more.

        @raise StoreError: as L{Database.transaction}; what could not be written is kept for the next time.
        """
        for gw_id in [gw_id for gw_id in self._noted if self._registry.gateway(gw_id) is None]:
            del self._noted[gw_id]
        seen, self._unsaved = self._unsaved, {}
        if not seen:
            return
        try:
            await self._database.transaction(lambda cursor: save_activity(cursor, seen))
        except BaseException:
            self._unsaved = seen | self._unsaved
            raise
