"""Signing in by voucher against a real database: who is let in, who must wait, what is remembered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.builders import NOON, SECOND, Recording, open_online, put, rows, run, together
from tests.support.deadline import within
from wifidogd.access.open_session import Admitted, Refusal, Refused
from wifidogd.access.throttle import MOST
from wifidogd.access.voucher_batches import make_batch
from wifidogd.access.voucher_sign_in import VoucherSignIn
from wifidogd.domain.errors import StoreConflict
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.plans import Network, SignInMethod
from wifidogd.domain.quotas import Limit
from wifidogd.domain.sessions import LoginQuery
from wifidogd.domain.tokens import hash_secret
from wifidogd.domain.voucher_codes import mint_code, show_code
from wifidogd.gateways.registry import Registry
from wifidogd.store.access.rate_limits import TRIES_WINDOW, SubjectKind
from wifidogd.store.access.vouchers import Order, list_vouchers, revoke_vouchers
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.gateways import adopt
from wifidogd.store.gateways.networks import save_network

MONTH = timedelta(days=30)
MOST_TRIES, MOST_CODES_AT_GATEWAY = 10, 2_500
"""What nobody may raise without noticing that guessing gets easier."""

GATEWAY = Gateway("gw1", "default", "10.0.0.1")
ELSEWHERE = Gateway("gw2", "annexe", "10.0.0.2")
PHONE = LoginQuery("gw1", mac="02:00:00:00:00:01")
LAPTOP = LoginQuery("gw1", mac="02:00:00:00:00:02")


class Harness:
    """
    Voucher sign-in and what it needs; the clock is the test's.

    @ivar codes: of a batch of three.
    """

    def __init__(self, database: Database) -> None:
        self.now = NOON
        self.database = database
        self.recording = Recording(database)
        self.registry = Registry(database, utc_now=self.utc_now)
        self.voucher_sign_in = VoucherSignIn(self.recording)  # type: ignore[arg-type]

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
        await within(5, self.registry.refresh())

    async def make(self, count: int, valid_until: datetime | None = None) -> list[str]:
        order = Order("b", "day", "default", valid_until)
        return await run(self.database, make_batch, order, count, NOON, mint_code)

    async def sign_in(self, typed: str, query: LoginQuery = PHONE, gateway: Gateway = GATEWAY) -> Admitted | Refused:
        return await within(10, self.voucher_sign_in.sign_in(self.request(query, gateway), typed))

    async def guess(self, source: str, code: str | None = None) -> Admitted | Refused:
        """Try a code from a source, on no device; None for a wrong one."""
        request = self.request(replace(PHONE, mac=None), source=source)
        return await within(10, self.voucher_sign_in.sign_in(request, code or mint_code()))

    def remembering(self) -> GuestRequest:
        """Ask to be remembered where that is possible."""
        network = replace(self.registry.network("default"), remember=MONTH)
        return replace(self.request(), network=network, wants_remembering=True)

    def request(self, query: LoginQuery = PHONE, gateway: Gateway = GATEWAY, source: str | None = None) -> GuestRequest:
        """Ask from a device at a gateway."""
        return GuestRequest(gateway, self.registry.network(gateway.network), query, self.now, source)


@pytest_twisted.async_yield_fixture
async def harness(database: Database) -> AsyncIterator[Harness]:
    """A gateway and three vouchers."""
    harness = Harness(database)
    await within(20, harness.open())
    yield harness


@ensureDeferred
async def test_a_code_opens_a_session_on_the_allowance_of_its_voucher(harness: Harness) -> None:
    """Two devices of one voucher draw on the same; the clock of a plan does not start before somebody is online."""
    tokens = []
    for query in (PHONE, LAPTOP):
        admitted = await harness.sign_in(f" {show_code(harness.codes[0]).lower()} ", query)
        assert isinstance(admitted, Admitted)
        tokens.append(hash_secret(admitted.token))
    found = await rows(
        harness.database,
        "SELECT token_hash, voucher_id, plan, first_used_at FROM sessions JOIN allowances USING (allowance_id)",
    )
    [voucher] = [each for each in await run(harness.database, list_vouchers, 9) if each.code is None]
    assert sorted(found) == sorted((token, voucher.voucher_id, "day", None) for token in tokens)


@ensureDeferred
async def test_a_code_can_be_read_until_somebody_uses_it(harness: Harness) -> None:
    """Afterwards only its hash is left."""
    await harness.sign_in(harness.codes[0])
    assert {each.code for each in await run(harness.database, list_vouchers, 9)} == {None, *harness.codes[1:]}
    assert isinstance(await harness.sign_in(harness.codes[0]), Admitted)


@pytest.mark.parametrize("typed", ["", "0000-0000-0001", "correct horse", "\0", "x" * 10_000])
@ensureDeferred
async def test_a_typo_is_known_without_asking_the_database_and_costs_no_try(harness: Harness, typed: str) -> None:
    """The check character tells."""
    for _ in range(MOST_TRIES + 1):
        assert await harness.sign_in(typed) == Refused(Refusal.MISTYPED_CODE)
    assert harness.recording.statements == []
    assert isinstance(await harness.sign_in(harness.codes[0]), Admitted)


@ensureDeferred
async def test_a_voucher_is_good_in_its_network_only(harness: Harness) -> None:
    """Elsewhere it is unknown."""
    query = replace(PHONE, gw_id="gw2")
    assert await harness.sign_in(harness.codes[0], query, ELSEWHERE) == Refused(Refusal.UNKNOWN_CODE)
    assert None not in {each.code for each in await run(harness.database, list_vouchers, 9)}


@ensureDeferred
async def test_a_voucher_that_was_taken_back_says_so(harness: Harness) -> None:
    """Before its first use and after; who has it is no guesser."""
    await harness.sign_in(harness.codes[0])
    await run(harness.database, revoke_vouchers, batch="b")
    for _ in range(MOST_TRIES + 1):
        assert await harness.sign_in(harness.codes[0]) == Refused(Refusal.REVOKED)
        assert await harness.sign_in(harness.codes[1]) == Refused(Refusal.REVOKED)


@ensureDeferred
async def test_a_voucher_ends_at_the_very_second(harness: Harness) -> None:
    """Whatever its plan says."""
    [code] = await harness.make(1, NOON + timedelta(hours=1))
    harness.now = NOON + timedelta(hours=1, seconds=-1)
    assert isinstance(await harness.sign_in(code), Admitted)
    harness.now = NOON + timedelta(hours=1)
    assert await harness.sign_in(code) == Refused(Refusal.SPENT, limit=Limit.NOT_VALID)


@ensureDeferred
async def test_a_refused_guest_leaves_the_code_on_the_sheet(harness: Harness) -> None:
    """It has not been used."""
    [code] = await harness.make(1, NOON)
    assert isinstance(await harness.sign_in(code), Refused)
    assert code in {each.code for each in await run(harness.database, list_vouchers, 9)}


@ensureDeferred
async def test_a_device_is_stopped_from_guessing_and_its_neighbour_is_not(harness: Harness) -> None:
    """For the rest of its window, even from the right code."""
    for _ in range(MOST_TRIES):
        assert await harness.sign_in(mint_code()) == Refused(Refusal.UNKNOWN_CODE)
    harness.now += timedelta(minutes=5)
    assert await harness.sign_in(harness.codes[0]) == Refused(
        Refusal.TOO_MANY_TRIES, TRIES_WINDOW - timedelta(minutes=5)
    )
    assert isinstance(await harness.sign_in(harness.codes[0], LAPTOP), Admitted)
    harness.now = NOON + TRIES_WINDOW
    assert isinstance(await harness.sign_in(harness.codes[0]), Admitted)


@pytest.mark.parametrize("mac", [None, "02:00:00:00:00:99"])
@ensureDeferred
async def test_a_gateway_is_closed_to_guessing_whatever_devices_are_claimed(harness: Harness, mac: str | None) -> None:
    """A MAC in a URL is the guesser's own invention; for a moment each time, as guests have nothing to do with it."""
    tries = MOST_CODES_AT_GATEWAY - 1
    await put(
        harness.database,
        "INSERT INTO attempts (kind, gw_id, tries, started_at) VALUES ('codes at gateway', 'gw1', %(tries)s, %(noon)s)",
        {"tries": tries, "noon": NOON},
    )
    query = replace(PHONE, mac=mac)
    assert await harness.sign_in(mint_code(), query) == Refused(Refusal.UNKNOWN_CODE)
    for _ in range(3):
        assert await harness.sign_in(harness.codes[0], query) == Refused(Refusal.TOO_MANY_TRIES, SECOND)
    harness.now += SECOND
    assert isinstance(await harness.sign_in(harness.codes[0], query), Admitted)


