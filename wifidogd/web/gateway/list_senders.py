"""Who may send a list of clients that is longer than a form, told before it is read."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from wifidogd.gateways.registry import Registry
from wifidogd.web.gateway import apfree_v2
from wifidogd.web.server.large_bodies import Standing
from wifidogd.web.server.query import read_query

MOST_SOURCES = 20_000
"""Addresses that are remembered; the latest."""

KNOWN_FOR = 900.0
"""Seconds for which an address is known from the last ping or report of an adopted gateway."""

_STAGES = (apfree_v2.STAGE, "counters")


class ListSenders:
    """Knows the keys of gateways, and the addresses that they have called from."""

    def __init__(self, registry: Registry, *, clock: IReactorTime) -> None:
        self._registry = registry
        self._clock = clock
        self._heard_at: dict[str, float] = {}

    def hear(self, source: str) -> None:
        """Remember the address of an adopted gateway, which has sent its key if it has one."""
        self._heard_at.pop(source, None)
        self._heard_at[source] = self._clock.seconds()
        if len(self._heard_at) > MOST_SOURCES:
            del self._heard_at[next(iter(self._heard_at))]

    def standing(self, path: list[bytes], query: bytes, source: str) -> Standing | None:
        """Return the standing of a sender; see L{wifidogd.web.server.large_bodies.FindStanding}."""
        fields = read_query(query)
        if path[:1] != [b"auth"] or len(path) > 2 or fields.get("stage") not in _STAGES:
            return None
        key = path[1].decode("utf-8", "replace") if len(path) == 2 else fields.get("k")
        if key is not None and self._registry.knows_key(key):
            return Standing.PROVEN
        heard_at = self._heard_at.get(source)
        return Standing.KNOWN if heard_at is not None and self._clock.seconds() - heard_at < KNOWN_FOR else None
