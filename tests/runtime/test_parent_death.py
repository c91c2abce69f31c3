"""A process whose parent is killed."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest

CHILD = """
import os, signal, sys, time
from wifidogd.runtime.parent_death import die_with_parent
die_with_parent(signal.SIGKILL)
print("ready", flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", sys.argv[1]]).wait())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no other system can do that")
def test_a_child_is_killed_with_its_parent() -> None:
    """By the kernel: the parent gets no chance to do it, and no pipe is watched."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout as said:
        assert said.readline() == b"ready\n"
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait(10)
        readable, _, _ = select.select([said], [], [], 10)
        assert readable, "the child still has its end of the pipe"
        assert said.read() == b""
