"""Clients that vanish before the server has looked at them."""

from __future__ import annotations

import socket
import struct
import time

from benchmarks.loads.crowd import LONGEST_VISIT, LOOPBACK, Visits

MOST_A_SECOND = 1_000
BURST = 5

_AT_ONCE_AND_FORGET = struct.pack("ii", 1, 0)
"""C{SO_LINGER} of 0 s: closing sends RST."""


ASKS_FIRST = 4
"""Every so many has asked something before it vanishes, and the server reads that although nobody is there."""


def vanish(port: int, says: bytes = b"") -> bool:
    """
    Connect, perhaps say something, and go at once by RST; False if nobody could be reached.

    The kernel completes the connection by itself, so that the server accepts
    what is gone already: its getpeername() fails.
    """
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE_AND_FORGET)
        line.settimeout(0.05)
        try:
            line.connect((LOOPBACK, port))
            line.send(says)
        except OSError:
            return False
    return True


def keep_vanishing(port: int, a_second: float, seconds: float, says: bytes) -> Visits:
    """
    Send clients that L{vanish}, L{BURST} in a row, at a steady rate.

    Who comes second in a row has gone before the server is done with the first.

    @param a_second: how many, L{MOST_A_SECOND} at most.
    @param seconds: for how long, L{LONGEST_VISIT} at most.
    @param says: what every fourth of them says.
    """
    pause = 1 / min(a_second, MOST_A_SECOND)
    visits = Visits()
    began = time.monotonic()
    for number in range(int(min(seconds, LONGEST_VISIT) / pause)):
        time.sleep(max(0.0, began + number // BURST * BURST * pause - time.monotonic()))
        if time.monotonic() - began > seconds:
            break
        if vanish(port, b"" if number % ASKS_FIRST else says):
            visits.opened += 1
        else:
            visits.refused += 1
    return visits
