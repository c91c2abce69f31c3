"""Numbers as gateways print them in a query; pure."""

from __future__ import annotations

import re

from wifidogd.domain.sessions import MAX_OCTETS

_MOST_BELOW_ZERO = 2**31

_COUNT = re.compile("[0-9]{1,19}")


def read_count(text: str | None) -> int | None:
    """Return a whole number from 0 to L{MAX_OCTETS}; None for anything else."""
    if text is None or not _COUNT.fullmatch(text):
        return None
    count = int(text)
    return count if count <= MAX_OCTETS else None


def read_signed_count(text: str | None) -> int | None:
    """
    Return a count, or a negative number that stands for one of 32 bits (docs/protocol.md 3.6).

    @return: None for anything else, also for -1, which is how programs say that they do not know.
    """
    if text is None or not text.startswith("-"):
        return read_count(text)
    count = read_count(text[1:])
    return -count if count is not None and 1 < count <= _MOST_BELOW_ZERO else None


def sum_counts(*texts: str | None) -> int | None:
    """Return the sum of counts; None if one of them cannot be read, or if it is above L{MAX_OCTETS}."""
    counts = [read_count(text) for text in texts]
    total = sum(count for count in counts if count is not None)
    return None if None in counts or total > MAX_OCTETS else total