@ensureDeferred
async def test_a_stranger_cannot_close_a_gateway_to_its_guests(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever devices a source claims, and however many addresses of an IPv6 network it has."""
    monkeypatch.setitem(MOST, SubjectKind.CODES_FROM_SOURCE, 3)
    monkeypatch.setitem(MOST, SubjectKind.CODES_AT_GATEWAY, 5)
    for number in range(6):
        await harness.guess(f"2001:db8::{number}")
    refused = await harness.guess("2001:db8::9", harness.codes[0])
    assert refused == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW / 3)
    assert isinstance(await harness.guess("198.51.100.7", harness.codes[0]), Admitted)


@ensureDeferred
async def test_a_delegation_cannot_close_a_gateway(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has a /48 has 65,536 networks of 64 bits, and four times the tries of one."""
    monkeypatch.setitem(MOST, SubjectKind.CODES_FROM_SOURCE, 3)
    monkeypatch.setitem(MOST, SubjectKind.CODES_AT_GATEWAY, 15)
    outcomes = [await harness.guess(f"2001:db8:0:{number:x}00::1") for number in range(40)]
    assert outcomes.count(Refused(Refusal.UNKNOWN_CODE)) == 12
    assert await rows(harness.database, "SELECT count(*) FROM attempts") == [(12 + 12 + 1 + 1,)]
    assert await harness.guess("2001:db8:0:ffff::1") == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW / 12)
    assert isinstance(await harness.guess("2001:db8:1::1", harness.codes[0]), Admitted)


