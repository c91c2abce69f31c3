"""Tokens, keys and passwords: minting, hashing, comparing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import string
from collections.abc import Callable, Sequence
from typing import TypeVar

import argon2
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from wifidogd.errors import Overloaded

ALPHABET = string.digits + string.ascii_lowercase
"""What survives every gateway unharmed (protocol.md 0.18); 32 of them carry 165 bits."""

TOKEN_LENGTH = 32
"""wifidog-ng 1.x cuts longer tokens."""

SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 1_000
"""Characters of a password that somebody chooses."""

T = TypeVar("T")


def mint_token(choose: Callable[[Sequence[str]], str] = secrets.choice) -> str:
    """
    Make a token or a gateway's key that nobody can guess.

    @param choose: picks one of a sequence; for tests.
    """
    return "".join(choose(ALPHABET) for _ in range(TOKEN_LENGTH))


def hash_secret(secret: str) -> bytes:
    """
    Hash a token or key for storing and looking up.

    One round of SHA-256 is right for what has 165 bits of its own; passwords
    go through L{Passwords}.

    @return: 32 bytes.
    """
    return hashlib.sha256(_octets(secret)).digest()


def is_acceptable(password: str) -> bool:
    """Tell whether somebody may choose a password: what NIST SP 800-63B asks for, length and nothing else."""
    return SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD and password.isprintable()


def is_one_of(secret: str, hashes: Sequence[bytes]) -> bool:
    """Tell in constant time whether C{secret} hashes to one of C{hashes}."""
    own = hash_secret(secret)
    matches = [hmac.compare_digest(own, known) for known in hashes]
    return any(matches)


class Passwords:
    """
    argon2id on threads of its own, never on the reactor's.

    @param threads: how many passwords are hashed at once; each takes tens of
        milliseconds of a core and 64 MiB.
    @param max_waiting: how many more may wait.
    """

    def __init__(self, reactor: IReactorFromThreads, *, threads: int = 2, max_waiting: int = 16) -> None:
        self._reactor = reactor
        self._hasher = argon2.PasswordHasher()
        self._unknown = self._hasher.hash(mint_token())
        self._pool = ThreadPool(0, threads, "passwords")
        self._room = threads + max_waiting

    def start(self) -> None:
        """Allow threads, which come as they are needed."""
        self._pool.start()

    async def hash(self, password: str) -> str:
        """
        Hash a password for storing.

        @return: a PHC string, which carries its own salt and cost.
        @raise Overloaded: if too many are waiting.
        """
        return await self._apart(self._hash, password)

    async def verify(self, password_hash: str | None, password: str, old_hash: str | None = None) -> bool:
        """
        Tell whether C{password} belongs to C{password_hash}, or to C{old_hash} where that is all there is.

        @param password_hash: None for an unknown account, or one not yet upgraded: the same work is
            done, so that the time taken tells nobody which names exist.
        @param old_hash: base64 of MD5, as wifidog-auth stored it (C{User::passwordHash}); None for none.
        @raise Overloaded: if too many are waiting.
        """
        return await self._apart(self._verify, password_hash or "", old_hash or "", password)

    def stop(self) -> None:
        """Wait for the passwords being hashed and end the threads."""
        if self._pool.started:
            self._pool.stop()

    async def _apart(self, work: Callable[..., T], *arguments: str) -> T:
        """
        Do work on a thread.

        A browser that hangs up cancels the answer, not the work: its place is
        free when the thread is done with it, or a crowd of those would pile up.
        """
        if self._room == 0:
            raise Overloaded("too many passwords are waiting to be checked")
        self._room -= 1
        answer: Deferred[T] = Deferred()

        def finish(result: T | Failure) -> None:
            self._room += 1
            answer.callback(result)

        _ = deferToThreadPool(self._reactor, self._pool, work, *arguments).addBoth(finish)
        return await answer

    def _hash(self, password: str) -> str:
        return self._hasher.hash(_octets(password))

    def _verify(self, password_hash: str, old_hash: str, password: str) -> bool:
        matches = self._matches(password_hash or self._unknown, password)
        matches_old = _is_md5(old_hash, password)
        return matches if password_hash else matches_old

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, _octets(password))
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False


def _is_md5(old_hash: str, password: str) -> bool:
    """Tell in constant time whether C{old_hash} is base64 of the MD5 of C{password}."""
    own = base64.b64encode(hashlib.md5(_octets(password), usedforsecurity=False).digest())
    return hmac.compare_digest(own, old_hash.encode())


def _octets(text: str) -> bytes:
    """Encode any text, even what a terminal sent that was not UTF-8."""
    return text.encode("utf-8", "surrogatepass")
