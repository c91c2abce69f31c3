"""One mail, to mail servers of all kinds, over real connections."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, ServerFactory

import wifidogd.accounts.smtp as smtp
from tests.support.deadline import within
from tests.support.mailbox import USER, Mailbox
from tests.support.observing import log_lines
from wifidogd.accounts.smtp import NotSent, deliver
from wifidogd.accounts.smtp_server import MailServer, Security

ZOE = "zoe@example.org"
MESSAGE = "Subject: Hello\nTo: zoe@example.org\n\nDear guest,\n.\n..dots stay\nyours\n"


async def send(mailbox: Mailbox, *, message: str = MESSAGE, **how: Any) -> None:
    """Hand one mail to a mailbox, trusting it."""
    how = {"trust_root": mailbox.identity.trust} | how
    await within(20, deliver(mailbox.server(), "wifi@example.org", ZOE, message, reactor=reactor, **how))


async def trouble_with(mailbox: Mailbox, **how: Any) -> NotSent:
    """Fail to hand over a mail."""
    with pytest.raises(NotSent) as caught:
        await send(mailbox, **how)
    return caught.value


@pytest_twisted.async_yield_fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    """One that wants STARTTLS and a password."""
    mailbox = Mailbox().open()
    yield mailbox
    await mailbox.close()


@pytest.mark.parametrize("security", Security)
@ensureDeferred
async def test_a_mail_arrives_as_it_was(security: Security) -> None:
    """Dots and all, however the conversation is protected."""
    mailbox = Mailbox(security).open()
    try:
        await send(mailbox)
    finally:
        await mailbox.close()
    [(sender, recipient, message)] = mailbox.received
    assert (sender, recipient, message["subject"]) == ("wifi@example.org", ZOE, "Hello")
    assert message.get_content() == "Dear guest,\r\n.\r\n..dots stay\r\nyours\r\n"
    assert mailbox.users == ([] if security is Security.NONE else [USER])


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
@pytest.mark.parametrize("names", [("localhost",), ("mail.example",)])
@ensureDeferred
async def test_a_wrong_certificate_ends_it(security: Security, names: tuple[str, ...]) -> None:
    """Whoever signed it, and whomever it is for: no password, no mail."""
    mailbox = Mailbox(security, names=names).open()
    trust: dict[str, Any] = {"trust_root": None} if names == ("localhost",) else {}
    try:
        trouble = await trouble_with(mailbox, **trust)
    finally:
        await mailbox.close()
    assert (trouble.is_final, trouble.is_reached) == (False, False)
    assert (mailbox.users, mailbox.received) == ([], [])


@ensureDeferred
async def test_no_password_goes_to_a_server_without_tls(mailbox: Mailbox) -> None:
    """One in the middle could have left it out of the greeting."""
    mailbox.offers_tls = False
    trouble = await trouble_with(mailbox)
    assert "secure" in str(trouble)
    assert (mailbox.users, mailbox.received) == ([], [])


@ensureDeferred
async def test_a_wrong_password_is_named_but_not_told(mailbox: Mailbox) -> None:
    """Neither in the error nor in the log."""
    server = MailServer("localhost", mailbox.port, Security.STARTTLS, USER, "wrong-password")
    with log_lines("") as lines, pytest.raises(NotSent) as caught:
        await within(
            20, deliver(server, "wifi@example.org", ZOE, MESSAGE, reactor=reactor, trust_root=mailbox.identity.trust)
        )
    assert "535" in str(caught.value)
    assert not caught.value.is_final
    told = str(caught.value) + str(lines)
    for secret in ("wrong-password", "d3JvbmctcGFzc3dvcmQ"):
        assert secret not in told


@pytest.mark.parametrize(
    ("where", "code", "is_final", "is_reached"),
    [
        ("refuse_from", 450, False, False),
        ("refuse_from", 550, False, False),
        ("refuse_to", 451, False, True),
        ("refuse_to", 550, True, True),
        ("refuse_data", 452, False, True),
        ("refuse_data", 554, True, True),
    ],
)
@ensureDeferred
async def test_a_refusal_is_final_only_for_this_mail(
    mailbox: Mailbox, where: str, code: int, is_final: bool, is_reached: bool
) -> None:
    """What is wrong with us, or for now, may be right next time."""
    setattr(mailbox, where, (code, "no thanks"))
    trouble = await trouble_with(mailbox)
    assert (trouble.is_final, trouble.is_reached) == (is_final, is_reached)
    assert str(trouble).startswith(f"{code} ")
    assert mailbox.received == []


@ensureDeferred
async def test_what_a_mail_server_says_is_shown_without_what_a_terminal_obeys(mailbox: Mailbox) -> None:
    """It goes into the log."""
    mailbox.refuse_to = (550, "no \x1b[2Jthanks")
    assert str(await trouble_with(mailbox)).startswith("550 no [2Jthanks")


@ensureDeferred
async def test_nobody_there(mailbox: Mailbox) -> None:
    """A port that is closed."""
    await mailbox.close()
    trouble = await trouble_with(mailbox)
    assert str(trouble).startswith(f"no connection to localhost port {mailbox.port}: ")
    assert (trouble.is_final, trouble.is_reached) == (False, False)


@ensureDeferred
async def test_one_that_hangs_up_in_the_middle(mailbox: Mailbox) -> None:
    """Nobody can say that it has the mail."""
    mailbox.drop_in_data = True
    trouble = await trouble_with(mailbox)
    assert "lost" in str(trouble)
    assert not trouble.is_final


@ensureDeferred
async def test_one_that_never_answers_meets_the_deadline(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a mail."""
    monkeypatch.setattr(smtp, "DEADLINE", 0.5)
    mailbox.hesitate = Deferred
    began = time.monotonic()
    trouble = await trouble_with(mailbox)
    assert "not done within" in str(trouble)
    assert time.monotonic() - began < 15


