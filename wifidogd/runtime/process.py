"""What a process needs that has the reactor to itself."""

from __future__ import annotations

import gc
from typing import Any

from wifidogd.runtime.monotonic import go_by_steady_time
from wifidogd.runtime.watchdog import Watchdog


def take_charge(reactor: Any) -> Watchdog:
    """
    Make timers monotonic, have the reactor watched, and spare the garbage collector what stays.

    @return: the watchdog, which has been started.
    """
    go_by_steady_time(reactor)
    reactor.callWhenRunning(freeze_what_is_loaded)
    watchdog = Watchdog(reactor)
    watchdog.start()
    return watchdog


def freeze_what_is_loaded() -> None:
    """
    Have the garbage collector ignore everything that has been loaded so far; to be called once, when all is.

    Modules, templates and translations are hundreds of thousands of objects
    that live as long as the process; looking through them over and over took a
    tenth of the CPU of a busy server.
    """
    gc.collect()
    gc.freeze()
