"""Hashes and checks passwords on threads of their own."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import argon2
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from wifidogd.domain.addresses import delegation_of
from wifidogd.domain.errors import Overloaded
from wifidogd.domain.tokens import mint_token, normal_password, octets_of

T = TypeVar("T")


@dataclass(slots=True)
class _Task:
    """A password that waits for a thread, and who waits for the answer."""

    run: Callable[[], object]
    answer: Deferred[Any]


class Passwords:
    """
    Runs argon2id on its own threads, never on the reactor's.

    Sources take turns, and when all places are taken, the source that has most
    of them gives one up to another that has fewer: nobody keeps others waiting,
    or out, by sending many.

    @param threads: passwords hashed at the same time; each takes tens of
        milliseconds of a core and 64 MiB.
    @param max_waiting: further passwords that may wait.
    """

    def __init__(self, reactor: IReactorFromThreads, *, threads: int = 2, max_waiting: int = 16) -> None:
        self._reactor = reactor
        self._hasher = argon2.PasswordHasher()
        self._unknown = self._hasher.hash(mint_token())
        self._pool = ThreadPool(0, threads, "passwords")
        self._threads = threads
        self._max_waiting = max_waiting
        self._running = 0
        self._waiting: OrderedDict[str | None, deque[_Task]] = OrderedDict()

    def start(self) -> None:
        """Allow threads, which start when they are needed."""
        self._pool.start()

    async def hash(self, password: str, source: str | None = None) -> str:
        """
        Return the hash of a password, in its normal form, for storing: a PHC string, which holds its salt and cost.

        @param source: address of the connection that waits for it; None when unknown.
        @raise Overloaded: if too many are waiting.
        """
        return await self._apart(source, partial(self._hash, password))

    async def verify(
        self, password_hash: str | None, password: str, old_hash: str | None = None, source: str | None = None
    ) -> bool:
        """
        Return whether C{password} matches C{password_hash}, or C{old_hash} if that is all there is.

        @param password_hash: None for an unknown account, or one not yet upgraded; the same work is done, so that
            the time it takes does not show which names exist.
        @param old_hash: base64 of MD5, as wifidog-auth stored it (C{User::passwordHash}); None for none.
        @param source: as in L{hash}.
        @raise Overloaded: if too many are waiting.
        """
        return await self._apart(source, partial(self._verify, password_hash or "", old_hash or "", password))

    def stop(self) -> None:
        """Wait for the passwords that are being hashed, and end the threads; those that wait are hashed before that."""
        if self._pool.started:
            for task in [task for tasks in self._waiting.values() for task in tasks]:
                self._start(task)
            self._waiting.clear()
            self._pool.stop()

    async def _apart(self, source: str | None, run: Callable[[], T]) -> T:
        """
        Run work on a thread and return its result.

        A browser that hangs up cancels the answer, not the work: it counts
        until the thread is done with it, or any number would pile up.
        """
        task, party = _Task(run, Deferred()), None if source is None else delegation_of(source)
        if self._running < self._threads:
            self._start(task)
        else:
            self._make_room_for(party)
            self._waiting.setdefault(party, deque()).append(task)
        result: T = await task.answer
        return result

    def _make_room_for(self, party: str | None) -> None:
        """
        Send away the last to come of the party that waits for most, if no place is free.

        @raise Overloaded: if the newcomer's party would wait for as much itself.
        """
        if sum(map(len, self._waiting.values())) < self._max_waiting:
            return
        most = max(self._waiting, key=lambda each: len(self._waiting[each]), default=None)
        if most not in self._waiting or len(self._waiting[most]) <= len(self._waiting.get(party, ())) + 1:
            raise Overloaded("too many passwords are waiting to be checked")
        self._waiting[most].pop().answer.errback(Overloaded("others wait to have their passwords checked"))

    def _start(self, task: _Task) -> None:
        self._running += 1

        def finish(result: object) -> None:
            self._running -= 1
            self._start_next()
            task.answer.callback(result)

        _ = deferToThreadPool(self._reactor, self._pool, task.run).addBoth(finish)

    def _start_next(self) -> None:
        """Take the password that has waited longest of the party whose turn it is."""
        if not self._waiting:
            return
        party, tasks = self._waiting.popitem(last=False)
        task = tasks.popleft()
        if tasks:
            self._waiting[party] = tasks
        self._start(task)

    def _hash(self, password: str) -> str:
        return self._hasher.hash(octets_of(normal_password(password)))

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