class Mute(Protocol):
    """Says what it is told to, whatever it hears."""

    def connectionMade(self) -> None:
        self.transport.write(self.factory.words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (b"", "not done within"),
        (b"220 hel", "not done within"),
        (b"554 go away\r\n", "554 go away"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "Invalid response"),
        (b"220 hi\r\n502 no EHLO here\r\n", "502"),
        (b"220-hi\r\n" * 501, "says too much"),
        (b"220 hi\r\n" + b"000 hm\r\n" * 60, "says too much"),
        ((b"220-" + b"x" * 1000 + b"\r\n") * 70, "says too much"),
        (b"220 " + b"x" * 70_000, "says too much"),
    ],
)
@pytest.mark.parametrize("security", [Security.STARTTLS])
@ensureDeferred
async def test_what_is_no_mail_server(
    words: bytes, said: str, security: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence, half a line, a refusal, something else altogether."""
    monkeypatch.setattr(smtp, "DEADLINE", 0.5)
    factory = ServerFactory.forProtocol(Mute)
    factory.noisy = False
    factory.words = words
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    server = MailServer("127.0.0.1", port.getHost().port, security, "user", "password")
    try:
        with pytest.raises(NotSent, match=said):
            await within(20, deliver(server, "wifi@example.org", ZOE, MESSAGE, reactor=reactor))
    finally:
        await within(5, port.stopListening())


class Flood(Protocol):
    """Goes on greeting for as long as somebody takes it."""

    sent = 0

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, streaming=False)

    def resumeProducing(self) -> None:
        words = (b"220-" + b"x" * 1000 + b"\r\n") * 64
        Flood.sent += len(words)
        self.transport.write(words)

    def stopProducing(self) -> None:
        """Nothing more is asked for."""


@ensureDeferred
async def test_a_mail_server_that_never_stops_is_cut_off() -> None:
    """At once, and not at the deadline: it would be kept in memory until then."""
    factory = ServerFactory.forProtocol(Flood)
    factory.noisy = False
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    server = MailServer("127.0.0.1", port.getHost().port, Security.STARTTLS, "user", "password")
    try:
        with pytest.raises(NotSent, match="says too much") as caught:
            await within(20, deliver(server, "wifi@example.org", ZOE, MESSAGE, reactor=reactor))
    finally:
        await within(5, port.stopListening())
    assert not caught.value.is_final
    assert Flood.sent < 16_000_000


@pytest.mark.parametrize("local", ["a..b", ".a", "a."])
@ensureDeferred
async def test_a_local_part_with_odd_dots_is_quoted(mailbox: Mailbox, local: str) -> None:
    """As RFC 5321 wants it; the mail server reads what the address is."""
    how = {"reactor": reactor, "trust_root": mailbox.identity.trust}
    await within(20, deliver(mailbox.server(), "wifi@example.org", f"{local}@docomo.ne.jp", MESSAGE, **how))
    assert mailbox.received[0][1] == f'"{local}"@docomo.ne.jp'
