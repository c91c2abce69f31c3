"""Names of database hosts: found beside the reactor, in bounded time, and not forgotten when DNS fails."""

from __future__ import annotations

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from twisted.internet.task import Clock
from zope.interface import implementer

from tests.support.deadline import within
from wifidogd.store.driver.resolver import LOOK_UP_WITHIN, Resolver

SIX, FOUR = IPv6Address("TCP", "2001:db8::2", 0), IPv4Address("TCP", "192.0.2.2", 0)


@implementer(IHostnameResolver)
class ResolvingClock(Clock):
    """
    A reactor whose resolver answers when it is told to.

    @ivar asked: who waits for an answer, by name, in the order in which they asked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.nameResolver = self
        self.asked: list[tuple[str, IResolutionReceiver]] = []

    def resolveHostName(self, receiver: IResolutionReceiver, hostName: str, *rest: object) -> IHostResolution:
        """Remember the question."""
        self.asked.append((hostName, receiver))
        return receiver

    def answer(self, *addresses: object) -> None:
        """Answer the first question."""
        _, receiver = self.asked.pop(0)
        for address in addresses:
            receiver.addressResolved(address)
        receiver.resolutionComplete()


class Asking:
    """Someone who wants addresses, and what they have got; None until then."""

    def __init__(self, names: Resolver, host: str = "db") -> None:
        self.got: list[str] | None = None
        Deferred.fromCoroutine(names.addresses(host)).addCallback(self._take)

    def _take(self, addresses: list[str]) -> None:
        self.got = addresses


@pytest.fixture
def resolver():
    return ResolvingClock()


@pytest.fixture
def names(resolver):
    return Resolver(resolver)


@pytest.mark.parametrize("address", ["192.0.2.2", "2001:db8::2"])
def test_an_address_needs_no_resolver(resolver, names, address):
    """It is one already."""
    assert Asking(names, address).got == [address]
    assert resolver.asked == []


def test_a_name_has_its_addresses_in_order_and_once_each(resolver, names):
    """As the resolver has them, who tells one for each kind of socket."""
    asking = Asking(names)
    resolver.answer(SIX, SIX, FOUR)
    assert asking.got == ["2001:db8::2", "192.0.2.2"]
    assert resolver.getDelayedCalls() == []


def test_however_many_ask_a_name_is_looked_up_once_at_a_time(resolver, names):
    """All connections are lost at the same moment, and a look-up may hang in a thread of its own."""
    asking = [Asking(names) for _ in range(3)] + [Asking(names, "twin")]
    assert [host for host, _ in resolver.asked] == ["db", "twin"]
    resolver.answer(FOUR)
    assert [each.got for each in asking] == [["192.0.2.2"]] * 3 + [None]
    resolver.answer()
    again = Asking(names)
    assert [host for host, _ in resolver.asked] == ["db"]
    resolver.answer(SIX)
    assert again.got == ["2001:db8::2"]


def test_a_resolver_that_is_silent_is_not_waited_for(resolver, names):
    """What it finds at last is there for the next who asks."""
    asking = Asking(names)
    resolver.advance(LOOK_UP_WITHIN)
    assert asking.got == []
    later = Asking(names)
    assert len(resolver.asked) == 1
    resolver.answer(FOUR)
    assert later.got == ["192.0.2.2"]


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_name_that_cannot_be_looked_up_has_the_addresses_it_had(resolver, names, is_silent):
    """The DNS server may be down with the database's."""
    Asking(names)
    resolver.answer(FOUR)
    asking = Asking(names)
    if is_silent:
        resolver.advance(LOOK_UP_WITHIN)
    else:
        resolver.answer()
    assert asking.got == ["192.0.2.2"]


@ensureDeferred
async def test_the_reactors_resolver_knows_localhost():
    """The real one, in its thread."""
    assert "127.0.0.1" in await within(10, Resolver(reactor).addresses("localhost"))
