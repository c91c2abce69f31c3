"""What systemd hears of a service, and the sockets it passes on: a real process under a stand-in for systemd."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from tests.support.checkout import ROOT
from wifidogd.domain.errors import ConfigurationError
from wifidogd.runtime.systemd import Systemd, described
from wifidogd.settings import checked_workers

WITHIN = 60.0


class Manager:
    """
    Stands in for systemd.

    @ivar address: where it is notified.
    @ivar port: of the socket that it passes on, and keeps open.
    """

    def __init__(self, directory: Path) -> None:
        self.address = str(directory / "notify")
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.bind(self.address)
        self._notified.settimeout(WITHIN)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    @contextmanager
    def service(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run wifidogd with the socket, and with a watchdog of 2 s."""
        descriptor = self._listening.fileno()
        command = [
            sys.executable,
            "-m",
            "tests.support.programs.activated",
            str(descriptor),
            "web",
            sys.executable,
            "-m",
            "twisted",
        ]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        environment |= {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": "2000000"}
        with subprocess.Popen(
            [*command, "wifidogd", *arguments], env=environment, pass_fds=[descriptor], stdout=subprocess.DEVNULL
        ) as service:
            yield service
            service.kill()

    def hears(self) -> list[str]:
        """Wait for the next words."""
        return self._notified.recv(4096).decode().splitlines()

    def hears_until(self, word: str) -> list[str]:
        """Wait for words with this one among them."""
        until = time.monotonic() + WITHIN
        while word not in (words := self.hears()):
            assert time.monotonic() < until
        return words

    def asks(self) -> Callable[[], dict[str, Any]]:
        """Send a request, served or not, and return what waits for its answer."""
        client = socket.create_connection(("127.0.0.1", self.port), WITHIN)
        client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")

        def answer() -> dict[str, Any]:
            with client, client.makefile("rb") as answers:
                body: dict[str, Any] = json.loads(answers.read().partition(b"\r\n\r\n")[2])
                return body

        return answer

    def close(self) -> None:
        """Close the socket."""
        self._notified.close()
        self._listening.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path)
    yield manager
    manager.close()


def test_a_service_with_a_passed_socket_tells_how_it_is(manager: Manager, dsn: str) -> None:
    """
    Ready when guests can be served, by all its workers; alive as its reactor turns; stopping when told to.

    Whoever came before it was there is answered.
    """
    early = manager.asks()
    with manager.service("--database", dsn, "--workers", "2", "--listen", "systemd:domain=INET:name=web") as service:
        [_, status] = manager.hears_until("READY=1")
        assert status == f"STATUS=serving guests at http://127.0.0.1:{manager.port}"
        answer = early()
        assert answer["blocked"] == {"times": 0, "seconds": 0.0, "longest": 0.0, "last_in": None}
        assert answer["worker"]["of"] == 2
        manager.hears_until("WATCHDOG=1")
        service.send_signal(signal.SIGTERM)
        manager.hears_until("STOPPING=1")
        assert service.wait(WITHIN) == -signal.SIGTERM


def test_silence_without_systemd() -> None:
    """Nothing is sent, and no reactor has anything to do for it."""
    Systemd({}).notify("READY=1")
    Systemd({"NOTIFY_SOCKET": "vsock:2:1234"}).notify("READY=1")
    Systemd({"NOTIFY_SOCKET": "/nowhere/at/all"}).notify("READY=1")


def test_an_abstract_socket_is_spoken_to() -> None:
    """As systemd of a container has it; and a socket that is full loses words instead of blocking."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(f"\0wifidogd-test-{os.getpid()}")
        systemd = Systemd({"NOTIFY_SOCKET": f"@wifidogd-test-{os.getpid()}"})
        systemd.notify("READY=1", "STATUS=well")
        assert notified.recv(100) == b"READY=1\nSTATUS=well"
        for _ in range(2000):
            systemd.notify("WATCHDOG=1")


class Beginning(Clock):
    """A reactor that begins at once and keeps what is to be done at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.triggers: list[tuple[object, ...]] = []

    def callWhenRunning(self, call: Callable[..., object], *arguments: object) -> None:
        call(*arguments)

    def addSystemEventTrigger(self, *trigger: object) -> None:
        self.triggers.append(trigger)


def test_children_do_not_speak_for_us() -> None:
    """PostgreSQL would say that it is ready; and what was meant for another process is not for us."""
    environment = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1", "HOME": "/"}
    reactor = Beginning()
    Systemd(environment).attend(reactor)  # type: ignore[arg-type]
    assert environment == {"HOME": "/"}
    assert reactor.getDelayedCalls() == []
    Systemd({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}).attend(reactor)  # type: ignore[arg-type]
    assert [call.getTime() for call in reactor.getDelayedCalls()] == [1.0]


@pytest.mark.parametrize("which", ["index=7", "name=web"])
def test_a_socket_that_was_not_passed_is_told_so(which: str) -> None:
    """And how to go on."""
    with pytest.raises(ConfigurationError, match=r"has passed no such socket; start wifidogd\.socket"):
        described(f"systemd:domain=INET:{which}")


@pytest.mark.parametrize(
    ("family", "domain", "advice"),
    [
        (socket.AF_INET6, "INET", "write domain=INET6"),
        (socket.AF_INET, "INET6", "write domain=INET"),
        (socket.AF_UNIX, "UNIX", "let ListenStream name a port"),
    ],
)
def test_a_socket_of_another_kind_is_told_so(
    monkeypatch: pytest.MonkeyPatch, family: socket.AddressFamily, domain: str, advice: str
) -> None:
    """C{ListenStream=80} makes one of IPv6, for instance."""
    with socket.socket(family) as passed:
        monkeypatch.setattr("twisted.internet.endpoints._SystemdParser._sddaemon", Passing(passed.fileno()))
        with pytest.raises(ConfigurationError, match=advice):
            described(f"systemd:domain={domain}:index=0")


def test_where_a_passed_socket_listens_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the address that operators are told, and for workers, which inherit it from us."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as passed:
        monkeypatch.setattr("twisted.internet.endpoints._SystemdParser._sddaemon", Passing(passed.fileno()))
        port = passed.getsockname()[1]
        assert described("systemd:domain=INET6:index=0") == rf"tcp6:{port}:interface=\:\:1"
    assert described("tcp:8080") == "tcp:8080"
    assert checked_workers("2", ["systemd:domain=INET6:index=0"]) == 2


class Passing:
    """Stands in for what Twisted has read of the environment."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def inheritedDescriptors(self) -> list[int]:
        return [self._descriptor]
