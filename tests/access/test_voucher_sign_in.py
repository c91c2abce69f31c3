"""Signing in by voucher against a real database: who is let in, who must wait, what is remembered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.builders import NOON, Recording, put, rows, run, together
from tests.support.deadline import within
from wifidogd.access.open_session import Admitted, Refusal, Refused
from wifidogd.access.voucher_batches import make_batch
from wifidogd.access.voucher_sign_in import MOST_TRIES_AT_GATEWAY, VoucherSignIn
from wifidogd.domain.decisions import MOST_TRIES, TRIES_WINDOW
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import Network, SignInMethod
from wifidogd.domain.quotas import Limit
from wifidogd.domain.sessions import LoginQuery
from wifidogd.domain.tokens import hash_secret
from wifidogd.domain.voucher_codes import mint_code, show_code
from wifidogd.gateways.registry import Registry
from wifidogd.store.access.vouchers import Order, list_vouchers, revoke_vouchers
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.gateways import adopt
from wifidogd.store.gateways.networks import save_network

GATEWAY = Gateway("gw1", "default", "10.0.0.1")
ELSEWHERE = Gateway("gw2", "annexe", "10.0.0.2")
PHONE = LoginQuery("gw1", mac="02:00:00:00:00:01")
LAPTOP = LoginQuery("gw1", mac="02:00:00:00:00:02")


class Desk:
    """
    VoucherSignIn and what they need; the clock is the test's.

    @ivar codes: of a batch of three.
    """

    def __init__(self, database: Database) -> None:
        self.now = NOON
        self.database = database
        self.recording = Recording(database)
        self.directory = Registry(database, utc_now=self.utc_now)
        self.vouchers = VoucherSignIn(self.recording, self.directory, utc_now=self.utc_now)  # type: ignore[arg-type]

    def utc_now(self) -> datetime:
        return self.now

    async def open(self) -> None:
        await put(
            self.database,
            "INSERT INTO plans (name, title, time_limit) VALUES ('day', 'A day', '24 hours')",
        )
        for name, gateway in (("default", GATEWAY), ("annexe", ELSEWHERE)):
            await run(self.database, save_network, Network(name, name, (SignInMethod.VOUCHER,)))
            await run(self.database, adopt, gateway, NOON)
        self.codes = await self.make(3)
        await within(5, self.directory.refresh())

    async def make(self, count: int, valid_until: datetime | None = None) -> list[str]:
        order = Order("b", "day", "default", valid_until)
        return await run(self.database, make_batch, order, count, NOON, mint_code)

    async def sign_in(self, typed: str, visitor: LoginQuery = PHONE, gateway: Gateway = GATEWAY) -> Admitted | Refused:
        return await within(10, self.vouchers.sign_in(gateway, visitor, typed))


@pytest_twisted.async_yield_fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    """A desk with three vouchers."""
    desk = Desk(database)
    await within(20, desk.open())
    yield desk


@ensureDeferred
async def test_a_code_opens_a_session_on_the_allowance_of_its_voucher(desk: Desk) -> None:
    """Two devices of one voucher draw on the same; the clock of a plan does not start before somebody is online."""
    tokens = []
    for visitor in (PHONE, LAPTOP):
        admitted = await desk.sign_in(f" {show_code(desk.codes[0]).lower()} ", visitor)
        assert isinstance(admitted, Admitted)
        tokens.append(hash_secret(admitted.token))
    found = await rows(
        desk.database,
        "SELECT token_hash, voucher_id, plan, first_used_at FROM sessions JOIN allowances USING (allowance_id)",
    )
    [voucher] = [each for each in await run(desk.database, list_vouchers, 9) if each.code is None]
    assert sorted(found) == sorted((token, voucher.voucher_id, "day", None) for token in tokens)


@ensureDeferred
async def test_a_code_can_be_read_until_somebody_uses_it(desk: Desk) -> None:
    """Afterwards only its hash is left."""
    await desk.sign_in(desk.codes[0])
    assert {each.code for each in await run(desk.database, list_vouchers, 9)} == {None, *desk.codes[1:]}
    assert isinstance(await desk.sign_in(desk.codes[0]), Admitted)


@pytest.mark.parametrize("typed", ["", "0000-0000-0001", "correct horse", "\0", "x" * 10_000])
@ensureDeferred
async def test_a_typo_is_known_without_asking_the_database_and_costs_no_try(desk: Desk, typed: str) -> None:
    """The check character tells."""
    for _ in range(MOST_TRIES + 1):
        assert await desk.sign_in(typed) == Refused(Refusal.MISTYPED_CODE)
    assert desk.recording.statements == []
    assert isinstance(await desk.sign_in(desk.codes[0]), Admitted)


@ensureDeferred
async def test_a_voucher_is_good_in_its_network_only(desk: Desk) -> None:
    """Elsewhere it is unknown."""
    visitor = replace(PHONE, gw_id="gw2")
    assert await desk.sign_in(desk.codes[0], visitor, ELSEWHERE) == Refused(Refusal.UNKNOWN_CODE)
    assert None not in {each.code for each in await run(desk.database, list_vouchers, 9)}


@ensureDeferred
async def test_a_voucher_that_was_taken_back_says_so(desk: Desk) -> None:
    """Before its first use and after; who has it is no guesser."""
    await desk.sign_in(desk.codes[0])
    await run(desk.database, revoke_vouchers, batch="b")
    for _ in range(MOST_TRIES + 1):
        assert await desk.sign_in(desk.codes[0]) == Refused(Refusal.REVOKED)
        assert await desk.sign_in(desk.codes[1]) == Refused(Refusal.REVOKED)


@ensureDeferred
async def test_a_voucher_ends_at_the_very_second(desk: Desk) -> None:
    """Whatever its plan says."""
    [code] = await desk.make(1, NOON + timedelta(hours=1))
    desk.now = NOON + timedelta(hours=1, seconds=-1)
    assert isinstance(await desk.sign_in(code), Admitted)
    desk.now = NOON + timedelta(hours=1)
    assert await desk.sign_in(code) == Refused(Refusal.SPENT, limit=Limit.NOT_VALID)


@ensureDeferred
async def test_a_refused_guest_leaves_the_code_on_the_sheet(desk: Desk) -> None:
    """It has not been used."""
    [code] = await desk.make(1, NOON)
    assert isinstance(await desk.sign_in(code), Refused)
    assert code in {each.code for each in await run(desk.database, list_vouchers, 9)}


@ensureDeferred
async def test_a_device_is_stopped_from_guessing_and_its_neighbour_is_not(desk: Desk) -> None:
    """For the rest of its window, even from the right code."""
    for _ in range(MOST_TRIES):
        assert await desk.sign_in(mint_code()) == Refused(Refusal.UNKNOWN_CODE)
    desk.now += timedelta(minutes=5)
    assert await desk.sign_in(desk.codes[0]) == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW - timedelta(minutes=5))
    assert isinstance(await desk.sign_in(desk.codes[0], LAPTOP), Admitted)
    desk.now = NOON + TRIES_WINDOW
    assert isinstance(await desk.sign_in(desk.codes[0]), Admitted)


@pytest.mark.parametrize("mac", [None, "02:00:00:00:00:99"])
@ensureDeferred
async def test_a_gateway_is_closed_to_guessing_whatever_devices_are_claimed(desk: Desk, mac: str | None) -> None:
    """A MAC in a URL is the guesser's own invention."""
    tries = MOST_TRIES_AT_GATEWAY - 1
    subject = {"tries": tries, "noon": NOON}
    await put(desk.database, "INSERT INTO attempts VALUES ('gateway gw1', %(tries)s, %(noon)s)", subject)
    visitor = replace(PHONE, mac=mac)
    assert await desk.sign_in(mint_code(), visitor) == Refused(Refusal.UNKNOWN_CODE)
    assert await desk.sign_in(desk.codes[0], visitor) == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)


