"""Names of accounts: the form in which they are compared, whatever keyboard and language they are typed in; pure."""

from __future__ import annotations

import unicodedata

from wifidogd.domain.addresses import read_mail_address

LONGEST_NAME = 100
"""Characters of a name."""


def fold_name(name: str) -> str:
    """
    Return a name in the form in which it is stored and compared.

    Phones put a capital letter in front and a space behind what people type;
    some write accents as separate characters, some in full width.  Letters
    whose lower case depends on the language or on their place are one letter:
    I, i and both Turkish ones; the Greek sigmas; sharp s and ss.
    """
    text = name
    for _ in range(2):  # The first round may leave capitals that a ligature or a sign, such as TEL, was made of.
        text = unicodedata.normalize("NFKC", text).casefold().replace("\u0131", "i").replace("i\u0307", "i")
    return unicodedata.normalize("NFKC", text).strip()


def spellings_of(name: str) -> list[str]:
    """
    Return what an account may be stored under that somebody calls C{name}, the likeliest first.

    An account that was there before names were folded so, and whose folded name
    another one had, is stored in the form of then; the domain of an e-mail
    address is stored in ASCII.
    """
    as_before = unicodedata.normalize("NFC", name).strip().lower()
    address = read_mail_address(name)
    found = [as_before, fold_name(name), *([] if address is None else [address])]
    return list(dict.fromkeys(found))


def is_name(folded: str) -> bool:
    """Return whether an account may be called so."""
    return 1 <= len(folded) <= LONGEST_NAME and folded.isprintable()
