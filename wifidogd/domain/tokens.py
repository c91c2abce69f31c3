"""What guests and gateways identify themselves by: tokens, keys, passwords, and names of accounts; pure."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import unicodedata
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TypeVar

from wifidogd.domain.addresses import read_mail_address

ALPHABET = string.digits + string.ascii_lowercase
"""Characters that survive every gateway unharmed (docs/protocol.md 6.7); 32 of them carry 165 bits."""

TOKEN_LENGTH = 32
"""wifidog-ng 1.x cuts longer tokens."""

SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 1_000
"""Characters of a password that somebody chooses."""

LONGEST_NAME = 100
"""Characters of an account's name."""

T = TypeVar("T")


class PasswordFlaw(Enum):
    """Why a password may not be chosen."""

    SHORT = "too short"
    LONG = "too long"
    PADDED = "a blank at its beginning or end"
    UNSEEN = "a character that cannot be seen, such as a no-break space"


def mint_token(choose: Callable[[Sequence[str]], str] = secrets.choice) -> str:
    """
    Return a fresh token or gateway key that nobody can guess.

    @param choose: picks one of a sequence; for tests.
    """
    return "".join(choose(ALPHABET) for _ in range(TOKEN_LENGTH))


def hash_secret(secret: str) -> bytes:
    """
    Return the hash of a token or key under which it is stored and looked up.

    One round of SHA-256 suffices for 165 random bits; passwords go through
    L{wifidogd.runtime.passwords.Passwords}.

    @return: 32 bytes.
    """
    return hashlib.sha256(octets_of(secret)).digest()


def normal_password(password: str) -> str:
    """
    Return the form in which a password is hashed (NFKC, as NIST SP 800-63B asks for).

    The same text is typed as different characters: some systems write accents
    as characters of their own, some keyboards in full width.
    """
    return unicodedata.normalize("NFKC", password)


def flaw_of(password: str) -> PasswordFlaw | None:
    """Return why somebody may not choose a password: what the next device would type differently; None if they may."""
    length = len(normal_password(password))
    if length > LONGEST_PASSWORD:
        return PasswordFlaw.LONG
    if password[:1].isspace() or password[-1:].isspace():
        return PasswordFlaw.PADDED
    if not password.isprintable():
        return PasswordFlaw.UNSEEN
    return PasswordFlaw.SHORT if length < SHORTEST_PASSWORD else None


def hide_token(token: str, secret: str) -> bytes:
    """
    Return a token in a form that only a secret makes readable: that of the browser it was minted for.

    @param token: 32 characters of ASCII.
    @param secret: used for this token alone, so that a pad as long as the token serves (a one-time pad).
    @return: 32 bytes.
    """
    return _padded(token.encode("ascii"), secret)


def reveal_token(hidden: bytes, secret: str) -> str:
    """Return what L{hide_token} hid with the same secret."""
    return _padded(hidden, secret).decode("ascii", "replace")


def _padded(text: bytes, secret: str) -> bytes:
    pad = hmac.digest(octets_of(secret), b"token", "sha256")
    return bytes(one ^ other for one, other in zip(text, pad, strict=True))


def is_one_of(secret: str, hashes: Sequence[bytes]) -> bool:
    """Return, in constant time, whether C{secret} hashes to one of C{hashes}."""
    own = hash_secret(secret)
    matches = [hmac.compare_digest(own, known) for known in hashes]
    return any(matches)


def octets_of(text: str) -> bytes:
    """Encode any text, even what a terminal sent that was not UTF-8."""
    return text.encode("utf-8", "surrogatepass")


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
