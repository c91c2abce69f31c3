"""Bounds how long the parts of a request may be, and refuses longer ones so that clients can read why."""

from __future__ import annotations

from typing import Any

from twisted.web.http import HTTPChannel

from wifidogd.domain.errors import WifidogdError

LINGER = 2
"""Seconds in which a client that sends too much may still read the refusal."""

_LONGEST_NAME = 100
"""Octets of the name of a field; Twisted remembers 10,000 names for good (C{twisted.web.http_headers._NameEncoder})."""

_MOST_DISCARDED = 1024 * 1024
_MOST_LENGTH_DIGITS = 15
_TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BodyTooLarge(WifidogdError):
    """A request has a longer body than any page here needs."""


class LimitedChannel(HTTPChannel):
    """A connection on which a request that is too long is answered, and what follows discarded."""

    transport: Any

    _is_refusing = False
    _discarded = 0

    def refuse_body(self) -> None:
        """
        Answer 413 and discard what follows.

        Closing at once would make the kernel reset the connection while the
        client still sends, and the client would lose the answer.
        """
        if not self._is_refusing:
            self._is_refusing = True
            self.transport.write(_TOO_LARGE)
            self.setTimeout(LINGER)

    def dataReceived(self, data: bytes) -> None:
        """Read, or discard, what the client sends."""
        if not self._is_refusing:
            super().dataReceived(data)
            return
        self._discarded += len(data)
        if self._discarded > _MOST_DISCARDED:
            self._networkProducer.pauseProducing()

    def lineReceived(self, line: bytes) -> None:
        """Read a line of the head."""
        if not self._is_refusing:
            super().lineReceived(line)

    def headerReceived(self, line: bytes) -> bool:
        """Read a field of the head; return False for a malformed one, which closes the connection."""
        if line.find(b":", 0, _LONGEST_NAME + 1) < 0:
            self._respondToBadRequestAndDisconnect()
            return False
        return bool(super().headerReceived(line))

    def rawDataReceived(self, data: bytes) -> None:
        """Read a part of the body, until it is too large."""
        if not self._is_refusing:
            try:
                super().rawDataReceived(data)
            except BodyTooLarge:
                self.refuse_body()
                self._transferDecoder = None  # it holds the rest of a packet, and us

    def allContentReceived(self) -> None:
        """Begin to answer."""
        if not self._is_refusing:
            super().allContentReceived()

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        """Replace an absurd length by one that is merely too large; Python does not convert thousands of digits."""
        if header == b"Content-Length" and data.isdigit() and len(data) > _MOST_LENGTH_DIGITS:
            data = b"9" * _MOST_LENGTH_DIGITS
        return bool(super()._maybeChooseTransferDecoder(header, data))

    def _send100Continue(self) -> None:
        if not self._is_refusing:
            super()._send100Continue()
