"""What the operator is told about a port that cannot be had."""

from __future__ import annotations

import errno

import pytest
from twisted.internet.error import CannotListenError

from wifidogd.runtime.startup import why_not_listening


@pytest.mark.parametrize(
    ("port", "number", "said"),
    [
        (
            8080,
            errno.EADDRINUSE,
            "port 8080: another program listens there: stop it, or choose another port with --listen.",
        ),
        (443, errno.EADDRINUSE, "choose another port with --listen, or leave out --https."),
        (443, errno.EACCES, "choose another port with --listen, or leave out --https."),
        ("/run/wifidogd.sock", errno.EADDRINUSE, "It cannot listen at /run/wifidogd.sock: another program"),
    ],
)
def test_a_port_that_cannot_be_had(port: object, number: int, said: str) -> None:
    """In one sentence, with what to do; that of --https may not have been asked for by its number."""
    assert said in why_not_listening(CannotListenError("", port, OSError(number, "no")))
