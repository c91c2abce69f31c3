"""Passwords and the tries that they cost; the passwords are compared plainly, which takes no time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred

from tests.support.builders import LOBBY, NOON, SECOND, adopt_all, mac, rows, run
from tests.support.deadline import within
from wifidogd.access.open_session import Refusal, Refused
from wifidogd.access.password_check import Identified, PasswordCheck, refuse_password
from wifidogd.access.throttle import MOST
from wifidogd.domain.errors import Overloaded
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.plans import Network
from wifidogd.domain.sessions import LoginQuery
from wifidogd.store.access.rate_limits import TRIES_WINDOW, SubjectKind
from wifidogd.store.accounts.accounts import add_account, set_disabled, set_password
from wifidogd.store.driver.database import Database

TRIES = "SELECT kind, gw_id, mac, source, name, tries FROM attempts ORDER BY attempt_id"
REQUEST = GuestRequest(LOBBY, Network("default", "Café"), LoginQuery("lobby", mac=mac(1)), NOON - SECOND)


class PlainPasswords:
    """
    Compares passwords with what stands in place of their hashes.

    @ivar verified: what was asked.
    """

    def __init__(self) -> None:
        self.verified: list[tuple[str | None, str, str | None]] = []
        self.is_busy = False

    async def verify(
        self, password_hash: str | None, password: str, old_hash: str | None = None, source: str | None = None
    ) -> bool:
        """As L{Passwords.verify}."""
        if self.is_busy:
            raise Overloaded("busy")
        self.verified.append((password_hash, password, old_hash))
        return password in (password_hash, "matches nobody")


class Scene:
    """An account of zoe, and the check."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.passwords = PlainPasswords()
        self.check = PasswordCheck(database, self.passwords, utc_now=lambda: NOON)  # type: ignore[arg-type]

    async def identify(self, *typed: str, **how: Any) -> str | Refusal:
        """Return the name of the account, or why there is none."""
        outcome = await within(5, self.check.identify(*typed, **how))
        return outcome.why if isinstance(outcome, Refused) else outcome.name


@async_yield_fixture
async def scene(database: Database) -> object:
    """One gateway too."""
    await adopt_all(database, LOBBY)
    for name in ("zoe", "y" * 100):
        await run(database, add_account, name, "right", NOON)
    yield Scene(database)


@ensureDeferred
async def test_a_right_password_costs_no_try_and_a_wrong_one_does(scene: Scene) -> None:
    """The account and the blocks of addresses that the source is in each count it."""
    assert await scene.identify(" Zoe", "right", source="192.0.2.1") == "zoe"
    assert [tries for *_, tries in await rows(scene.database, TRIES)] == [0, 0, 0]
    assert await scene.identify("zoe", "wrong", source="192.0.2.1") is Refusal.WRONG_PASSWORD
    assert [tries for *_, tries in await rows(scene.database, TRIES)] == [1, 1, 1]
    assert scene.passwords.verified == [("right", "right", None), ("right", "wrong", None)]


@ensureDeferred
async def test_a_locked_account_is_found_only_for_those_whom_the_lock_does_not_matter(scene: Scene) -> None:
    """Its right password costs a try like a wrong one; even_locked does not make a wrong one right."""
    await run(scene.database, set_disabled, "zoe", True)
    assert await scene.identify("zoe", "right") is Refusal.WRONG_PASSWORD
    assert await scene.identify("zoe", "right", even_locked=True) == "zoe"
    assert await scene.identify("zoe", "wrong", even_locked=True) is Refusal.WRONG_PASSWORD
    assert [tries for *_, tries in await rows(scene.database, TRIES)] == [2]


@ensureDeferred
async def test_a_password_that_could_not_be_checked_costs_no_try(scene: Scene) -> None:
    """The guest is to try again when the server is less busy."""
    scene.passwords.is_busy = True
    assert await scene.identify("zoe", "right", source="192.0.2.1") is Refusal.BUSY
    assert [tries for *_, tries in await rows(scene.database, TRIES)] == [0, 0, 0]


@ensureDeferred
async def test_an_unknown_name_is_checked_like_a_known_one(scene: Scene) -> None:
    """Whatever matches nothing: no account, no entry."""
    assert await scene.identify("nobody", "matches nobody") is Refusal.WRONG_PASSWORD
    assert scene.passwords.verified == [(None, "matches nobody", None)]


