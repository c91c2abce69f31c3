"""Hashes and checks passwords on threads of their own."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import TypeVar

import argon2
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from wifidogd.domain.errors import Overloaded
from wifidogd.domain.tokens import mint_token, octets_of

T = TypeVar("T")


class Passwords:
    """
    Runs argon2id on its own threads, never on the reactor's.

    @param threads: passwords hashed at the same time; each takes tens of
        milliseconds of a core and 64 MiB.
    @param max_waiting: further passwords that may wait.
    """

    def __init__(self, reactor: IReactorFromThreads, *, threads: int = 2, max_waiting: int = 16) -> None:
        self._reactor = reactor
        self._hasher = argon2.PasswordHasher()
        self._unknown = self._hasher.hash(mint_token())
        self._pool = ThreadPool(0, threads, "passwords")
        self._room = threads + max_waiting

    def start(self) -> None:
        """Allow threads, which start when they are needed."""
        self._pool.start()

    async def hash(self, password: str) -> str:
        """
        Return the hash of a password for storing: a PHC string, which holds its salt and cost.

        @raise Overloaded: if too many are waiting.
        """
        return await self._apart(self._hash, password)

    async def verify(self, password_hash: str | None, password: str, old_hash: str | None = None) -> bool:
        """
        Return whether C{password} matches C{password_hash}, or C{old_hash} if that is all there is.

        @param password_hash: None for an unknown account, or one not yet upgraded; the same work is done, so that
            the time it takes does not show which names exist.
        @param old_hash: base64 of MD5, as wifidog-auth stored it (C{User::passwordHash}); None for none.
        @raise Overloaded: if too many are waiting.
        """
        return await self._apart(self._verify, password_hash or "", old_hash or "", password)

    def stop(self) -> None:
        """Wait for the passwords that are being hashed, and end the threads."""
        if self._pool.started:
            self._pool.stop()

    async def _apart(self, work: Callable[..., T], *arguments: str) -> T:
        """
        Run work on a thread and return its result.

        A browser that hangs up cancels the answer, not the work: it counts
        until the thread is done with it, or any number would pile up.
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
        return self._hasher.hash(octets_of(password))

    def _verify(self, password_hash: str, old_hash: str, password: str) -> bool:
        matches = self._matches(password_hash or self._unknown, password)
        matches_old = _is_md5(old_hash, password)
        return matches if password_hash else matches_old

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, octets_of(password))
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False


def _is_md5(old_hash: str, password: str) -> bool:
    """Return whether C{old_hash} is base64 of the MD5 of C{password}, compared in constant time."""
    own = base64.b64encode(hashlib.md5(octets_of(password), usedforsecurity=False).digest())
    return hmac.compare_digest(own, old_hash.encode())
