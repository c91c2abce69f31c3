"""Bad clients that connect and keep their connections until the server closes them."""

from __future__ import annotations

import resource
import select
import socket
import time
from dataclasses import dataclass

from benchmarks.loads.bad_clients import Kind

LOOPBACK = "127.0.0.1"
MOST_CLIENTS = 5_000
LONGEST_VISIT = 3_600.0
SPARE = 64
"""Descriptors for everything else."""

_AT_ONCE, _PAUSE = 2, 0.01
"""So many come in a row, then nobody for so many seconds: a backlog of 5, as CherryPy's, is to keep up."""


@dataclass(slots=True)
class Visits:
    """
    What became of a crowd.

    @ivar opened: connections made.
    @ivar refused: connections that could not be made.
    @ivar sent_away: those that the server closed.
    @ivar longest: seconds that the most patiently treated of those was kept; 0 if none was sent away.
    """

    opened: int = 0
    refused: int = 0
    sent_away: int = 0
    longest: float = 0.0


@dataclass(slots=True)
class _Client:
    """One of the crowd; C{unsaid} is what it has not got rid of yet."""

    line: socket.socket
    unsaid: bytes
    since: float
    connected: bool = False


class Crowd:
    """
    A number of clients of one kind on one port of this machine.

    @ivar visits: what became of them so far.
    """

    def __init__(self, port: int, kind: Kind, count: int, *, come_again: bool = False) -> None:
        """
        @param count: how many at a time, L{MOST_CLIENTS} at most.
        @param come_again: whether another comes for each that is sent away.
        """
        if count > MOST_CLIENTS:
            raise ValueError(f"{count} clients are too many: {MOST_CLIENTS} at most")
        allow_descriptors(count + SPARE)
        self.visits = Visits()
        self._port = port
        self._kind = kind
        self._missing = count
        self._come_again = come_again
        self._clients: dict[int, _Client] = {}
        self._epoll = select.epoll()

    def stay(self, seconds: float) -> None:
        """Keep the clients connected for so many seconds, at most L{LONGEST_VISIT}; missing ones connect first."""
        leave_at = time.monotonic() + min(seconds, LONGEST_VISIT)
        while (left := leave_at - time.monotonic()) > 0:
            for _ in range(min(self._missing, _AT_ONCE)):
                self._come()
            for number, events in self._epoll.poll(min(left, _PAUSE if self._missing else 0.5)):
                self._look(number, events)

    def leave(self) -> None:
        """Close all that is open, as an orderly client does."""
        for client in self._clients.values():
            client.line.close()
        self._clients.clear()
        self._epoll.close()

    def _come(self) -> None:
        """Begin to connect; a server that does not accept holds up nobody here."""
        self._missing -= 1
        line = socket.socket()
        line.setblocking(False)
        if self._kind.buffer is not None:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._kind.buffer)
        line.connect_ex((LOOPBACK, self._port))
        self._clients[line.fileno()] = _Client(line, self._kind.says, time.monotonic())
        self._epoll.register(line, select.EPOLLOUT)

    def _look(self, number: int, events: int) -> None:
        """Send what is left to send, read what comes, record the end."""
        client = self._clients[number]
        try:
            if events & (select.EPOLLHUP | select.EPOLLERR):
                raise ConnectionResetError
            if events & select.EPOLLOUT:
                self._say(client)
            if events & select.EPOLLIN and not client.line.recv(65536):
                raise ConnectionResetError
        except BlockingIOError:
            pass
        except OSError:
            self._ended(client)

    def _say(self, client: _Client) -> None:
        """Go on saying, and begin to listen; an end that comes by FIN is seen only by who reads."""
        if not client.connected:
            client.connected = True
            self.visits.opened += 1
        if client.unsaid:
            client.unsaid = client.unsaid[client.line.send(client.unsaid) :]
        reading = select.EPOLLIN if self._kind.reads else 0
        self._epoll.modify(client.line, reading | (select.EPOLLOUT if client.unsaid else 0))

    def _ended(self, client: _Client) -> None:
        if client.connected:
            self.visits.sent_away += 1
            self.visits.longest = max(self.visits.longest, time.monotonic() - client.since)
        else:
            self.visits.refused += 1
        self._missing += self._come_again and client.connected
        del self._clients[client.line.fileno()]
        client.line.close()


def allow_descriptors(count: int) -> None:
    """Raise the limit of descriptors of this process, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        allowed = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