@ensureDeferred
async def test_a_stranger_cannot_close_a_gateway_to_its_guests(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever devices a source claims, and however many addresses of an IPv6 network it has."""
    monkeypatch.setattr("wifidogd.access.voucher_sign_in.MOST_TRIES_FROM_SOURCE", 3)
    monkeypatch.setattr("wifidogd.access.voucher_sign_in.MOST_TRIES_AT_GATEWAY", 5)

    async def guess(source: str, code: str) -> Admitted | Refused:
        return await within(10, desk.vouchers.sign_in(GATEWAY, replace(PHONE, mac=None), code, source))

    for number in range(6):
        await guess(f"2001:db8::{number}", mint_code())
    assert await guess("2001:db8::9", desk.codes[0]) == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)
    assert isinstance(await guess("198.51.100.7", desk.codes[0]), Admitted)


@ensureDeferred
async def test_many_guesses_at_once_do_not_slip_through(desk: Desk) -> None:
    """Each is counted before it is looked at."""
    outcomes = await together(*(desk.vouchers.sign_in(GATEWAY, PHONE, mint_code()) for _ in range(MOST_TRIES + 10)))
    assert outcomes.count(Refused(Refusal.UNKNOWN_CODE)) == MOST_TRIES


@ensureDeferred
async def test_signing_in_often_is_not_guessing(desk: Desk) -> None:
    """A right code takes its try back."""
    for _ in range(MOST_TRIES + 3):
        assert isinstance(await desk.sign_in(desk.codes[0]), Admitted)