@ensureDeferred
async def test_half_a_delegation_has_its_limit_too(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A /56 twice the tries of a /64; and of IPv4, a /24 four times those of an address."""
    monkeypatch.setitem(MOST, SubjectKind.CODES_FROM_SOURCE, 3)
    outcomes = [await harness.guess(f"2001:db8:0:{number:x}::1") for number in range(20)]
    assert outcomes.count(Refused(Refusal.UNKNOWN_CODE)) == 6
    outcomes = [await harness.guess(f"192.0.2.{number}") for number in range(20)]
    assert outcomes.count(Refused(Refusal.UNKNOWN_CODE)) == 12


@ensureDeferred
async def test_where_guests_have_signed_in_a_gateway_stays_open(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many strangers guess from however many networks; a source that only guessed is not such."""
    monkeypatch.setitem(MOST, SubjectKind.CODES_AT_GATEWAY, 10)
    assert isinstance(await harness.guess("198.51.100.7", harness.codes[0]), Admitted)
    await harness.guess("203.0.113.1")
    for number in range(20):
        await harness.guess(f"2001:db8:{number}::1")
    too_many = Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW / 10)
    assert await harness.guess("203.0.113.1", harness.codes[1]) == too_many
    assert await harness.guess("198.51.100.8", harness.codes[1]) == too_many
    assert isinstance(await harness.guess("198.51.100.7", harness.codes[1]), Admitted)
    assert await harness.guess("198.51.100.7") == Refused(Refusal.UNKNOWN_CODE)
    assert await rows(harness.database, "SELECT gw_id, source FROM guest_sources") == [("gw1", "198.51.100.7")]


