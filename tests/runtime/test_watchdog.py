"""A real process whose reactor is blocked, stopped and left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import StackSummary, extract_stack

from tests.support.checkout import ROOT
from wifidogd.runtime.watchdog import EXIT_STATUS, Watchdog, innermost


@contextmanager
def blockable(limit: float) -> Iterator[subprocess.Popen[str]]:
    """Run a process that can be blocked."""
    command = [sys.executable, "-m", "tests.support.programs.blocked_server", str(limit)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, cwd=ROOT, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "watched\n"
        yield server
        server.kill()


def block(server: subprocess.Popen[str], seconds: float) -> None:
    """Ask for it."""
    assert server.stdin is not None
    server.stdin.write(f"{seconds}\n")
    server.stdin.flush()


def assert_blames_the_blocker(said: str) -> None:
    """With the line of the source."""
    _, found, source = said.partition("in block_the_reactor\n")
    assert found
    assert source.lstrip().startswith("time.sleep(seconds)\n")


def test_a_blocked_reactor_is_told_with_its_stack_and_ends_the_process() -> None:
    """Who blocks it is seen as long as it lasts; a status of its own says why the process has ended."""
    with blockable(limit=3.0) as server:
        assert server.stdout is not None
        block(server, 1.8)
        assert server.stdout.readline() == "turned\n"
        time.sleep(0.5)
        block(server, 600)
        said = server.communicate(timeout=60)[1]
    assert server.returncode == EXIT_STATUS
    accused, _, rest = said.partition("the reactor goes on; it was blocked for ")
    assert "the reactor has been blocked for 1." in accused
    assert_blames_the_blocker(accused)
    assert 1.0 <= float(rest.split()[0]) < 10.0
    assert f"this process ends with status {EXIT_STATUS}" in rest
    assert_blames_the_blocker(rest)


def test_a_process_that_was_stopped_blames_nobody() -> None:
    """Its watchdog was stopped as well."""
    with blockable(limit=2.0) as server:
        os.kill(server.pid, signal.SIGSTOP)
        time.sleep(2.6)
        os.kill(server.pid, signal.SIGCONT)
        block(server, 0)
        assert server.stdout is not None
        assert server.stdout.readline() == "turned\n"
        time.sleep(0.6)
        assert server.poll() is None
        server.kill()
        assert server.communicate(timeout=60)[1] == ""


def test_who_is_to_blame_is_the_innermost_of_us() -> None:
    """In words that no gateway looks for, and somebody else only if it is none of us."""
    stack = extract_stack()
    assert innermost(stack).startswith("runtime/test_watchdog.py:")
    ours = StackSummary.from_list([(innermost.__code__.co_filename, 7, "Pong", "")])
    assert innermost(StackSummary.from_list([*stack, *ours, *stack])) == "runtime/watchdog.py:7 pong"


def test_a_reactor_that_turns_is_no_news() -> None:
    """There is nothing to tell before it was ever blocked."""
    from twisted.internet import reactor

    metrics = Watchdog(reactor).metrics()  # type: ignore[arg-type]
    assert metrics == {"times": 0, "seconds": 0.0, "longest": 0.0, "last_in": None}
