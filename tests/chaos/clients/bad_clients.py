"""The ways in which clients are hostile or clumsy, each as what one of them sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.loads.bad_clients import PAGE

_LOGIN = PAGE.format(gw_id="gw-1").encode()
_GET = b"GET " + _LOGIN + b" HTTP/1.1\r\nHost: a\r\n"
_POST = b"POST /wifidog/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
_PING = b"GET /wifidog/ping?gw_id=gw-1 HTTP/1.1\r\nHost: a\r\n\r\n"
_REPORT = b"GET /wifidog/auth?stage=counters&token=no&gw_id=gw-1&incoming=1&outgoing=1 HTTP/1.1\r\nHost: a\r\n\r\n"
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
_FIELDS = b"&".join(b"%x" % number for number in range(10_000))
_CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(32))
"""The beginning of one: a record of 200 octets, of which 38 come."""


@dataclass(frozen=True, slots=True)
class BadClient:
    """
    A way to be a bad_clients.

    @ivar says: what a client sends at once.
    @ivar goes_on: what it sends again and again after that; empty for nothing.
    @ivar pause: seconds between two times.
    @ivar reads: whether it takes what it is sent.
    @ivar tls: whether it comes to the port where TLS is spoken.
    @ivar count: clients at a time.
    @ivar rate: a second that come at most, when others have been sent away.
    @ivar busy: percent of a core that the server may take for it; 101 for who asks for as much as they can get.
    @ivar is_kept_for_a_while: whether it sends requests, or may read slowly, so that it is not disconnected at once.
    """

    says: bytes = b""
    goes_on: bytes = b""
    pause: float = 0.25
    reads: bool = True
    tls: bool = False
    count: int = 120
    rate: float = 40.0
    busy: float = 20.0
    is_kept_for_a_while: bool = False

    @property
    def buffer(self) -> int | None:
        """Octets that its kernel keeps for it to read; None for what is usual."""
        return None if self.reads else 2048


TOO_SLOW = {
    "silent": BadClient(),
    "half a head": BadClient(b"GET /wifidog/ping/?gw_id=gw-1 HTTP/1.0\r\nUser-Agent: WiFi"),
    "half a body": BadClient(_POST + b"Content-Length: 200\r\n\r\nname=zo"),
    "trickled head": BadClient(b"GET /wifidog/ping?gw_id=gw-1 HTTP/1.1\r\nX: ", b"x"),
    "trickled body": BadClient(_POST + b"Content-Length: 60000\r\n\r\n", b"x"),
    "chunks without end": BadClient(_CHUNKED, b"1\r\nx\r\n", pause=0.05),
    "trailers without end": BadClient(_CHUNKED + b"0\r\n", b"X: y\r\n", pause=0.05),
    "expecting 100": BadClient(_POST + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"),
    "never reading": BadClient((_GET + b"\r\n") * 20, reads=False, rate=8, busy=60, is_kept_for_a_while=True),
}

TOO_MUCH = {
    "most of a body of 64 kB": BadClient(_POST + b"Content-Length: 65536\r\n\r\n" + b"x" * 65535, count=800),
    "head of 64 kB": BadClient(_GET + b"X: " + b"x" * 65536 + b"\r\n\r\n"),
    "head of 64 kB in lines": BadClient(_GET + (b"X: " + b"x" * 61 + b"\r\n") * 1024 + b"\r\n"),
    "body of 1 MB": BadClient(_POST + b"Content-Length: 1048576\r\n\r\n" + b"x" * 1048576),
    "1 MB nobody asked for": BadClient(_GET + b"\r\n" + b"x" * 1048576, busy=40),
    "thousands of parameters": BadClient(b"GET " + _LOGIN + b"&" + _FIELDS[:15_000] + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    "10,000 fields": BadClient(_POST + b"Content-Length: %d\r\n\r\n" % len(_FIELDS) + _FIELDS),
    "chunks of one octet": BadClient(_CHUNKED + b"1\r\nx\r\n" * 80_000, rate=10, busy=40),
    "a chunk of any size": BadClient(_CHUNKED + b"f" * 1000 + b"\r\n" + b"x" * 1000),
}

NOT_HTTP = {
    "NUL": BadClient(b"GET /wifidog/\0?\0=\0 HTTP/1.1\r\nHost: \0\r\n\r\n"),
    "%00 and no UTF-8": BadClient(
        b"GET /wifidog/login%00/%ff?gw_id=%00&mac=%ff&url=http://%00\xa0&lang=\xa0 HTTP/1.1\r\nHost: \xff\xfe\r\n"
        b"Cookie: device-\xff=\xff\r\nUser-Agent: \xff\x1b[2J\r\nAccept-Language: \xff\r\n\r\n"
    ),
    "absurd method": BadClient(b"\x1b[2J / HTTP/1.1\r\n\r\n"),
    "absurd version": BadClient(b"GET / HTTP/99999999999.1\r\n\r\n"),
    "upgrading": BadClient(b"GET /wifidog/ping HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
    "keeping 1.0 alive": BadClient(b"GET /wifidog/ping?gw_id=gw-1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
    "keeping alive by empty lines": BadClient(_PING, b"\r\n"),
    "another protocol": BadClient(b"SSH-2.0-OpenSSH_9.2\r\n" + bytes(range(256))),
    "TLS at a plain port": BadClient(_CLIENT_HELLO),
    "half a handshake": BadClient(_CLIENT_HELLO, tls=True),
    "no TLS where there is": BadClient(_GET + b"\r\n", tls=True),
    "silent where TLS is": BadClient(tls=True),
}

TOO_EAGER = {
    "20 pages in one piece": BadClient((_GET + b"\r\n") * 20, count=20, rate=2, busy=101),
    "20,000 pings in one piece": BadClient(_PING * 20_000, count=5, rate=5, busy=101, is_kept_for_a_while=True),
    "never reading, ever asking": BadClient(
        _GET + b"\r\n", _PING * 20, reads=False, count=20, rate=8, busy=101, is_kept_for_a_while=True
    ),
    "impatient guests": BadClient(_GET + b"\r\n", _GET + b"\r\n", count=300, busy=101, is_kept_for_a_while=True),
    "impatient gateways": BadClient(_REPORT, _REPORT, pause=1.0, count=300, busy=101, is_kept_for_a_while=True),
}

CROWD = {
    "more silent ones than there is room for": BadClient(count=1100, rate=400, is_kept_for_a_while=True),
    "more that go on asking than there is room for": BadClient(
        _PING, _PING, 0.9, count=1100, rate=400, busy=101, is_kept_for_a_while=True
    ),
}

FAMILIES: Mapping[str, Mapping[str, BadClient]] = {
    "clients that come to no end": TOO_SLOW,
    "clients that say too much": TOO_MUCH,
    "clients that do not speak HTTP": NOT_HTTP,
    "clients that ask too much": TOO_EAGER,
}
"""All but L{CROWD}, for which there must be little room."""

BAD_CLIENTS = {name: each for family in (*FAMILIES.values(), CROWD) for name, each in family.items()}
"""By name."""
