"""A real server as root starts it, in a storm of sign-ins: who it is, what others see of it, whom it still serves."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from tests.support.builders import LOBBY, adopt_all, run
from tests.support.checkout import ROOT
from tests.support.deadline import within
from wifidogd.domain.plans import Network, SignInMethod
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.access.guest_sessions import open_session
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.networks import save_network
from wifidogd.tap import utc_now

TOKEN = "s" * 32
SECRET = "only-in-the-environment"
CROWD, STORM = 24, 3.0
"""Guessers at once, each asking twenty times a second at most, and for how many seconds."""


@dataclass
class Server:
    """
    C{twistd wifidogd} in a process of its own.

    @ivar log: where its log is.
    """

    pid: int
    port: int
    log: Path

    def ask(self, target: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        """
        Ask on a connection of its own, and read the answer, which has 40 s on a busy machine.

        @param target: a path, or what follows that of all pages.
        """
        path = target if target.startswith("/") else f"/wifidog/{target}"
        head = {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
        body = None if form is None else urlencode(form)
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)) as connection:
            connection.request("GET" if form is None else "POST", path, body, head)
            with connection.getresponse() as answer:
                return answer.status, answer.read().decode()

    def wait(self) -> None:
        """Return when it can say who is adopted, within 30 s."""
        until = time.monotonic() + 30
        while True:
            try:
                if self.ask("/healthz")[0] == 200:
                    return
            except OSError:
                pass
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.05)


@contextmanager
def running(dsn: str, directory: Path, *options: str) -> Iterator[Server]:
    """
    Start it.

    @param options: of C{twistd}.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    twistd = str(Path(sys.executable).with_name("twistd"))
    command = [sys.executable, twistd, "--nodaemon", "--pidfile=", *options, "wifidogd"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WIFIDOGD_DATABASE": f"{dsn} password={SECRET}"}
    environment["WIFIDOGD_LISTEN"] = f"tcp:{port}:interface=127.0.0.1"
    log = directory / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment, cwd=directory, stdout=file, stderr=file)
    try:
        yield Server(process.pid, port, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)


async def furnish(database: Database) -> None:
    """Adopt a gateway of a network with accounts, and let one guest have a token."""
    await run(database, save_network, Network("default", "Café", (SignInMethod.ACCOUNT,)))
    await adopt_all(database, LOBBY)
    fresh = {"gw_id": "lobby", "account_id": None, "url": None, "time_limit": None, "quota_octets": None}
    await run(database, open_session, hash_secret(TOKEN), now=utc_now(), **fresh)


def report(server: Server, stage: str = "counters") -> str:
    """Report the guest as their gateway does."""
    fields = {"stage": stage, "ip": "10.0.0.5", "mac": "02:00:00:00:00:01", "token": TOKEN, "gw_id": "lobby"}
    return server.ask(f"auth/?{urlencode(fields)}")[1].strip()


def guess(server: Server, number: int, until: float) -> Counter[int]:
    """Try one password after the other, each for another account and from another device; count the answers."""
    answers: Counter[int] = Counter()
    mac = f"02:00:00:00:01:{number:02x}"
    page = server.ask(f"login/?gw_id=lobby&gw_address={LOBBY.address}&gw_port={LOBBY.port}&mac={mac}")[1]
    found = re.search(r'name="state" value="([^"]*)"', page)
    assert found is not None, page
    state = unescape(found[1])
    while time.monotonic() < until:
        form = {"state": state, "name": f"guess {number} {time.monotonic()}", "password": "12345678"}
        answers[server.ask("login", form)[0]] += 1
        time.sleep(0.05)
    return answers


def serve_through_a_storm(server: Server) -> tuple[Counter[int], Counter[str], Counter[int]]:
    """Count the answers to those who guess, to the gateway, and to guests who only want to see the page."""
    until = time.monotonic() + STORM
    reports: Counter[str] = Counter()
    pages: Counter[int] = Counter()
    with ThreadPoolExecutor(CROWD) as crowd:
        guesses = [crowd.submit(guess, server, number, until) for number in range(CROWD)]
        while time.monotonic() < until:
            reports[report(server)] += 1
            pages[server.ask("login/?gw_id=lobby")[0]] += 1
            time.sleep(0.05)
        return sum((guessed.result() for guessed in guesses), Counter()), reports, pages


@ensureDeferred
async def test_gateways_and_pages_are_served_through_a_storm_of_sign_ins(
    database: Database, dsn: str, tmp_path: Path
) -> None:
    """More passwords than can be hashed: some are checked, others told to come back; nobody online goes offline."""
    await furnish(database)
    with running(dsn, tmp_path) as server:
        await within(40, deferToThread(server.wait))
        assert await within(40, deferToThread(report, server, "login")) == "Auth: 1"
        guesses, reports, pages = await within(150, deferToThread(serve_through_a_storm, server))
    assert {401, 503} <= set(guesses) <= {401, 429, 503}, guesses
    assert set(reports) <= {"Auth: 1", "Auth: -1"}, "nobody is denied"
    assert reports["Auth: 1"] >= 0.5 * reports.total() > 0, reports
    assert set(pages) == {200}
    logged = server.log.read_text()
    assert ("runs as root" in logged) == (os.geteuid() == 0)
    assert not re.search(f"Traceback|12345678|{TOKEN}|{SECRET}", logged), logged


@ensureDeferred
async def test_a_server_that_root_started_is_nobody_and_shows_no_password(
    database: Database, dsn: str, tmp_path: Path
) -> None:
    """
    No user, no group and no capability of root is left, what ps shows has no secret in it, and guests are served.

    Who is not root can only be who they are.
    """
    await furnish(database)
    with running(dsn, tmp_path, *(["--uid", "nobody"] if os.geteuid() == 0 else [])) as server:
        await within(40, deferToThread(server.wait))
        page = await within(40, deferToThread(server.ask, f"login/?gw_id=lobby&gw_address={LOBBY.address}"))
        assert (page[0], 'name="password"' in page[1]) == (200, True)
        assert "runs as root" not in server.log.read_text()
        here = Path(f"/proc/{server.pid}")
        status = dict(line.split(":\t", 1) for line in (here / "status").read_text().splitlines() if ":\t" in line)
        assert status["Uid"].split().count("0") == status["Gid"].split().count("0") == 0 or os.geteuid() != 0
        assert "0" not in status["Groups"].split() or os.geteuid() != 0
        assert int(status["CapEff"], 16) == 0 or os.geteuid() != 0
        assert SECRET not in (here / "cmdline").read_text()
        assert SECRET in (here / "environ").read_text(errors="replace")
        assert stat.S_IMODE((here / "environ").stat().st_mode) & 0o077 == 0