@ensureDeferred
async def test_a_source_slows_down_instead_of_closing(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often somebody there goes on guessing: the next place is free when it would have been."""
    monkeypatch.setitem(MOST, SubjectKind.CODES_FROM_SOURCE, 9)
    step = TRIES_WINDOW / 9
    outcomes = [await harness.guess("198.51.100.7") for _ in range(30)]
    assert outcomes.count(Refused(Refusal.UNKNOWN_CODE)) == 9
    for _ in range(8):
        harness.now += step
        assert isinstance(await harness.guess("198.51.100.7", harness.codes[0]), Admitted)
        assert await harness.guess("198.51.100.7") == Refused(Refusal.UNKNOWN_CODE)
        refused = [await harness.guess("198.51.100.7", harness.codes[0]) for _ in range(5)]
        assert refused == [Refused(Refusal.TOO_MANY_TRIES, step)] * 5
    harness.now = NOON + TRIES_WINDOW
    outcomes = [await harness.guess("198.51.100.7") for _ in range(30)]
    assert outcomes.count(Refused(Refusal.UNKNOWN_CODE)) == 9


@ensureDeferred
async def test_many_guesses_at_once_do_not_slip_through(harness: Harness) -> None:
    """Each is counted before it is looked at."""
    outcomes = await together(
        *(harness.voucher_sign_in.sign_in(harness.request(), mint_code()) for _ in range(MOST_TRIES + 10))
    )
    assert outcomes.count(Refused(Refusal.UNKNOWN_CODE)) == MOST_TRIES


@ensureDeferred
async def test_signing_in_often_is_not_guessing(harness: Harness) -> None:
    """A right code takes its try back."""
    for _ in range(MOST_TRIES + 3):
        assert isinstance(await harness.sign_in(harness.codes[0]), Admitted)


REMEMBERED = "SELECT key_hash, voucher_id, account_id, expires_at, network FROM devices"


@ensureDeferred
async def test_a_device_is_remembered_with_its_session(harness: Harness) -> None:
    """Instead of what the browser was known by before, for as long as the network says."""
    request, code = harness.remembering(), harness.codes[0]
    first = await within(10, harness.voucher_sign_in.sign_in(request, code))
    assert isinstance(first, Admitted)
    assert first.cookie is not None
    request = replace(request, device_key=first.cookie.key)
    second = await within(10, harness.voucher_sign_in.sign_in(request, code))
    assert isinstance(second, Admitted)
    assert second.cookie is not None
    assert second.cookie.until == NOON + MONTH
    [(key_hash, *rest)] = await rows(harness.database, REMEMBERED)
    assert bytes(key_hash) == hash_secret(second.cookie.key)
    used = "SELECT voucher_id FROM vouchers WHERE code IS NULL"
    [(voucher_id,)] = await rows(harness.database, used)
    assert rest == [voucher_id, None, NOON + MONTH, "default"]
    attached = "SELECT token_hash FROM sessions JOIN devices USING (device_id)"
    assert [bytes(found) for (found,) in await rows(harness.database, attached)] == [hash_secret(second.token)]


@pytest.mark.parametrize(
    "changes", [{"wants_remembering": False}, {"network": Network("default", "default", (SignInMethod.VOUCHER,))}]
)
@ensureDeferred
async def test_only_who_wants_it_is_remembered_and_where_the_network_does(
    harness: Harness, changes: dict[str, Any]
) -> None:
    """What the browser was known by before stays good."""
    request = replace(harness.remembering(), device_key="0" * 32, **changes)
    await put(
        harness.database,
        """
        INSERT INTO devices (key_hash, network, voucher_id, remembered_at, expires_at)
        VALUES (%(key_hash)s, 'default', 1, %(now)s, %(now)s)
        """,
        {"key_hash": hash_secret("0" * 32), "now": NOON},
    )
    admitted = await within(10, harness.voucher_sign_in.sign_in(request, harness.codes[0]))
    assert isinstance(admitted, Admitted)
    assert admitted.cookie is None
    assert await rows(harness.database, "SELECT count(*) FROM devices") == [(1,)]


@ensureDeferred
async def test_who_is_refused_stays_as_they_were(harness: Harness) -> None:
    """The device is still known by the key it has."""
    first = await within(10, harness.voucher_sign_in.sign_in(harness.remembering(), harness.codes[0]))
    assert isinstance(first, Admitted)
    assert first.cookie is not None
    [code] = await harness.make(1, NOON)
    request = replace(harness.remembering(), device_key=first.cookie.key)
    refused = await within(10, harness.voucher_sign_in.sign_in(request, code))
    assert refused == Refused(Refusal.SPENT, limit=Limit.NOT_VALID)
    assert len(await rows(harness.database, REMEMBERED)) == 1


@ensureDeferred
async def test_a_sign_in_happens_as_a_whole_or_not_at_all(harness: Harness) -> None:
    """A token that is taken leaves no device, no allowance in use and no code that is spent."""
    again = VoucherSignIn(harness.database, mint=lambda: "t" * 32)
    plain = replace(harness.remembering(), wants_remembering=False)
    assert isinstance(await within(10, again.sign_in(plain, harness.codes[0])), Admitted)
    with pytest.raises(StoreConflict):
        await within(10, again.sign_in(harness.remembering(), harness.codes[1]))
    assert await rows(harness.database, "SELECT count(*) FROM devices") == [(0,)]
    assert await rows(harness.database, "SELECT count(*) FROM allowances") == [(1,)]
    assert harness.codes[1] in {each.code for each in await run(harness.database, list_vouchers, 9)}


@ensureDeferred
async def test_who_is_online_already_is_told_so_and_costs_no_try(harness: Harness) -> None:
    """Unless they insist."""
    await open_online(harness.database, 0x020000000001, gw_id="gw1")
    outcomes = [await harness.sign_in(mint_code()) for _ in range(MOST_TRIES + 1)]
    assert outcomes == [Refused(Refusal.ALREADY_ONLINE)] * (MOST_TRIES + 1)
    insisting = replace(harness.request(), even_if_online=True)
    assert isinstance(await within(10, harness.voucher_sign_in.sign_in(insisting, harness.codes[0])), Admitted)
