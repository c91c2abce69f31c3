"""
Reads JSON that gateways send, within bounds, whatever is in it; pure.

A value that cannot be used is None: one guest's odd name, or one counter gone
wrong, never costs the others their report.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from wifidogd.domain.errors import MalformedRequest
from wifidogd.domain.sessions import MAX_OCTETS
from wifidogd.web.gateway.counts import read_count, read_signed_count

_MOST_DIGITS = 20
"""Of an integer, with its sign: 64 bits have no more, and Python takes long to read thousands."""

_LONGEST_TEXT = 1000
"""Characters; wifidog-gateway sends no longer token either (docs/protocol.md 6.7)."""

_EMPTY: Mapping[str, object] = {}


def read_object(text: bytes | str, *, with_fractions: bool = False) -> Mapping[str, object]:
    """
    Return the object that a body or a message consists of.

    The first of repeated names wins, as in queries (docs/protocol.md 1).  Octets that are not UTF-8, as in the names of
    guests' devices, are replaced.  What is no number at all (C{NaN}) is read as null.

    @param with_fractions: whether fractions are numbers; they are read as null otherwise.
    @raise MalformedRequest: if it is no JSON, nested too deeply, or another value than an object.
    """
    try:
        value = json.loads(
            text if isinstance(text, str) else text.decode("utf-8", "replace"),
            strict=False,
            parse_int=_integer,
            parse_float=float if with_fractions else _nothing,
            parse_constant=_nothing,
            object_pairs_hook=_first_of_each,
        )
    except ValueError as problem:
        raise MalformedRequest("body", "is not JSON") from problem
    except RecursionError as problem:
        raise MalformedRequest("body", "is nested too deeply") from problem
    if not isinstance(value, dict):
        raise MalformedRequest("body", "is not an object")
    return value


def object_of(value: object) -> Mapping[str, object]:
    """Return an object; an empty one for any other value."""
    return value if isinstance(value, dict) else _EMPTY


def text_of(value: object) -> str | None:
    """Return a text; None for any other value, and for one that is too long."""
    return value if isinstance(value, str) and len(value) <= _LONGEST_TEXT else None


def integer_of(value: object) -> int | None:
    """Return an integer of 64 bits with sign; None for any other value."""
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return value if is_integer and -MAX_OCTETS - 1 <= value <= MAX_OCTETS else None  # type: ignore[operator, return-value]


def count_of(value: object) -> int | None:
    """Return a count from 0 to L{MAX_OCTETS}, also one that is written as a text; None for any other value."""
    return read_count(value if isinstance(value, str) else str(integer_of(value)))


def signed_count_of(value: object) -> int | None:
    """Return a count as L{count_of}, or a negative number that stands for one of 32 bits (docs/protocol.md 3.6)."""
    return read_signed_count(value if isinstance(value, str) else str(integer_of(value)))


def sum_of(client: Mapping[str, object], *names: str) -> int | None:
    """
    Return the sum of a client's counters.

    @param names: of the counters; the client need not have those after the first.
    @return: None if one of them cannot be read, or if the sum is above L{MAX_OCTETS}.
    """
    counts = [count_of(client.get(name, 0 if number else None)) for number, name in enumerate(names)]
    total = sum(count for count in counts if count is not None)
    return None if None in counts or total > MAX_OCTETS else total


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MOST_DIGITS else None


def _nothing(_: str) -> None:
    return None


def _first_of_each(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found
