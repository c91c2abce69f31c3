"""Names of database hosts: looked up in threads, and remembered for when that fails."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import (
    IAddress,
    IHostResolution,
    IResolutionReceiver,
)
from zope.interface import implementer

from wifidogd.store.driver.connection import IStoreReactor

LOOK_UP_WITHIN = 2.0
"""Seconds; the C library takes up to a minute to give up a DNS server that says nothing, in a thread of its own."""


class Resolver:
    """
    Looks names up; concurrent requests for a name share one look-up.

    Databases are looked for when something has failed, and the DNS server may
    have failed with it: then a name has the addresses that it had before.
    """

    def __init__(self, reactor: IStoreReactor) -> None:
        self._reactor = reactor
        self._callers: dict[str, list[Deferred[None]]] = {}
        self._known: dict[str, list[str]] = {}

    async def addresses(self, host: str) -> list[str]:
        """
        Return the addresses of a host, in the resolver's order; empty if there is none.

        @param host: a name, or an address.
        """
        if isIPAddress(host) or isIPv6Address(host):
            return [host]
        try:
            await self._look_up(host).addTimeout(LOOK_UP_WITHIN, self._reactor)
        except TimeoutError:
            pass  # it may be found by the time that somebody asks again
        return self._known.get(host, [])

    def _look_up(self, host: str) -> Deferred[None]:
        """@return: fires when a look-up is over that had not begun before, or not ended."""
        over: Deferred[None] = Deferred()
        callers = self._callers.setdefault(host, [])
        callers.append(over)
        if len(callers) == 1:
            self._reactor.nameResolver.resolveHostName(_Answers(partial(self._found, host)), host)
        return over

    def _found(self, host: str, addresses: list[str]) -> None:
        if addresses:
            self._known[host] = addresses
        for over in self._callers.pop(host):
            if not over.called:
                over.callback(None)


@implementer(IResolutionReceiver)
class _Answers:
    """Collects the addresses of one name, and fires with all of them, each once."""

    def __init__(self, tell: Callable[[list[str]], None]) -> None:
        self._tell = tell
        self._found: dict[str, None] = {}

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """The look-up has started."""

    def addressResolved(self, address: IAddress) -> None:
        """Remember one address."""
        self._found[address.host] = None  # type: ignore[attr-defined]

    def resolutionComplete(self) -> None:
        """No more are coming."""
        self._tell(list(self._found))
