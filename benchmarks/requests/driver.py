"""
Sends requests, as cheaply as Python can.

Raw sockets and epoll, a connection for each request, read until the server
hangs up: what the reference gateway does.  About 70 us of CPU a request.
"""

from __future__ import annotations

import resource
import select
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from benchmarks.requests.outcomes import REFUSED, RESET, TIMED_OUT, Heard, outcome_of

PATIENCE = 30.0
"""Seconds that the reference gateway waits for an answer."""

MOST_IN_FLIGHT = 4000
"""Requests that an open loop has under way at most; those beyond wait, and their waiting counts as latency."""


SPARE_DESCRIPTORS = 32


@dataclass(frozen=True, slots=True)
class Load:
    """
    What is to be sent; must be picklable.

    @ivar requests: whole requests, in this order; the load ends early when there are no more.
    @ivar seconds: how long requests are begun.
    @ivar at_a_time: a closed loop of so many; None for an open loop.
    @ivar rate: requests a second of the open loop; None for a closed one.
    @ivar patience: seconds until a request counts as L{TIMED_OUT}.
    """

    port: int
    requests: Iterable[bytes]
    seconds: float
    at_a_time: int | None = None
    rate: float | None = None
    patience: float = PATIENCE


@dataclass(slots=True, eq=False)
class _Exchange:
    """One request under way; C{due} as the monotonic clock has it."""

    connection: socket.socket
    due: float
    request: bytes
    pieces: list[bytes] = field(default_factory=list)


class Driver:
    """Begins requests when they are due and reads what comes; its process gets the descriptors for that."""

    def __init__(self, load: Load, requests: Iterator[bytes]) -> None:
        self._load = load
        self._requests = requests
        self._address = ("127.0.0.1", load.port)
        self._most = allowed(load.at_a_time or MOST_IN_FLIGHT)
        self._poll = select.epoll()
        self._exchanges: dict[int, _Exchange] = {}
        self._begun: deque[_Exchange] = deque()
        self._samples: list[tuple[float, float, str]] = []
        self._late = 0.0
        self._start = 0.0
        self._next = 0

    def run(self) -> Heard:
        """Run to the end."""
        cpu, self._start = time.process_time(), time.monotonic()
        last = self._start + self._load.seconds
        goes_on = True
        while goes_on or self._exchanges:
            goes_on = goes_on and self._begin_due(last)
            for descriptor, _ in self._poll.poll(self._pause(goes_on)):
                self._go_on(self._exchanges[descriptor])
            self._give_up()
        seconds = time.monotonic() - self._start
        return Heard(self._samples, seconds, time.process_time() - cpu, self._late)

    def _begin_due(self, last: float) -> bool:
        """Begin what is due; False once nothing more will be."""
        rate = self._load.rate
        while len(self._exchanges) < self._most:
            now = time.monotonic()
            due = now if rate is None else self._start + self._next / rate
            if due >= last:
                return False
            if due > now:
                return True
            request = next(self._requests, None)
            if request is None:
                return False
            self._next += 1
            self._late = max(self._late, now - due)
            self._begin(request, due)
        return True

    def _pause(self, goes_on: bool) -> float:
        """Return for how many seconds no request is due."""
        if not goes_on or self._load.rate is None or len(self._exchanges) >= self._most:
            return 0.1
        due = self._start + self._next / self._load.rate
        return min(0.1, max(0.0, due - time.monotonic()))

    def _begin(self, request: bytes, due: float) -> None:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        connection.connect_ex(self._address)
        exchange = _Exchange(connection, due, request)
        self._exchanges[connection.fileno()] = exchange
        self._begun.append(exchange)
        wanted = select.EPOLLIN if self._sent(exchange) else select.EPOLLOUT
        if connection.fileno() in self._exchanges:
            self._poll.register(connection, wanted)

    def _sent(self, exchange: _Exchange) -> bool:
        """Send the request: on loopback a connection is made within connect(), unless the backlog is full."""
        try:
            exchange.connection.send(exchange.request)
        except BlockingIOError:
            return False
        except OSError as problem:
            self._end(exchange, _named(problem))
            return True
        exchange.request = b""
        return True

    def _go_on(self, exchange: _Exchange) -> None:
        if exchange.request:
            if self._sent(exchange) and exchange.connection.fileno() in self._exchanges:
                self._poll.modify(exchange.connection, select.EPOLLIN)
            return
        with suppress(BlockingIOError):
            try:
                while piece := exchange.connection.recv(65536):
                    exchange.pieces.append(piece)
            except BlockingIOError:
                raise
            except OSError as problem:
                self._end(exchange, outcome_of(b"".join(exchange.pieces)) if exchange.pieces else _named(problem))
            else:
                self._end(exchange, outcome_of(b"".join(exchange.pieces)))

    def _end(self, exchange: _Exchange, outcome: str) -> None:
        del self._exchanges[exchange.connection.fileno()]
        exchange.connection.close()
        self._samples.append((exchange.due - self._start, time.monotonic() - exchange.due, outcome))

    def _give_up(self) -> None:
        """End what has taken too long; requests are in the order in which they were begun."""
        oldest = time.monotonic() - self._load.patience
        while self._begun and (self._begun[0].due < oldest or self._begun[0].connection.fileno() < 0):
            exchange = self._begun.popleft()
            if exchange.connection.fileno() >= 0:
                self._end(exchange, TIMED_OUT)


def allowed(connections: int) -> int:
    """
    Make room for so many connections.

    @return: how many there may be.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_DESCRIPTORS
    granted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
    return granted - SPARE_DESCRIPTORS


def _named(problem: OSError) -> str:
    if isinstance(problem, ConnectionRefusedError):
        return REFUSED
    if isinstance(problem, ConnectionResetError | BrokenPipeError):
        return RESET
    return str(problem)
