"""
What gateways count, through the ledger into a real PostgreSQL.

Guests who share the MAC of a repeater, devices that get another address, and counters that wrap, restart or come late.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import Clock

from tests.support.builders import Recording, adopt_all, mac, rows, run, together
from tests.support.deadline import within
from wifidogd.access.open_session import Admitted, Identity, Refusal, Refused, open_pending_session, refuse_if_online
from wifidogd.accounting.expiry import Expiry
from wifidogd.accounting.ledger import Ledger
from wifidogd.domain.gateways import Gateway, Heartbeat
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.plans import AllowanceOwner, Network, Plan
from wifidogd.domain.sessions import AuthCode, Dialect, LoginQuery, Octets, Report, Stage
from wifidogd.gateways.registry import Registry
from wifidogd.store.accounting.plans import save_plan
from wifidogd.store.accounting.usage import claim_allowance
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.heartbeats import save_heartbeats

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LOBBY = Gateway("lobby", "default", "10.0.0.1")
CAFE = Network("default", "Café")
REPEATER = mac(1)
A, B, C = "10.0.0.130", "10.0.0.131", "10.0.0.132"

OPEN = "SELECT host(ip), incoming, outgoing FROM sessions WHERE activated_at IS NOT NULL ORDER BY ip"
PAST = "SELECT host(ip), incoming, outgoing, reason FROM past_sessions ORDER BY session_id"


class Site:
    """A gateway, what it reports, and the ledger."""

    def __init__(self, database: Database) -> None:
        self.now = NOON
        self.recording = Recording(database)
        self.database = database
        self.registry = Registry(database, utc_now=lambda: self.now)
        self.ledger = Ledger(self.recording, self.registry, clock=reactor, utc_now=lambda: self.now)  # type: ignore[arg-type]
        self._tokens: Iterator[str] = (f"{number:032d}" for number in itertools.count())

    async def open(self) -> None:
        """Adopt the gateway."""
        await run(self.database, save_plan, Plan("p", "P", total_octets=100_000_000, devices=1))
        await adopt_all(self.database, LOBBY)
        await within(5, self.registry.refresh())

    async def sign_in(self, ip: str | None, device: str = REPEATER, owner: str | None = None) -> str:
        """Get a token from the login page, on the allowance of a device if one is named."""

        async def sign_in(cursor: Any) -> Any:
            usage = None
            if owner is not None:
                usage = await claim_allowance(cursor, AllowanceOwner(mac=owner), "default", "p", self.now)
            request = GuestRequest(LOBBY, CAFE, LoginQuery("lobby", mac=device, ip=ip), self.now)
            return await open_pending_session(cursor, request, Identity(), usage=usage, mint=lambda: next(self._tokens))

        admitted = await run(self.database, sign_in)
        assert isinstance(admitted, Admitted), admitted
        return admitted.token

    async def come_online(self, ip: str | None, device: str = REPEATER, owner: str | None = None) -> str:
        """Sign in, and let the gateway ask."""
        token = await self.sign_in(ip, device, owner)
        assert await self.report(token, ip, stage=Stage.LOGIN, device=device) is AuthCode.ALLOWED
        return token

    async def report(
        self, token: str, ip: str | None, *octets: int, stage: Stage = Stage.COUNTERS, device: str = REPEATER
    ) -> AuthCode:
        """Let the gateway report; with octets a minute after the last time."""
        self.now += MINUTE if octets else timedelta()
        said = Report(stage, Dialect.WIFIDOG, token, "lobby", device, ip, Octets(*octets))
        return (await within(20, self.ledger.settle(said))).code

    async def is_online(self, ip: str | None) -> bool:
        """Return whether the login page says "you are online"."""
        request = GuestRequest(LOBBY, CAFE, LoginQuery("lobby", mac=REPEATER, ip=ip), self.now)
        refused = await run(self.database, refuse_if_online, request)
        return refused == Refused(Refusal.ALREADY_ONLINE)

    async def sweep(self) -> None:
        """End what no gateway reports any more."""
        later = Clock()
        later.advance(reactor.seconds() + 7200)  # type: ignore[attr-defined]
        expiry = Expiry(
            self.database,
            self.registry,
            clock=later,
            utc_now=lambda: self.now,
            unsettled_at=lambda: None,
            uninterrupted_since=lambda: 0.0,
            name=None,
        )
        await within(10, expiry.end_stale())


@async_yield_fixture
async def site(database: Database) -> AsyncIterator[Site]:
    """Where nobody is online."""
    site = Site(database)
    await site.open()
    yield site
    await within(5, site.ledger.drain())


@ensureDeferred
async def test_guests_behind_a_repeater_stay_online_side_by_side(site: Site) -> None:
    """They have its MAC and addresses of their own, and each is counted apart, for as long as they like."""
    first, second = await site.come_online(A), await site.come_online(B)
    for turn in range(1, 6):
        assert await site.report(first, A, 1000 * turn, 10 * turn) is AuthCode.ALLOWED
        assert await site.report(second, B, 300 * turn, 3 * turn) is AuthCode.ALLOWED
    third = await site.come_online(C)
    assert await together(
        site.report(first, A, 6000, 60), site.report(second, B, 1800, 18), site.report(third, C, 5, 1)
    )
    assert await rows(site.database, OPEN) == [(A, 6000, 60), (B, 1800, 18), (C, 5, 1)]
    assert await rows(site.database, PAST) == []


@ensureDeferred
async def test_whoever_signs_in_again_at_an_address_replaces_the_session_there_alone(site: Site) -> None:
    """It goes on from the totals of that address, as the gateway does."""
    first, second = await site.come_online(A), await site.come_online(B)
    await site.report(first, A, 1000, 10)
    await site.report(second, B, 500, 5)
    again = await site.come_online(B)
    assert await site.report(again, B, 700, 7) is AuthCode.ALLOWED
    assert await site.report(first, A, 2000, 20) is AuthCode.ALLOWED
    assert await site.report(second, B, 800, 8) is AuthCode.DENIED
    assert await rows(site.database, OPEN) == [(A, 2000, 20), (B, 200, 2)]
    assert await rows(site.database, PAST) == [(B, 500, 5, "replaced")]


@ensureDeferred
async def test_two_who_sign_in_at_one_address_at_once_leave_one_session(site: Site) -> None:
    """Whichever was settled last; in one batch or in two."""
    tokens = [await site.sign_in(A) for _ in range(3)] + [await site.sign_in(B)]
    places = [A, A, A, B]
    await together(*(site.report(token, ip, stage=Stage.LOGIN) for token, ip in zip(tokens, places, strict=True)))
    assert [ip for ip, _, _ in await rows(site.database, OPEN)] == [A, B]


@ensureDeferred
async def test_a_new_address_begins_at_zero_and_loses_nothing(site: Site) -> None:
    """The gateway lists it anew: 5000 octets are 5000, whatever the old address had."""
    old = await site.come_online(A)
    await site.report(old, A, 1000, 100)
    new = await site.come_online(B)
    assert await site.report(new, B, 5000, 500) is AuthCode.ALLOWED
    assert await rows(site.database, OPEN) == [(A, 1000, 100), (B, 5000, 500)]
    site.now += 20 * MINUTE
    assert await site.report(new, B, 6000, 500) is AuthCode.ALLOWED
    await site.sweep()
    assert await rows(site.database, OPEN) == [(B, 6000, 500)]
    assert await rows(site.database, PAST) == [(A, 1000, 100, "no more reports")]


@ensureDeferred
async def test_a_token_moves_with_its_device(site: Site) -> None:
    """The gateway lists the new address anew; the entry of the old one, which it still reports, goes."""
    token = await site.come_online(A)
    await site.report(token, A, 1000, 100)
    assert await site.report(token, B, stage=Stage.LOGIN) is AuthCode.ALLOWED
    assert await site.report(token, A, 1000, 100) is AuthCode.DENIED
    assert await site.report(token, B, 5000, 500) is AuthCode.ALLOWED
    assert await site.report(token, A, 1000, 100, stage=Stage.LOGOUT) is AuthCode.DENIED
    assert await site.report(token, B, 5001, 500) is AuthCode.ALLOWED
    assert await rows(site.database, OPEN) == [(B, 6001, 600)]
    assert await site.report(token, A, stage=Stage.LOGIN) is AuthCode.ALLOWED
    assert await site.report(token, A, 10, 1) is AuthCode.ALLOWED
    assert await rows(site.database, OPEN) == [(A, 6011, 601)]


@ensureDeferred
async def test_an_address_that_only_counters_tell_keeps_its_totals(site: Site) -> None:
    """A gateway that asked for no login has kept the device on its list."""
    token = await site.come_online(A)
    await site.report(token, A, 1000, 100)
    assert await site.report(token, B, 1500, 110) is AuthCode.ALLOWED
    assert await rows(site.database, OPEN) == [(B, 1500, 110)]


@ensureDeferred
async def test_a_token_that_moves_takes_the_place_of_who_was_there(site: Site) -> None:
    """One session is at an address, also where two servers or batches meet."""
    first, second = await site.come_online(A), await site.come_online(B)
    await site.report(second, B, 700, 7)
    assert await site.report(first, B, stage=Stage.LOGIN) is AuthCode.ALLOWED
    assert await site.report(first, B, 900, 9) is AuthCode.ALLOWED
    assert await site.report(second, B, 900, 9) is AuthCode.DENIED
    assert await rows(site.database, OPEN) == [(B, 200, 2)]
    assert await rows(site.database, PAST) == [(B, 700, 7, "replaced")]


@ensureDeferred
async def test_a_gateway_that_tells_no_address_goes_by_the_mac(site: Site) -> None:
    """As wifidog did before it said who is where."""
    old = await site.come_online(None)
    await site.report(old, None, 1000, 100)
    new = await site.come_online(None)
    assert await site.report(new, None, 1500, 110) is AuthCode.ALLOWED
    assert await site.report(old, None, 1500, 110) is AuthCode.DENIED
    assert await rows(site.database, OPEN) == [(None, 500, 10)]


@ensureDeferred
async def test_the_login_page_says_online_to_who_is(site: Site) -> None:
    """Not to a neighbour behind the same repeater, nor to a device that must sign in at its new address."""
    await site.come_online(A)
    assert [await site.is_online(ip) for ip in (A, B, None)] == [True, False, True]


@ensureDeferred
async def test_guests_behind_a_repeater_share_what_belongs_to_its_mac(site: Site) -> None:
    """One device to a plan that allows one; their octets add up."""
    first, second = await site.come_online(A, owner=REPEATER), await site.come_online(B, owner=REPEATER)
    assert await site.report(first, A, 60_000_000, 0) is AuthCode.ALLOWED
    assert await site.report(second, B, 39_999_999, 0) is AuthCode.ALLOWED
    assert await site.report(first, A, 60_000_001, 0) is AuthCode.DENIED
    assert await site.report(second, B, 39_999_999, 0) is AuthCode.DENIED


@pytest.mark.parametrize(
    ("said", "used"),
    [
        ([(10**6, 0), (2 * 10**6, 0), (1_999_000, 0), (2_100_000, 0)], 2_100_000),
        ([(10**6, 9), (2 * 10**6, 99), (1_999_000, 98), (2_100_000, 100)], 2_100_000),
        ([(4_294_966_296, 50), (500, 60)], 4_294_967_796),
        ([(2_147_483_600, 50), (-2_147_483_600, 60), (-1000, 70), (500, 80)], 4_294_967_796),
        ([(5000, 50), (1000, 10), (1500, 20)], 6500),
        ([(5000, 50), (4000, 40), (4500, 45)], 9500),
        ([(5000, 50), (-5, 60), (6000, 60)], 6000),
    ],
    ids=["late", "late both ways", "wrapped", "signed", "restarted", "restarted little lower", "nonsense"],
)
@ensureDeferred
async def test_totals_are_stored_to_the_octet(site: Site, said: list[tuple[int, int]], used: int) -> None:
    """One report after another, and all of them in one batch."""
    token, other = await site.come_online(A, mac(2)), await site.come_online(B, mac(3))
    for totals in said:
        assert await site.report(token, A, *totals, device=mac(2)) is AuthCode.ALLOWED
    batch = [site.report(other, B, *totals, device=mac(3)) for totals in said]
    assert set(await together(*batch)) == {AuthCode.ALLOWED}
    assert [incoming for _, incoming, _ in await rows(site.database, OPEN)] == [used, used]


@ensureDeferred
async def test_pings_tell_a_restart_from_a_counter_that_wrapped(site: Site) -> None:
    """They are asked only when totals fell."""
    token = await site.come_online(A)
    await site.report(token, A, 4_294_966_296, 50)
    assert not any("restarted_at" in each for each in site.recording.statements if "FROM heartbeats" in each[:60])
    ping = Heartbeat("lobby", site.now, "192.0.2.1", wifidog_uptime=timedelta(hours=1))
    await run(site.database, save_heartbeats, [ping])
    ping = Heartbeat("lobby", site.now + 2 * MINUTE, "192.0.2.1", wifidog_uptime=MINUTE)
    await run(site.database, save_heartbeats, [ping])
    site.now += 3 * MINUTE
    assert await site.report(token, A, 500, 60) is AuthCode.ALLOWED
    assert await rows(site.database, OPEN) == [(A, 4_294_966_796, 110)]
