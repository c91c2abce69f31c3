"""Bounds how long the parts of a request may be, and refuses longer ones so that clients can read why."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

from twisted.web.http import HTTPChannel

from wifidogd.domain.errors import WifidogdError

LINGER = 2
"""Seconds in which a client that sends too much may still read the refusal."""

_LONGEST_NAME = 100
"""Octets of the name of a field; Twisted remembers 10,000 names for good (C{twisted.web.http_headers._NameEncoder})."""

_MOST_LINES = 501
"""Lines of a head: the request line and 500 fields."""

_MOST_DISCARDED = 1024 * 1024
_MOST_LENGTH_DIGITS = 15

_HANDSHAKE = b"\x16"
"""First octet of a TLS ClientHello (RFC 8446 5.1), which no request begins with."""


class TooLong(Enum):
    """The part of a request that is too long: status and reason, and a sentence for whoever reads the answer."""

    BODY = (b"413 Content Too Large", b"This form holds more than this server takes.\n")
    REQUEST_LINE = (b"414 URI Too Long", b"This address is longer than this server takes.\n")
    HEAD = (b"431 Request Header Fields Too Large", b"Your browser sent more than this server takes.\n")

    @property
    def answer(self) -> bytes:
        """The whole answer; nobody may keep it, since caches keep a 414 unless they are told (RFC 9110 15.1)."""
        status, sentence = self.value
        head = b"HTTP/1.1 %b\r\nConnection: close\r\nCache-Control: no-store\r\n" % status
        kind = b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n" % len(sentence)
        return head + kind + sentence


_ODD = re.compile(rb"[\x80-\xff \t]")
_REQUEST_LINE = re.compile(rb"([!-~]+ [!->@-~]*\?)([^\x00-\x08\x0a-\x1f\x7f]*)( HTTP/1\.[01])")


def _escaped(line: bytes) -> bytes:
    """
    Return a request line with what Twisted would refuse in its query escaped: blanks, and octets beyond ASCII.

    Gateways write their GatewayID as it is in their configuration (docs/protocol.md 6.7); their owners learn nothing
    from a 400.
    """
    is_usual = line.isascii() and line.count(b" ") == 2 and b"\t" not in line
    read = None if is_usual else _REQUEST_LINE.fullmatch(line)
    return line if read is None else read[1] + _ODD.sub(lambda odd: b"%%%02X" % ord(odd[0]), read[2]) + read[3]


class BodyTooLarge(WifidogdError):
    """A request has a longer body than any page here needs."""


class LimitedChannel(HTTPChannel):
    """
    A connection on which a request that is too long is answered, and what follows discarded.

    @ivar target: of the request whose head is being read, or was read last.
    """

    transport: Any
    target = b""

    _has_heard = False
    _is_refusing = False
    _discarded = 0
    _head_octets = 0
    _head_lines = 0

    def refuse(self, part: TooLong) -> None:
        """
        Answer that a part of the request is too long, and discard what follows.

        Closing at once would make the kernel reset the connection while the
        client still sends, and the client would lose the answer.
        """
        if not self._is_refusing:
            self._is_refusing = True
            self.transport.write(part.answer)
            self.setTimeout(LINGER)

    def start_tls(self, data: bytes) -> bool:
        """
        Speak TLS from now on, if this connection can.

        @param data: what the client has sent so far.
        @return: whether it can.
        """
        raise NotImplementedError

    def dataReceived(self, data: bytes) -> None:
        """Read, or discard, what the client sends; hang up at once on one that speaks TLS where that cannot be."""
        if not self._is_refusing:
            is_first, self._has_heard = not self._has_heard, True
            if not is_first or not data.startswith(_HANDSHAKE):
                super().dataReceived(data)
            elif not self.start_tls(data):
                self.loseConnection()
            return
        self._discarded += len(data)
        if self._discarded > _MOST_DISCARDED:
            self._networkProducer.pauseProducing()

    def lineReceived(self, line: bytes) -> None:
        """Read a line of the head, unless the head is too long with it."""
        if self._is_refusing:
            return
        octets = self._head_octets + len(line)
        if octets > self.MAX_LENGTH or (line and self._head_lines >= _MOST_LINES):
            self._refuse_head()
            return
        if octets:
            if not self._head_lines:
                line = _escaped(line)
                self.target = line.partition(b" ")[2].rpartition(b" ")[0]
            self._head_octets, self._head_lines = octets, self._head_lines + 1
        super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a line that is longer than a whole head may be."""
        self._refuse_head()

    def _refuse_head(self) -> None:
        self.refuse(TooLong.HEAD if self._head_octets else TooLong.REQUEST_LINE)

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
                self.refuse(TooLong.BODY)
                self._transferDecoder = None  # it holds the rest of a packet, and us

    def allContentReceived(self) -> None:
        """Begin to answer."""
        if not self._is_refusing:
            self._head_octets = self._head_lines = 0
            super().allContentReceived()

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        """Replace an absurd length by one that is merely too large; Python does not convert thousands of digits."""
        if header == b"Content-Length" and data.isdigit() and len(data) > _MOST_LENGTH_DIGITS:
            data = b"9" * _MOST_LENGTH_DIGITS
        return bool(super()._maybeChooseTransferDecoder(header, data))

    def _send100Continue(self) -> None:
        if not self._is_refusing:
            super()._send100Continue()
