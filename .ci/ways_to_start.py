"""
Start the server in every way the README names, ask it for a page, stop it, and see that nothing is left.

Usage: ways_to_start.py TWISTD CHECKOUT, where TWISTD is in an environment that has nothing but an installed wheel.
C{WIFIDOGD_DATA_DIR} names the data directory; all ways share it, as an upgrade would.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

START_SECONDS = 60
STOP_SECONDS = 10


def free_port() -> int:
    """Find a TCP port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def status_of(pid: int) -> tuple[str, int]:
    """
    Read a process's state and parent.

    @return: state C{"Z"} for one that has ended, whether somebody has collected it or not.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "Z", 0
    return fields[0], int(fields[1])


def family(pid: int) -> set[int]:
    """List a process and all its descendants that live."""
    parents = {
        int(entry.name): status_of(int(entry.name))[1] for entry in Path("/proc").iterdir() if entry.name.isdigit()
    }
    members, newest = {pid}, {pid}
    while newest:
        newest = {child for child, parent in parents.items() if parent in newest} - members
        members |= newest
    return members


def command_of(pid: int) -> str:
    """Read what a process was started as."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def living(pids: set[int]) -> set[int]:
    """Leave out those that have ended."""
    return {pid for pid in pids if status_of(pid)[0] != "Z"}


def read(log: Path) -> bytes:
    """Read what the server has said so far."""
    return log.read_bytes() if log.exists() else b""


def wait_until(what: str, seconds: float, true: Callable[[], bool], log: Path) -> float:
    """
    Wait for something.

    @return: how long it took, in seconds.
    @raise SystemExit: with what the server said, if it did not happen in time.
    """
    begin = time.monotonic()
    while not true():
        if time.monotonic() - begin > seconds:
            raise SystemExit(f"not within {seconds} s: {what}\n{read(log).decode(errors='replace')}")
        time.sleep(0.05)
    return time.monotonic() - begin


def fetch(port: int, path: str) -> bytes:
    """Ask for a page; whatever its status, it is the page."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def ask(port: int) -> None:
    """See what a gateway and a guest are answered who come first, before any gateway was adopted."""
    assert b"Pong" in fetch(port, "/wifidog/ping/?gw_id=x"), "the ping has no Pong"
    assert b"wifidogctl gateway adopt" in fetch(port, "/wifidog/login/?gw_id=x&gw_address=192.168.1.1&gw_port=2060")


def see_through(what: str, port: int, main: int, stop: Callable[[], None], log: Path) -> None:
    """
    Accompany a server from its start to its end, and kill what is left of it if it fails.

    @param main: the process it was started as.
    """
    members = {main}
    try:
        is_ready = wait_until(f"{what}: the AuthServer block", START_SECONDS, lambda: b"AuthServer" in read(log), log)
        members = family(main)
        assert any("postgres" in command_of(pid) for pid in members), f"{what}: no PostgreSQL of its own"
        ask(port)
        stop()
        is_gone = wait_until(f"{what}: everything gone", STOP_SECONDS, lambda: not living(members), log)
    finally:
        for pid in living(members | family(main)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert b"Traceback" not in read(log), read(log).decode(errors="replace")
    print(f"{what}: ready after {is_ready:.1f} s, {len(members)} processes gone after {is_gone:.1f} s", flush=True)


def try_foreground(what: str, command: list[str], where: Path, scratch: Path) -> None:
    """Start a server that stays in the foreground, and stop it by Ctrl-C."""
    port, log = free_port(), scratch / "output"
    environment = {**os.environ, "WIFIDOGD_LISTEN": f"tcp:{port}"}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=where, env=environment, stdout=output, stderr=output, start_new_session=True
        ) as server,
    ):
        see_through(what, port, server.pid, lambda: os.killpg(server.pid, signal.SIGINT), log)


def try_daemon(what: str, twistd: str, where: Path, scratch: Path, *options: str) -> None:
    """Start a server in the background, with a pid file and a log file, and stop it by SIGTERM."""
    port, log, pid_file = free_port(), scratch / f"{what}.log", scratch / "wifidogd.pid"
    command = [twistd, f"--pidfile={pid_file}", f"--logfile={log}", "wifidogd", f"--listen=tcp:{port}", *options]
    subprocess.run(command, cwd=where, check=True, timeout=START_SECONDS)
    server = int(pid_file.read_text())
    see_through(what, port, server, lambda: os.kill(server, signal.SIGTERM), log)
    assert not pid_file.exists(), "the pid file is still there"


def main(twistd: str, checkout: Path) -> None:
    """Try them all."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        elsewhere = scratch / "elsewhere"
        elsewhere.mkdir()
        options = subprocess.run(
            [twistd, "wifidogd", "--help"], cwd=elsewhere, check=True, capture_output=True, timeout=30
        )
        assert b"--listen" in options.stdout, "twistd wifidogd --help does not show the options"
        try_foreground("make run", ["make", "run"], checkout, scratch)
        try_foreground("twistd -n", [twistd, "-n", "wifidogd"], elsewhere, scratch)
        try_foreground("twistd -ny", [twistd, "-ny", str(checkout / "wifidogd.tac")], elsewhere, scratch)
        try_daemon("twistd as a daemon", twistd, elsewhere, scratch)
        try_foreground("two workers", [twistd, "-n", "wifidogd", "--workers=2"], elsewhere, scratch)
        try_daemon("two workers as a daemon", twistd, elsewhere, scratch, "--workers=2")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