@pytest.mark.parametrize(
    ("typed", "counted"),
    [
        (" Nobody ", "nobody"),
        ("x" * 100, "x" * 100),
        ("x" * 101, ""),
        ("a\tb", ""),
        ("a\u202eb", ""),
    ],
)
@ensureDeferred
async def test_tries_at_no_account_count_against_what_was_typed(scene: Scene, typed: str, counted: str) -> None:
    """Those at names that no account can have count together, so that they fill no table."""
    assert await scene.identify(typed, "wrong") is Refusal.WRONG_PASSWORD
    assert await rows(scene.database, TRIES) == [("passwords of account", None, None, None, counted, 1)]


@ensureDeferred
async def test_the_longest_name_has_100_characters(scene: Scene) -> None:
    """As the table of accounts has it."""
    assert await scene.identify("Y" * 100, "right") == "y" * 100


@ensureDeferred
async def test_a_guest_at_a_gateway_is_counted_by_account_device_and_source(scene: Scene) -> None:
    """In this order, the narrowest first; a redirect that names no device is counted by the others."""
    for request in (REQUEST, replace(REQUEST, query=LoginQuery("lobby"))):
        checked = await within(5, scene.check.check("nobody", "wrong", request=request, source="192.0.2.1"))
        assert checked == Refused(Refusal.WRONG_PASSWORD)
    assert await rows(scene.database, TRIES) == [
        ("passwords of account", None, None, None, "nobody", 2),
        ("device", "lobby", mac(1), None, None, 1),
        ("passwords from source", None, None, "192.0.2.1", None, 2),
        ("passwords from source", None, None, "192.0.2.0/24", None, 2),
    ]


@ensureDeferred
async def test_who_checks_has_the_try_to_forgive(scene: Scene) -> None:
    """Which the sign-in does in its own transaction; until then it counts."""
    checked = await within(5, scene.check.check("zoe", "right", request=REQUEST, source="192.0.2.1"))
    assert isinstance(checked, Identified)
    assert (checked.account.name, checked.counted.wait, len(checked.counted.attempt_ids)) == ("zoe", None, 4)
    assert [tries for *_, tries in await rows(scene.database, TRIES)] == [1, 1, 1, 1]


@ensureDeferred
async def test_no_password_is_checked_once_the_tries_are_used_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The window is counted from the clock of the check."""
    monkeypatch.setitem(MOST, SubjectKind.PASSWORDS_OF_ACCOUNT, 1)  # type: ignore[misc]
    assert await scene.identify("zoe", "wrong") is Refusal.WRONG_PASSWORD
    outcome = await within(5, scene.check.identify("zoe", "right"))
    assert outcome == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)
    assert len(scene.passwords.verified) == 1


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("correct horse", None),
        ("パスワードを長く", None),
        ("short", Refusal.WEAK_PASSWORD),
        ("", Refusal.WEAK_PASSWORD),
        ("x" * 1001, Refusal.LONG_PASSWORD),
        (" correct horse", Refusal.PADDED_PASSWORD),
        ("correct horse\xa0", Refusal.PADDED_PASSWORD),
        ("correct\xa0horse", Refusal.UNSEEN_PASSWORD),
        ("correct\u200bhorse", Refusal.UNSEEN_PASSWORD),
        ("eight\0nul", Refusal.UNSEEN_PASSWORD),
    ],
)
def test_a_password_that_the_next_device_would_type_differently_is_refused(password: str, why: Refusal | None) -> None:
    """With the reason."""
    assert refuse_password(password) == (None if why is None else Refused(why))


@ensureDeferred
async def test_a_password_is_checked_in_its_normal_form_and_then_as_it_was_typed(scene: Scene) -> None:
    """A hash of before may be of either; what is typed decides how often the work is done, never who it is for."""
    decomposed, composed = "Gru\u0308n-Tee", "Gr\xfcn-Tee"
    for name in ("zoe", "nobody"):
        assert await scene.identify(name, decomposed) is Refusal.WRONG_PASSWORD
        assert await scene.identify(name, composed) is Refusal.WRONG_PASSWORD
    tried = [password for _, password, _ in scene.passwords.verified]
    assert tried == [composed, decomposed, composed] * 2
    for stored, typed, is_stale in (
        (composed, decomposed, False),
        (composed, composed, False),
        (decomposed, decomposed, True),
    ):
        await run(scene.database, set_password, "zoe", stored)
        checked = await within(5, scene.check.check("zoe", typed))
        assert isinstance(checked, Identified)
        assert checked.is_stale is is_stale
