"""
A load of requests from a process of its own, cheap enough not to be what is measured.

Raw sockets and epoll, a connection for each request, read until the server
hangs up: what the reference gateway does.  About 60 us of CPU a request.
"""

from __future__ import annotations

import multiprocessing
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing.connection import Connection

PATIENCE = 30.0
"""Seconds that the reference gateway waits for an answer."""

MOST_IN_FLIGHT = 4000
"""Requests that an open loop has under way at most; those beyond wait, and their waiting counts as latency."""

TIMED_OUT = "timed out"
NO_ANSWER = "no answer"
RESET = "reset"
REFUSED = "refused"

VERDICTS = (b"Auth: 1", b"Auth: 0", b"Auth: -1", b"Auth: 5", b"Auth: 6", b"Pong")


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


@dataclass(frozen=True, slots=True)
class Heard:
    """
    What a load met with.

    @ivar samples: of each request when it was due (seconds from the start), how long it took from then on until the
        server hung up, and what came of it: C{Auth: 1}, C{Pong}, C{200} (of other answers the status), or what went
        wrong, e.g. L{TIMED_OUT}.
    @ivar seconds: from the start until nothing was under way any more.
    @ivar cpu: seconds that the load itself took.
    @ivar late: worst delay, in seconds, between when a request was due and when it was begun.
    """

    samples: list[tuple[float, float, str]]
    seconds: float
    cpu: float
    late: float

    @property
    def count(self) -> int:
        """Requests that have ended, well or badly."""
        return len(self.samples)

    @property
    def outcomes(self) -> Counter[str]:
        """Count what came of them."""
        return Counter(outcome for _, _, outcome in self.samples)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.count / self.seconds

    def other_than(self, *good: str) -> int:
        """Count the requests whose outcome was none of these."""
        return sum(count for outcome, count in self.outcomes.items() if outcome not in good)

    def latency(self, quantile: float) -> float:
        """
        Tell within how many seconds this part of the requests had ended, e.g. 0.99; 1 is the worst of all.

        @raise ValueError: if there was none.
        """
        return quantile_of([latency for _, latency, _ in self.samples], quantile)


def quantile_of(values: Iterable[float], quantile: float) -> float:
    """
    Tell what this part of the values does not exceed.

    @raise ValueError: if there are none.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("nothing was measured")
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]


class Running:
    """
    The process that a load comes from; it has made its first request up, and waits for L{begin}.

    @ivar pid: its process id.
    """

    def __init__(self, load: Load) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(load, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._ours.recv()
        self.pid: int = self._process.pid or 0

    def begin(self) -> None:
        """Let it send."""
        self._ours.send(None)

    def result(self) -> Heard:
        """
        Wait for the end of the load, which must have begun.

        @raise EOFError: if the process died.
        """
        heard: Heard = self._ours.recv()
        self._process.join()
        return heard


def drive(load: Load) -> Heard:
    """Let a load run from beginning to end."""
    running = Running(load)
    running.begin()
    return running.result()


def _run(load: Load, parent: Connection) -> None:
    requests = iter(load.requests)
    first = next(requests, None)
    parent.send(None)
    parent.recv()
    begun = [] if first is None else [first]
    parent.send(_Driver(load, chain(begun, requests)).run())


@dataclass(slots=True, eq=False)
class _Exchange:
    """One request under way; C{due} as the monotonic clock has it."""

    connection: socket.socket
    due: float
    request: bytes
    pieces: list[bytes] = field(default_factory=list)


class _Driver:
    """Begins requests when they are due and reads what comes."""

    def __init__(self, load: Load, requests: Iterator[bytes]) -> None:
        self._load = load
        self._requests = requests
        self._address = ("127.0.0.1", load.port)
        self._most = load.at_a_time or MOST_IN_FLIGHT
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
        """Say how long nothing has to be begun."""
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


def _named(problem: OSError) -> str:
    if isinstance(problem, ConnectionRefusedError):
        return REFUSED
    if isinstance(problem, ConnectionResetError | BrokenPipeError):
        return RESET
    return str(problem)


def outcome_of(answer: bytes) -> str:
    """Name what a whole answer says: a gateway's verdict line, else the status of HTTP."""
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return NO_ANSWER
    verdict = body.strip()
    return verdict.decode() if verdict in VERDICTS else head[9:12].decode()
