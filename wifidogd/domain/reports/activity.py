"""What an adopted gateway does that shows how far its installation has come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum

MOST_CLOCK_ERROR = timedelta(minutes=10)
"""By which a router's clock may differ from the server's before it counts as wrong."""


class ActivityKind(Enum):
    """What was last seen at some instant.  The values are stored."""

    GUEST = "guest"
    LOGIN = "login"
    COUNTERS = "counters"
    COUNTERS_LIST = "counters of all clients"
    KEY = "key"
    PORTAL = "portal"
    CLOCK_RIGHT = "clock right"
    CLOCK_WRONG = "clock wrong"


NoteActivity = Callable[[str, ActivityKind], None]
"""Is told of a gateway, by gw_id, what it has just done."""


def clock_seen(text: str | None, now: datetime) -> ActivityKind | None:
    """
    Return whether a router's clock is right.

    @param text: the time at which it says that a guest signs in, in seconds since 1970 (C{first_login}).
    @return: None if it does not tell.
    """
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 11:
        return None
    error = abs(int(text) - now.timestamp())
    return ActivityKind.CLOCK_RIGHT if error <= MOST_CLOCK_ERROR.total_seconds() else ActivityKind.CLOCK_WRONG
