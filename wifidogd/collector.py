"""Python's garbage collector, told what a server is like."""

from __future__ import annotations

import gc


def spare_what_stays() -> None:
    """
    Have the collector leave alone what has been loaded so far.

    Modules, templates and translations are hundreds of thousands of objects
    that live as long as the process; looking through them over and over was a
    tenth of the CPU of a busy server.  To be called once, when all is loaded.
    """
    gc.collect()
    gc.freeze()
