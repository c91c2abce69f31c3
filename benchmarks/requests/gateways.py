"""What the reference gateway sends, byte by byte, and the guests whose tokens it names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.testbed.testbed import PREFIX

AGENT = "WiFiDog 1.3.0"

FIRST_MAC = 0x02AB_0000_0000
"""Of guest 0, as a number."""


def request(target: str) -> bytes:
    """Ask as wifidog-gateway 1.3.0 does: HTTP/1.0, two headers, a connection for each request."""
    return f"GET {PREFIX}{target} HTTP/1.0\r\nUser-Agent: {AGENT}\r\nHost: 127.0.0.1\r\n\r\n".encode()


def token(guest: int) -> str:
    """Return the token of a guest: 32 hexadecimal digits, as wifidog-auth's tokens had."""
    return hashlib.md5(b"guest %d" % guest, usedforsecurity=False).hexdigest()


def mac(guest: int) -> str:
    """Return the MAC of a guest's device."""
    digits = f"{FIRST_MAC + guest:012x}"
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def ip(guest: int) -> str:
    """Return a guest's address behind the gateway."""
    return f"10.{guest >> 16 & 255}.{guest >> 8 & 255}.{guest & 255}"


def gw_id(gateway: int) -> str:
    """Return the GatewayID of a gateway."""
    return f"gw-{gateway}"


@dataclass(frozen=True, slots=True)
class Counters:
    """
    C{stage=counters} for one guest after another, round and round, each time with greater totals.

    @ivar guests: how many there are, from 0 on.
    @ivar gateways: how many they are spread over: guest g is at gateway g modulo this.
    @ivar first: number of the first round, so that a later load goes on where one ended.
    """

    guests: int
    gateways: int
    first: int = 1

    def __iter__(self) -> Iterator[bytes]:
        parts = [self._parts(guest) for guest in range(self.guests)]
        round_ = self.first
        while True:
            totals = b"&incoming=%d&outgoing=%d" % (round_ * 1_234_567, round_ * 54_321)
            for before, after in parts:
                yield before + totals + after
            round_ += 1

    def _parts(self, guest: int) -> tuple[bytes, bytes]:
        whole = request(
            f"auth/?stage=counters&ip={ip(guest)}&mac={mac(guest)}&token={token(guest)}|"
            f"&gw_id={gw_id(guest % self.gateways)}"
        )
        before, _, after = whole.partition(b"|")
        return before, after


class Rounds:
    """Makes the counters of each load go on with greater totals than those of the one before."""

    def __init__(self, guests: int, gateways: int) -> None:
        self._guests = guests
        self._gateways = gateways
        self._first = 1

    def next(self) -> Counters:
        """Return the requests of the next load."""
        self._first += 1000
        return Counters(self._guests, self._gateways, self._first)


def ping(gateway: int, uptime: int = 3600) -> bytes:
    """Return the ping of a gateway."""
    return request(
        f"ping/?gw_id={gw_id(gateway)}&sys_uptime={uptime}&sys_memfree=22799576&sys_load=0.67&wifidog_uptime={uptime}"
    )


def report(stage: str, guest: int, gateways: int, incoming: int = 0, outgoing: int = 0) -> bytes:
    """Ask about one guest: C{stage} is login, counters or logout."""
    return request(
        f"auth/?stage={stage}&ip={ip(guest)}&mac={mac(guest)}&token={token(guest)}"
        f"&incoming={incoming}&outgoing={outgoing}&gw_id={gw_id(guest % gateways)}"
    )


@dataclass(frozen=True, slots=True)
class Sessions:
    """
    C{stage=login} for some guests, then C{stage=logout} for each of them, then the next ones, to the end.

    A logout comes L{block} requests after its login, which a smaller number at a time has answered by then.

    @ivar first: number of the first guest.
    @ivar guests: how many; all must be signed in and not yet online.
    """

    first: int
    guests: int
    gateways: int
    block: int = 250

    def __iter__(self) -> Iterator[bytes]:
        for begin in range(self.first, self.first + self.guests, self.block):
            block = range(begin, min(begin + self.block, self.first + self.guests))
            for guest in block:
                yield report("login", guest, self.gateways)
            for guest in block:
                yield report("logout", guest, self.gateways, 1_234_567, 54_321)


@dataclass(frozen=True, slots=True)
class LoginPages:
    """What phones ask for when the gateway has sent them to the login page: HTTP/1.1, one guest after another."""

    gateways: int
    first: int = 0

    def __iter__(self) -> Iterator[bytes]:
        guest = self.first
        while True:
            gateway = gw_id(guest % self.gateways)
            yield (
                f"GET {PREFIX}login/?gw_address=10.0.0.1&gw_port=2060&gw_id={gateway}&ip={ip(guest)}&mac={mac(guest)}"
                "&url=http%3A%2F%2Fexample.com%2F HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                "User-Agent: Mozilla/5.0\r\nAccept: text/html\r\nAccept-Language: en\r\nConnection: close\r\n\r\n"
            ).encode()
            guest += 1
