"""
Voucher codes: what is printed on paper, and what people make of it on a phone's keyboard.

A code is its operator's prefix, if any, eleven random characters and a check character: C{HT-7QKM-2X4V-9RTD}.  The
weights of the check are distinct and never 0 modulo the prime 29, so that it catches every single wrong character and
every two that are swapped, not just neighbours.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable, Sequence

ALPHABET = "0123456789ACDEFGHJKMNPQRTVWXY"
"""A prime number of characters: 29.  Of characters that look alike on paper it has one."""

LOOK_ALIKES = {"B": "8", "I": "1", "L": "1", "O": "0", "S": "5", "U": "V", "Z": "2"}
"""Characters that no code has, and the one that was meant."""

BY_CHANCE = 11
"""Random characters: 53 bits."""

LONGEST_PREFIX = 8

_PLAIN_LENGTH = BY_CHANCE + 1
_GROUP = 4
_MOST_TYPED = 100


def mint_code(prefix: str = "", choose: Callable[[Sequence[str]], str] = secrets.choice) -> str:
    """
    Return a fresh code that nobody can guess, in its plain form.

    @param prefix: as L{read_prefix} returns it.
    @param choose: picks one of a sequence; for tests.
    """
    body = prefix + "".join(choose(ALPHABET) for _ in range(BY_CHANCE))
    return body + check_character(body)


def check_character(body: str) -> str:
    """Return the character that must follow C{body}, which is of L{ALPHABET} and at most 27 characters long."""
    weighted = sum(weight * ALPHABET.index(one) for weight, one in enumerate(reversed(body), 2))
    return ALPHABET[-weighted % len(ALPHABET)]


def read_code(typed: str) -> str | None:
    """
    Return the code that somebody typed.

    Case, blanks and punctuation are ignored, characters that look alike are read as the one that codes have, and
    digits
    may be those of any script.

    @return: the code in its plain form, which may exist or not; None when there must be a typo.
    """
    plain = _plain(typed)
    if not _PLAIN_LENGTH <= len(plain) <= _PLAIN_LENGTH + LONGEST_PREFIX or not set(plain) <= set(ALPHABET):
        return None
    return plain if check_character(plain[:-1]) == plain[-1] else None


def read_prefix(text: str) -> str | None:
    """
    Return a prefix for new codes.

    @return: in its plain form; None when it is empty, too long, or has characters that a code cannot have.
    """
    plain = _plain(text)
    return plain if 1 <= len(plain) <= LONGEST_PREFIX and set(plain) <= set(ALPHABET) else None


def show_code(code: str) -> str:
    """Return a code in its plain form as people read it: in groups of four, the prefix a group of its own."""
    prefix, rest = code[:-_PLAIN_LENGTH], code[-_PLAIN_LENGTH:]
    groups = [rest[at : at + _GROUP] for at in range(0, len(rest), _GROUP)]
    return "-".join([prefix, *groups] if prefix else groups)


def _plain(typed: str) -> str:
    """Return letters and digits in the one form that codes have; everything else is dropped."""
    upper = unicodedata.normalize("NFKC", typed[:_MOST_TYPED]).upper()
    return "".join(LOOK_ALIKES.get(one, _digit(one)) for one in upper if one.isalnum())


def _digit(one: str) -> str:
    return str(unicodedata.decimal(one, one))
