"""
Ends this process when its parent does.

Workers import this before anything else: it needs the standard library alone.
PostgreSQL's launcher has a copy of its own (L{wifidogd.store.embedded.launch}),
since it is run as a script by a user who may not be able to import anything.
"""

from __future__ import annotations

import sys

PR_SET_PDEATHSIG = 1
"""C{prctl(2)}: the signal that this process gets when the thread that forked it ends."""


def die_with_parent(signal: int) -> None:
    """Ask Linux to send C{signal} to this process when its parent ends; other systems cannot."""
    if sys.platform != "linux":
        return
    try:
        import ctypes
    except ImportError:  # Python was built without libffi
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal)
