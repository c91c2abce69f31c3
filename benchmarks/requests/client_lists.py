"""What apfree-wifidog sends: one list of all clients of a gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.requests.gateways import gw_id, ip, mac, token
from tests.support.testbed.testbed import PREFIX

_INCOMING, _OUTGOING = 11_111_111, 22_222_222
"""Stand for the totals until a request is made up."""


@dataclass(frozen=True, slots=True)
class ClientLists:
    """
    C{stage=counters_v2} for one gateway after another, round and round, each time with greater totals.

    @ivar guests: how many there are, from 0 on: guest g is at gateway g modulo L{gateways}.
    @ivar first: number of the first round, so that a later load goes on where one ended.
    """

    guests: int
    gateways: int
    first: int = 1

    def __iter__(self) -> Iterator[bytes]:
        bodies = [self._body(gateway) for gateway in range(self.gateways)]
        round_ = self.first
        while True:
            totals = (b"%d" % (round_ * 54_321), b"%d" % (round_ * 1_234_567))
            for body in bodies:
                yield _request(body.replace(b"%d" % _INCOMING, totals[0]).replace(b"%d" % _OUTGOING, totals[1]))
            round_ += 1

    def _body(self, gateway: int) -> bytes:
        clients = [_client(guest) for guest in range(gateway, self.guests, self.gateways)]
        listed = {"gw_id": gw_id(gateway), "gw_channel": "c", "clients": clients}
        return json.dumps({"device_id": f"device-{gateway}", "gateway": [listed]}).encode()


def _client(guest: int) -> dict[str, object]:
    rest = {"incoming_rate": 0, "outgoing_rate": 0, "incoming_packets": 9, "outgoing_packets": 9}
    sixth = {f"{name}_v6": 0 for name in ("incoming_bytes", "outgoing_bytes", *rest)}
    return {
        "id": guest,
        "ip": ip(guest),
        "ip6": "N/A",
        "mac": mac(guest),
        "token": token(guest),
        "name": "N/A",
        "incoming_bytes": _INCOMING,
        "outgoing_bytes": _OUTGOING,
        **rest,
        **sixth,
        "first_login": 1_796_041_255,
        "is_online": True,
        "wired": False,
    }


def _request(body: bytes) -> bytes:
    head = f"POST {PREFIX}auth/?stage=counters_v2 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    kind = f"User-Agent: ApFree-WiFiDog\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + kind).encode() + body
