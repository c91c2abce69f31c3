"""What apfree-wifidog sends: one list of all clients of a gateway."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.requests.gateways import gw_id, ip, mac, token
from tests.support.testbed.testbed import PREFIX
from wifidogd.domain.sessions import Octets
from wifidogd.simulation.families.apfree import Apfree
from wifidogd.simulation.families.family import Line
from wifidogd.simulation.transport.wire import Server

_DOWN, _UP = 111_111_111_111, 222_222_222_222
"""Stand for the totals until a request is made up."""

_FIRST = 100_000_000_000
"""Before the first round; all totals have as many digits, so that the length of a request stays what it was."""


@dataclass(frozen=True, slots=True)
class ClientLists:
    """
    C{stage=counters_v2} for one gateway after another, round and round, each time with greater totals.

    @ivar guests: how many there are, from 0 on: guest g is at gateway g modulo L{gateways}.
    @ivar first: number of the first round, so that a later load goes on where one ended; 700,000 at most.
    """

    guests: int
    gateways: int
    first: int = 1

    def __iter__(self) -> Iterator[bytes]:
        requests = [self._request(gateway) for gateway in range(self.gateways)]
        round_ = self.first
        while True:
            down, up = b"%d" % (_FIRST + round_ * 1_234_567), b"%d" % (_FIRST + round_ * 54_321)
            for request in requests:
                yield request.replace(b"%d" % _DOWN, down).replace(b"%d" % _UP, up)
            round_ += 1

    def _request(self, gateway: int) -> bytes:
        guests = range(gateway, self.guests, self.gateways)
        lines = [Line(ip(guest), mac(guest), token(guest), Octets(_DOWN, _UP), guest) for guest in guests]
        return Apfree().report_list(Server("127.0.0.1", 80, PREFIX), gw_id(gateway), lines)
