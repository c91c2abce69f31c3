"""Passwords are hashed and checked on threads, a bounded number at a time."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator

import argon2
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList

from tests.support.deadline import within
from wifidogd.domain.errors import Overloaded
from wifidogd.runtime.passwords import Passwords


@pytest_twisted.async_yield_fixture
async def passwords() -> AsyncIterator[Passwords]:
    """One thread, and room for two more."""
    passwords = Passwords(reactor, threads=1, max_waiting=2)
    passwords.start()
    yield passwords
    passwords.stop()


@ensureDeferred
async def test_passwords_are_hashed_with_argon2id_and_salt(passwords: Passwords) -> None:
    """The same password twice gives two hashes, both good for it."""
    one, other = await within(20, passwords.hash("open sesame")), await within(20, passwords.hash("open sesame"))
    assert one.startswith("$argon2id$")
    assert one != other
    assert await within(20, passwords.verify(one, "open sesame"))
    assert await within(20, passwords.verify(other, "open sesame"))


@pytest.mark.parametrize(
    "wrong", ["", "Open sesame", "open sesame ", "open sesame\0", "open\udc80sesame", "x" * 100_000]
)
@ensureDeferred
async def test_a_wrong_password_is_wrong(passwords: Passwords, wrong: str) -> None:
    """Whatever it is made of."""
    assert not await within(20, passwords.verify(argon2.PasswordHasher().hash("open sesame"), wrong))


@ensureDeferred
async def test_a_password_is_hashed_in_its_normal_form(passwords: Passwords) -> None:
    """As it is checked, however the keyboard writes it."""
    assert await within(20, passwords.verify(await within(20, passwords.hash("Gru\u0308n-Tee")), "Gr\xfcn-Tee"))


@pytest.mark.parametrize("password", ["pass wörd ☕", "a\0b", "caf\udce9"])
@ensureDeferred
async def test_a_password_may_be_any_text(passwords: Passwords, password: str) -> None:
    """Even bytes of a terminal that are not UTF-8."""
    assert await within(20, passwords.verify(await within(20, passwords.hash(password)), password))


@ensureDeferred
async def test_a_password_hash_that_cannot_be_read_matches_nothing(passwords: Passwords) -> None:
    """A damaged row is a wrong password, not an error page."""
    assert not await within(20, passwords.verify("not a hash", "open sesame"))


@pytest.mark.parametrize(
    ("old_hash", "password", "is_right"),
    [
        ("ISMvKXpXpadDiUoOSoAfww==", "admin", True),
        ("ISMvKXpXpadDiUoOSoAfww==", "Admin", False),
        ("ISMvKXpXpadDiUoOSoAfww==", "ISMvKXpXpadDiUoOSoAfww==", False),
        ("ISMvKXpXpadDiUoOSoAfww", "admin", False),
        ("", "", False),
        ("d\u00e9j\u00e0 vu", "admin", False),
    ],
)
@ensureDeferred
async def test_a_password_of_wifidog_auth_is_known_by_its_md5(
    passwords: Passwords, old_hash: str, password: str, is_right: bool
) -> None:
    """As its initial data has it for C{admin}."""
    assert await within(20, passwords.verify(None, password, old_hash)) is is_right


@ensureDeferred
async def test_an_old_hash_beside_a_better_one_opens_nothing(passwords: Passwords) -> None:
    """Only what the better one says counts."""
    better = await within(20, passwords.hash("open sesame"))
    assert not await within(20, passwords.verify(better, "admin", "ISMvKXpXpadDiUoOSoAfww=="))
    assert await within(20, passwords.verify(better, "open sesame", "ISMvKXpXpadDiUoOSoAfww=="))


@pytest.mark.parametrize("old_hash", [None, "ISMvKXpXpadDiUoOSoAfww=="])
@ensureDeferred
async def test_an_account_without_argon2id_costs_the_same_work(old_hash: str | None) -> None:
    """Unknown or imported: the one verification is done, with the same parameters, and says no."""
    passwords = Passwords(reactor)
    passwords.start()
    checked: list[str] = []

    class Hasher(argon2.PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            checked.append(str(hash))
            return True

    real, passwords._hasher = passwords._hasher, Hasher()
    try:
        assert not await within(20, passwords.verify(None, "open sesame", old_hash))
    finally:
        passwords.stop()
    assert len(checked) == 1
    assert not real.check_needs_rehash(checked[0])


class Gate(argon2.PasswordHasher):
    """Holds up every hash until it is opened, and counts those that went through."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.opened = threading.Event()
        self.done = 0

    def hash(self, password: str | bytes, **kwargs: bytes | None) -> str:
        """Wait, then hash."""
        self.opened.wait(20)
        self.done += 1
        return super().hash(password)


@ensureDeferred
async def test_a_queue_that_is_full_says_so_at_once(passwords: Passwords) -> None:
    """One is hashed, two wait, the fourth is sent away; there is room again when they are done."""
    passwords._hasher = gate = Gate()
    waiting = [Deferred.fromCoroutine(passwords.hash("x")) for _ in range(3)]
    with pytest.raises(Overloaded):
        await within(5, passwords.hash("x"))
    gate.opened.set()
    assert all(success for success, _ in await within(20, DeferredList(waiting)))
    await within(20, passwords.hash("x"))


@ensureDeferred
async def test_hanging_up_does_not_make_room(passwords: Passwords) -> None:
    """A thread cannot be called back, so whoever asks and leaves must not let more in than the queue holds."""
    passwords._hasher = gate = Gate()
    left = [Deferred.fromCoroutine(passwords.hash("x")) for _ in range(3)]
    for answer in left:
        answer.addErrback(lambda failure: failure.trap(CancelledError) and None)
        answer.cancel()
    with pytest.raises(Overloaded):
        await within(5, passwords.hash("x"))
    gate.opened.set()
    passwords.stop()
    assert gate.done == 3


@ensureDeferred
async def test_no_source_keeps_others_out(passwords: Passwords) -> None:
    """Whoever waits for most gives up a place to another; what a provider gives a customer of IPv6 is one source."""
    passwords._hasher = gate = Gate()
    flood = [Deferred.fromCoroutine(passwords.hash("x", f"2001:db8:0:{number}::1")) for number in range(3)]
    with pytest.raises(Overloaded):
        await within(5, passwords.hash("x", "2001:db8:0:ffff::1"))
    guest = Deferred.fromCoroutine(passwords.hash("x", "192.0.2.1"))
    with pytest.raises(Overloaded):
        await within(5, passwords.hash("x", "192.0.2.2"))
    gate.opened.set()
    outcomes = await within(20, DeferredList([*flood, guest], consumeErrors=True))
    assert [success for success, _ in outcomes] == [True, True, False, True]


@ensureDeferred
async def test_sources_take_turns() -> None:
    """Not the one that came first with many."""
    passwords = Passwords(reactor, threads=1, max_waiting=9)
    passwords.start()
    passwords._hasher = gate = Gate()
    done: list[str] = []
    sources = ["192.0.2.1"] * 4 + ["192.0.2.2"] * 2 + [None, "192.0.2.3"]
    asked = [Deferred.fromCoroutine(passwords.hash("x", source)) for source in sources]
    for answer, source in zip(asked, sources, strict=True):
        answer.addCallback(lambda _, source=source: done.append(str(source)[-1]))
    gate.opened.set()
    await within(20, DeferredList(asked))
    passwords.stop()
    assert "".join(done) == "112e3121"


def test_stopping_what_never_started_is_fine() -> None:
    """A server that failed to start is stopped all the same."""
    Passwords(reactor).stop()
