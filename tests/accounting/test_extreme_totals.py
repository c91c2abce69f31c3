"""Totals of any size go through the ledger into a real PostgreSQL, on every kind of plan."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred as ensure_deferred
from twisted.internet.threads import blockingCallFromThread, deferToThread

from tests.support.builders import adopt_all, mac, rows, run, together
from tests.support.deadline import within
from wifidogd.access.open_session import Admitted, Identity, open_pending_session
from wifidogd.access.session_view import SessionViews
from wifidogd.accounting.ledger import Ledger
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.plans import AllowanceOwner, Network, Plan, TimeCounts
from wifidogd.domain.sessions import MAX_OCTETS, AuthCode, Dialect, LoginQuery, Octets, Report, Stage
from wifidogd.gateways.registry import Registry
from wifidogd.store.accounting.plans import save_plan
from wifidogd.store.accounting.recent_use import fetch_slots
from wifidogd.store.accounting.usage import claim_allowance
from wifidogd.store.driver.database import Database
from wifidogd.store.operators.reports import count_everything, list_sessions

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
LOBBY = Gateway("lobby", "default", "10.0.0.1")
CAFE = Network("default", "Café")
HIGHEST = Octets(MAX_OCTETS, MAX_OCTETS)

PLANS: dict[str, dict[str, Any]] = {
    "unlimited": {},
    "devices": {"devices": 2},
    "time": {"time_limit": DAY, "time_counts": TimeCounts.USED},
    "down": {"incoming_octets": MAX_OCTETS},
    "up": {"outgoing_octets": MAX_OCTETS},
    "octets": {"total_octets": MAX_OCTETS},
    "day": {"day_octets": MAX_OCTETS},
    "day-time": {"day_time": DAY},
    "span": {"span": DAY, "span_octets": MAX_OCTETS},
    "long-span": {"span": 30 * DAY, "span_time": DAY},
    "both": {"day_octets": MAX_OCTETS, "span": DAY, "span_octets": MAX_OCTETS, "span_time": DAY, "total_octets": 1},
}

COUNTS = st.integers(0, MAX_OCTETS) | st.sampled_from([0, 2**31, 2**32 - 1, 2**32, 2**62, MAX_OCTETS - 1, MAX_OCTETS])
TOTALS = st.builds(Octets, COUNTS, COUNTS)


class House:
    """A gateway and its ledger, at a moment that tests move."""

    def __init__(self, database: Database) -> None:
        self.now = NOON
        self.database = database
        self.registry = Registry(database, utc_now=lambda: self.now)
        self.ledger = Ledger(database, self.registry, clock=reactor, utc_now=lambda: self.now)  # type: ignore[arg-type]
        self.views = SessionViews(database, self.registry, utc_now=lambda: self.now)
        self._numbers: Iterator[int] = itertools.count(1)

    async def open(self) -> None:
        """Offer every kind of plan, and learn of the gateway."""
        for name, limits in PLANS.items():
            await run(self.database, save_plan, Plan(name, name, **limits))
        await adopt_all(self.database, LOBBY)
        await within(5, self.registry.refresh())

    async def come_online(self, plan: str | None, owner: int) -> tuple[int, str]:
        """Sign a new device in on the allowance of an owner, and let the gateway ask; return its number and token."""
        number = next(self._numbers)

        async def sign_in(cursor: Any) -> Any:
            whose = AllowanceOwner(mac=mac(1_000_000 + owner))
            usage = None if plan is None else await claim_allowance(cursor, whose, CAFE.name, plan, self.now)
            request = GuestRequest(LOBBY, CAFE, LoginQuery("lobby", mac=mac(number)), self.now)
            return await open_pending_session(cursor, request, Identity(), usage=usage, mint=lambda: f"{number:032d}")

        admitted = await run(self.database, sign_in)
        assert isinstance(admitted, Admitted), admitted
        assert await self.report(number, admitted.token, Stage.LOGIN) is AuthCode.ALLOWED
        return number, admitted.token

    async def report(self, number: int, token: str, stage: Stage, octets: Octets | None = None) -> AuthCode:
        """Let the gateway report."""
        said = Report(stage, Dialect.WIFIDOG, token, "lobby", mac(number), "10.0.0.9", octets)
        return (await within(20, self.ledger.settle(said))).code


@async_yield_fixture
async def house(database: Database) -> AsyncIterator[House]:
    """With plans of every kind."""
    house = House(database)
    await house.open()
    yield house
    await within(5, house.ledger.drain())


@pytest.mark.parametrize("plan", [None, *PLANS])
@ensureDeferred
async def test_the_largest_totals_are_stored_and_hold_up_nobody(house: House, plan: str | None) -> None:
    """Both directions at once, beside a guest of another plan in the same batch."""
    number, token = await house.come_online(plan, 1)
    other, others_token = await house.come_online("day", 2)
    house.now += MINUTE
    codes = await together(
        house.report(number, token, Stage.COUNTERS, HIGHEST),
        house.report(other, others_token, Stage.COUNTERS, Octets(1000, 100)),
    )
    assert codes[1] is AuthCode.ALLOWED
    assert AuthCode.ERROR not in codes
    used = await rows(
        house.database,
        "SELECT incoming, outgoing FROM sessions UNION ALL SELECT incoming, outgoing FROM past_sessions ORDER BY 1, 2",
    )
    assert used == [(1000, 100), (MAX_OCTETS, MAX_OCTETS)]


@ensureDeferred
async def test_any_totals_in_any_order_are_settled_on_every_plan(house: House) -> None:
    """Nothing is refused; sums stay within what can be stored, and never fall; whoever reads them can."""
    owners = itertools.count(1)

    async def go(plan: str | None, stories: list[list[Octets]], ending: Stage) -> None:
        owner = next(owners)
        guests = [await house.come_online(plan, owner) for _ in stories]
        for story in itertools.zip_longest(*stories):
            house.now += MINUTE
            said = [
                house.report(*guest, Stage.COUNTERS, octets)
                for guest, octets in zip(guests, story, strict=True)
                if octets is not None
            ]
            assert set(await together(*said)) <= {AuthCode.ALLOWED, AuthCode.DENIED}
        await read_all()
        await together(*(house.report(*guest, ending, HIGHEST) for guest in guests))
        await read_all()

    async def read_all() -> None:
        counts = await run(house.database, count_everything, house.now)
        assert min(counts.used.incoming, counts.used.outgoing) >= 0
        await run(house.database, list_sessions, limit=100)
        for (number,) in await rows(house.database, "SELECT mac::text FROM sessions ORDER BY session_id DESC LIMIT 4"):
            view = await within(5, house.views.show(f"{int(number.replace(':', ''), 16):032d}"))
            assert view is not None
            assert view.used.total <= MAX_OCTETS
        for (allowance_id,) in await rows(
            house.database, "SELECT max(allowance_id) FROM allowances HAVING count(*) > 0"
        ):
            slots = await run(house.database, fetch_slots, allowance_id, house.now, 30 * DAY)
            assert all(0 <= slot.used.octets <= MAX_OCTETS for slot in slots)

    @settings(max_examples=40)
    @given(
        st.sampled_from([None, *PLANS]),
        st.lists(st.lists(TOTALS, min_size=1, max_size=4), min_size=1, max_size=2),
        st.sampled_from([Stage.COUNTERS, Stage.LOGOUT]),
    )
    def check(plan: str | None, stories: list[list[Octets]], ending: Stage) -> None:
        blockingCallFromThread(reactor, lambda: ensure_deferred(go(plan, stories, ending)))

    await within(300, deferToThread(check))
