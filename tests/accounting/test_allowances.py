"""Allowances in the ledger, on a real PostgreSQL: limits over sessions, devices and gateways, and sums that agree."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import Clock

from tests.support.builders import Recording, adopt_all, mac, put, rows, run, together
from tests.support.deadline import within
from wifidogd.access.open_session import Admitted, Identity, Refusal, Refused, open_pending_session
from wifidogd.accounting.expiry import Expiry
from wifidogd.accounting.ledger import Ledger
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.plans import AllowanceOwner, Network, Plan, TimeCounts, WhenFull
from wifidogd.domain.quotas import Limit
from wifidogd.domain.sessions import AuthCode, Dialect, LoginQuery, Octets, Reason, Report, Stage
from wifidogd.gateways.registry import Registry
from wifidogd.store.accounting.plans import save_plan
from wifidogd.store.accounting.usage import claim_allowance
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.networks import save_network
from wifidogd.store.operators.reports import kick

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LOBBY, GARDEN = Gateway("lobby", "default", "10.0.0.1"), Gateway("garden", "default", "10.0.1.1")
CAFE = Network("default", "Café", time_zone="Europe/Berlin")

ALLOWANCE = "SELECT used_time, incoming, outgoing FROM allowances"
SLOTS = "SELECT starts_at, used_time, octets FROM allowance_slots ORDER BY starts_at"
FAREWELLS = "SELECT gw_id, mac, reason, ended_at, back_at FROM farewells ORDER BY gw_id, mac"
PAST = "SELECT gw_id, mac, reason, ended_at FROM past_sessions ORDER BY session_id"
BOOKS = """
    SELECT sum(incoming), sum(outgoing), sum(used_time)
      FROM (SELECT incoming, outgoing, reported_at - activated_at AS used_time FROM sessions
             UNION ALL
            SELECT incoming, outgoing, used_time FROM allowances) AS used
"""


OWNER = AllowanceOwner(mac=mac(77))


class Scene:
    """
    Two gateways of one network, the ledger, and one voucher.

    @ivar now: what the wall clock says.
    """

    def __init__(self, database: Database) -> None:
        self.now = NOON
        self.database = database
        self.recording = Recording(database)
        self.registry = Registry(database, utc_now=lambda: self.now)
        self._names: Iterator[int] = itertools.count()
        self.restart()

    def restart(self) -> None:
        """Forget all that is in memory."""
        self.ledger = Ledger(self.recording, self.registry, clock=reactor, utc_now=lambda: self.now)  # type: ignore[arg-type]

    async def offer(self, **limits: Any) -> None:
        """Make or change the plan, and learn of the gateways."""
        await run(self.database, save_plan, replace(Plan("p", "P"), **limits))
        await run(self.database, save_network, CAFE)
        await adopt_all(self.database, LOBBY, GARDEN)
        await within(5, self.registry.refresh())

    async def sign_in(
        self, device: int = 1, gateway: Gateway = LOBBY, owner: AllowanceOwner = OWNER, **how: Any
    ) -> Admitted | Refused:
        """Sign in by a voucher."""

        async def sign_in(cursor: Any) -> Admitted | Refused:
            usage = await claim_allowance(cursor, owner, CAFE.name, "p", self.now)
            request = GuestRequest(gateway, CAFE, LoginQuery(gateway.gw_id, mac=mac(device)), self.now)
            mint = lambda: f"{next(self._names):032d}"  # noqa: E731
            return await open_pending_session(cursor, request, Identity(**how), usage=usage, mint=mint)

        return await run(self.database, sign_in)

    async def come_online(self, device: int = 1, gateway: Gateway = LOBBY, **how: Any) -> str:
        """Sign in, and let the gateway ask."""
        admitted = await self.sign_in(device, gateway, **how)
        assert isinstance(admitted, Admitted), admitted
        assert await self.report(admitted.token, Stage.LOGIN, device=device, gateway=gateway) is AuthCode.ALLOWED
        return admitted.token

    async def report(
        self, token: str, stage: Stage = Stage.COUNTERS, *octets: int, device: int = 1, gateway: Gateway = LOBBY
    ) -> AuthCode:
        """Let a gateway report."""
        counted = Octets(*octets)
        said = Report(stage, Dialect.WIFIDOG, token, gateway.gw_id, mac(device), "10.0.0.9", counted)
        return (await within(5, self.ledger.settle(said))).code

    async def count(self, token: str, *octets: int, device: int = 1, gateway: Gateway = LOBBY) -> AuthCode:
        """Let a gateway report counters a minute later."""
        self.now += MINUTE
        return await self.report(token, Stage.COUNTERS, *octets, device=device, gateway=gateway)


@async_yield_fixture
async def scene(database: Database) -> AsyncIterator[Scene]:
    """Whatever a test offers."""
    scene = Scene(database)
    yield scene
    await within(5, scene.ledger.drain())


@ensureDeferred
async def test_octets_count_over_sessions_devices_gateways_and_restarts(scene: Scene, database: Database) -> None:
    """To the octet; every one that was reported is in the row or in an open session."""
    await scene.offer(total_octets=1000)
    first, second = await scene.come_online(1), await scene.come_online(2, GARDEN)
    assert await scene.count(first, 300, 100) is AuthCode.ALLOWED
    assert await scene.count(second, 200, 99, device=2, gateway=GARDEN) is AuthCode.ALLOWED
    assert await rows(database, BOOKS) == [(500, 199, 3 * MINUTE)]
    scene.restart()
    assert await scene.report(first, Stage.LOGOUT, 350, 100) is AuthCode.DENIED
    assert await rows(database, ALLOWANCE) == [(2 * MINUTE, 350, 100)]
    third = await scene.come_online(1, GARDEN)
    assert await scene.report(third, Stage.COUNTERS, 250, 0, gateway=GARDEN) is AuthCode.ALLOWED
    assert await scene.report(third, Stage.COUNTERS, 251, 0, gateway=GARDEN) is AuthCode.DENIED
    assert await scene.count(second, 200, 99, device=2, gateway=GARDEN) is AuthCode.DENIED
    assert await rows(database, ALLOWANCE) == [(5 * MINUTE, 801, 199)]
    assert await rows(database, BOOKS) == [(801, 199, 5 * MINUTE)]
    assert {reason for _, _, reason, _ in await rows(database, PAST)} == {"logged out", "quota is spent"}
    assert await scene.sign_in() == Refused(Refusal.SPENT, limit=Limit.OCTETS)


@ensureDeferred
async def test_used_time_stops_while_offline(scene: Scene, database: Database) -> None:
    """And adds up over devices that are online together."""
    await scene.offer(time_limit=10 * MINUTE, time_counts=TimeCounts.USED)
    token = await scene.come_online()
    for _ in range(4):
        assert await scene.count(token) is AuthCode.ALLOWED
    assert await scene.report(token, Stage.LOGOUT) is AuthCode.DENIED
    scene.now += timedelta(days=40)
    first, second = await scene.come_online(1), await scene.come_online(2)
    scene.now += 3 * MINUTE - timedelta(seconds=1)
    assert await scene.report(first) is AuthCode.ALLOWED
    assert await scene.report(second, device=2) is AuthCode.ALLOWED
    scene.now += timedelta(seconds=2)
    assert await scene.report(first) is AuthCode.DENIED
    assert await scene.report(second, device=2) is AuthCode.DENIED
    assert await rows(database, ALLOWANCE) == [(10 * MINUTE + timedelta(seconds=2), 0, 0)]


@ensureDeferred
async def test_wall_clock_time_begins_with_the_first_use(scene: Scene) -> None:
    """Not with the first sign-in; and goes on while offline."""
    await scene.offer(time_limit=HOUR)
    await scene.sign_in()
    scene.now += 2 * MINUTE
    token = await scene.come_online()
    assert await scene.report(token, Stage.LOGOUT) is AuthCode.DENIED
    scene.now += HOUR - timedelta(microseconds=1)
    token = await scene.come_online()
    scene.now += timedelta(microseconds=1)
    assert await scene.report(token) is AuthCode.DENIED
    assert await scene.sign_in() == Refused(Refusal.SPENT, limit=Limit.TIME)


@ensureDeferred
async def test_a_day_ends_at_midnight_where_the_network_is(scene: Scene, database: Database) -> None:
    """The guest is told when, and can come back then."""
    await scene.offer(day_octets=1000)
    scene.now = datetime(2026, 11, 22, 22, 58, 30, tzinfo=UTC)
    midnight = datetime(2026, 11, 22, 23, tzinfo=UTC)
    token = await scene.come_online()
    assert await scene.count(token, 600, 399) is AuthCode.ALLOWED
    assert await scene.report(token, Stage.COUNTERS, 600, 400) is AuthCode.DENIED
    assert await rows(database, FAREWELLS) == [("lobby", mac(1), Reason.DAY_IS_SPENT.value, scene.now, midnight)]
    assert await scene.sign_in() == Refused(Refusal.SPENT, limit=Limit.DAY, back_at=midnight)
    scene.now = midnight
    token = await scene.come_online()
    assert await scene.count(token, 999, 0) is AuthCode.ALLOWED
    assert await scene.count(token, 1000, 0) is AuthCode.DENIED


@ensureDeferred
async def test_a_sliding_window_says_when_enough_of_it_has_passed(scene: Scene, database: Database) -> None:
    """In the farewell and when somebody tries again; at that moment they can come back."""
    await scene.offer(span=24 * HOUR, span_time=10 * MINUTE, span_octets=10_000)
    for hours in (0, 6):
        scene.now = NOON + hours * HOUR
        token = await scene.come_online()
        for minute in range(1, 5):
            assert await scene.count(token, minute) is AuthCode.ALLOWED
        assert await scene.report(token, Stage.LOGOUT, 4) is AuthCode.DENIED
    scene.now = NOON + 7 * HOUR
    token = await scene.come_online()
    assert await scene.count(token) is AuthCode.ALLOWED
    assert await scene.count(token) is AuthCode.DENIED
    back_at = NOON + MINUTE + 24 * HOUR
    assert (await rows(database, FAREWELLS))[0][2:] == (Reason.SPAN_IS_SPENT.value, scene.now, back_at)
    refused = await scene.sign_in()
    assert refused == Refused(Refusal.SPENT, limit=Limit.SPAN, back_at=back_at)
    assert len(await rows(database, SLOTS)) == 10
    scene.now = back_at
    await scene.come_online()


@ensureDeferred
async def test_opening_hours_end_everybodys_stay(scene: Scene, database: Database) -> None:
    """At their second; and the farewell says when it opens again."""
    await scene.offer(hours="sun 08:00-14:00, mon 09:00-14:00")
    scene.now = NOON + 59 * MINUTE
    token = await scene.come_online()
    scene.now += timedelta(seconds=59)
    assert await scene.report(token) is AuthCode.ALLOWED
    scene.now += timedelta(seconds=1)
    assert await scene.report(token) is AuthCode.DENIED
    opens = datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert (await rows(database, FAREWELLS))[0][2:] == (Reason.CLOSED.value, scene.now, opens)
    assert await scene.sign_in() == Refused(Refusal.SPENT, limit=Limit.CLOSED, back_at=opens)


@ensureDeferred
async def test_a_revoked_allowance_ends_at_the_next_report(scene: Scene, database: Database) -> None:
    """And lets nobody in."""
    await scene.offer()
    token = await scene.come_online()
    await put(database, "UPDATE allowances SET revoked = true")
    assert await scene.count(token, 5) is AuthCode.DENIED
    assert [reason for _, _, reason, _ in await rows(database, PAST)] == ["taken back by the operator"]
    assert await scene.sign_in() == Refused(Refusal.SPENT, limit=Limit.REVOKED)


@ensureDeferred
async def test_a_changed_plan_holds_at_once(scene: Scene) -> None:
    """For guests who are online too."""
    await scene.offer()
    token = await scene.come_online()
    assert await scene.count(token, 5000) is AuthCode.ALLOWED
    await scene.offer(incoming_octets=5000)
    assert await scene.count(token, 5000) is AuthCode.DENIED


@ensureDeferred
async def test_one_device_more_is_refused(scene: Scene, database: Database) -> None:
    """When it signs in, and when it comes online after two have signed in for one place."""
    await scene.offer(devices=1)
    first, second = await scene.sign_in(1), await scene.sign_in(2)
    assert isinstance(first, Admitted)
    assert isinstance(second, Admitted)
    assert await scene.report(first.token, Stage.LOGIN) is AuthCode.ALLOWED
    assert await scene.report(second.token, Stage.LOGIN, device=2) is AuthCode.DENIED
    assert await scene.sign_in(2) == Refused(Refusal.SPENT, limit=Limit.DEVICES)
    assert (await rows(database, FAREWELLS))[0][1:3] == (mac(2), Reason.DEVICES.value)
    again = await scene.come_online(1, GARDEN)
    assert await scene.report(again, Stage.LOGOUT, gateway=GARDEN) is AuthCode.DENIED
    assert await scene.report(first.token, Stage.LOGOUT) is AuthCode.DENIED
    await scene.come_online(2)


@ensureDeferred
async def test_a_device_that_vanished_makes_room_after_three_intervals(scene: Scene) -> None:
    """Its session goes on until it counts as stale."""
    await scene.offer(devices=1)
    await scene.come_online(1)
    scene.now += 3 * MINUTE
    assert await scene.sign_in(2) == Refused(Refusal.SPENT, limit=Limit.DEVICES)
    scene.now += timedelta(seconds=1)
    await scene.come_online(2)


@ensureDeferred
async def test_one_device_more_takes_the_place_of_the_oldest(scene: Scene, database: Database) -> None:
    """Which hears so at its next report, and is told; its octets are kept."""
    await scene.offer(devices=2, when_full=WhenFull.REPLACE)
    first, second = await scene.come_online(1), await scene.come_online(2, GARDEN)
    scene.now += timedelta(seconds=1)
    third = await scene.come_online(3)
    assert await scene.count(second, 7, device=2, gateway=GARDEN) is AuthCode.ALLOWED
    assert await scene.report(first, Stage.COUNTERS, 5, 5) is AuthCode.DENIED
    assert await scene.report(third, Stage.COUNTERS, 9, device=3) is AuthCode.ALLOWED
    assert [(row[1], row[2]) for row in await rows(database, PAST)] == [(mac(1), "replaced")]
    assert await rows(database, FAREWELLS) == [("lobby", mac(1), "replaced", scene.now, scene.now)]
    assert await rows(database, BOOKS) == [(21, 5, 3 * MINUTE + timedelta(seconds=2))]


@ensureDeferred
async def test_whoever_ends_a_session_its_use_is_kept(scene: Scene, database: Database) -> None:
    """A timer, the operator, the removal of a gateway."""
    await scene.offer(total_octets=1000)
    tokens = [await scene.come_online(device) for device in (1, 2)]
    pending = await scene.sign_in(3)
    assert isinstance(pending, Admitted)
    for device, token in enumerate(tokens, 1):
        assert await scene.report(token, Stage.COUNTERS, 100 * device, 1, device=device) is AuthCode.ALLOWED
    await run(database, kick, scene.now, mac=mac(1))
    assert await scene.count(tokens[0], 150, 1) is AuthCode.DENIED
    scene.now += HOUR
    clock = Clock()
    clock.advance(reactor.seconds() + 7200)  # type: ignore[attr-defined]
    expiry = Expiry(
        database,
        scene.registry,
        clock=clock,
        utc_now=lambda: scene.now,
        unsettled_at=lambda: None,
        uninterrupted_since=lambda: 0.0,
    )
    await within(5, expiry.end_stale())
    await within(5, expiry.end_unused())
    assert await rows(database, ALLOWANCE) == [(MINUTE, 350, 2)]
    assert await rows(database, "SELECT count(*), count(allowance_id) FROM past_sessions") == [(2, 2)]


@ensureDeferred
async def test_a_token_for_one_device_is_of_no_use_to_another(scene: Scene) -> None:
    """The allowance of a device is not spent by whoever names its MAC in a URL."""
    await scene.offer(total_octets=1000)
    admitted = await scene.sign_in(1)
    assert isinstance(admitted, Admitted)
    assert await scene.report(admitted.token, Stage.LOGIN, device=2) is AuthCode.DENIED
    assert await scene.report(admitted.token, Stage.LOGIN) is AuthCode.ALLOWED


@ensureDeferred
async def test_probation_is_5_until_it_is_over(scene: Scene, database: Database) -> None:
    """Then 6; a guest who has followed the link hears 1."""
    await scene.offer()
    for is_validated in (False, True):
        admitted = await scene.sign_in(probation_until=scene.now + 20 * MINUTE)
        assert isinstance(admitted, Admitted)
        assert await scene.report(admitted.token, Stage.LOGIN) is AuthCode.VALIDATION
        scene.now += 20 * MINUTE - timedelta(microseconds=1)
        assert await scene.report(admitted.token) is AuthCode.VALIDATION
        if is_validated:
            await put(database, "UPDATE sessions SET probation_until = NULL")
        scene.now += MINUTE
        expected = AuthCode.ALLOWED if is_validated else AuthCode.VALIDATION_FAILED
        assert await scene.report(admitted.token) is expected
    until = NOON + 20 * MINUTE
    assert await rows(database, PAST) == [("lobby", mac(1), Reason.NOT_VALIDATED.value, until)]
    assert await rows(database, FAREWELLS) == [("lobby", mac(1), Reason.NOT_VALIDATED.value, until, until)]


@ensureDeferred
async def test_many_devices_of_one_allowance_are_settled_at_once(scene: Scene, database: Database) -> None:
    """By two ledgers; none waits for another for ever, and the sum is that of all."""
    await scene.offer(total_octets=10**6)
    tokens = [await scene.come_online(device) for device in range(1, 31)]
    other = Ledger(database, scene.registry, clock=reactor, utc_now=lambda: scene.now)  # type: ignore[arg-type]

    def said(device: int, octets: int) -> Report:
        gw_id, address = LOBBY.gw_id, "10.0.0.9"
        token = tokens[device - 1]
        return Report(Stage.COUNTERS, Dialect.WIFIDOG, token, gw_id, mac(device), address, Octets(octets))

    for turn in range(1, 4):
        scene.now += MINUTE
        settled = [(scene.ledger if device % 2 else other).settle(said(device, 100 * turn)) for device in range(1, 31)]
        decisions = await together(*settled)
        assert {decision.code for decision in decisions} == {AuthCode.ALLOWED}
    assert await rows(database, BOOKS) == [(9000, 0, 90 * MINUTE)]
    assert len({decision.tally.use.octets.total for decision in decisions if decision.tally}) == 30
    await within(5, other.drain())


@pytest.mark.parametrize("limits", [{"total_octets": 10}, {"day_octets": 10}, {"span": HOUR, "span_octets": 10}])
@ensureDeferred
async def test_the_last_octets_of_two_devices_in_one_batch_are_judged_in_order(
    scene: Scene, limits: dict[str, Any]
) -> None:
    """The report that reaches the limit is denied, and all after it."""
    await scene.offer(**limits)
    tokens = [await scene.come_online(device) for device in (1, 2, 3)]
    settled = [
        scene.ledger.settle(Report(Stage.COUNTERS, Dialect.WIFIDOG, token, "lobby", mac(number), None, Octets(5)))
        for number, token in enumerate(tokens, 1)
    ]
    assert [decision.code for decision in await together(*settled)] == [1, 0, 0]


@ensureDeferred
async def test_a_batch_without_allowances_costs_no_statement_more(scene: Scene) -> None:
    """Lock, save; and one to end."""
    await scene.offer(span=HOUR, span_octets=10)

    async def sign_in(cursor: Any) -> Admitted | Refused:
        request = GuestRequest(LOBBY, CAFE, LoginQuery("lobby", mac=mac(1)), scene.now)
        return await open_pending_session(cursor, request, usage=None, mint=lambda: "0" * 32)

    await run(scene.database, sign_in)
    assert await scene.report("0" * 32, Stage.LOGIN) is AuthCode.ALLOWED
    scene.recording.statements.clear()
    assert await scene.report("0" * 32, Stage.COUNTERS, 5, 5) is AuthCode.ALLOWED
    assert len(scene.recording.statements) == 2
    scene.recording.statements.clear()
    assert await scene.report("0" * 32, Stage.LOGOUT, 5, 5) is AuthCode.DENIED
    assert len(scene.recording.statements) == 2


@pytest.mark.parametrize(
    ("limits", "statements"),
    [({"total_octets": 10**6}, 4), ({"day_octets": 10**6}, 6), ({"span": HOUR, "span_octets": 10**6}, 6)],
)
@ensureDeferred
async def test_an_allowance_costs_few_statements_a_batch(scene: Scene, limits: dict[str, Any], statements: int) -> None:
    """Lock and add up; when it was used is written only for plans that ask."""
    await scene.offer(**limits)
    token = await scene.come_online()
    scene.recording.statements.clear()
    assert await scene.count(token, 5) is AuthCode.ALLOWED
    assert len(scene.recording.statements) == statements


@ensureDeferred
async def test_a_device_that_waits_for_the_end_of_another_is_not_refused_before_it(
    scene: Scene, database: Database
) -> None:
    """Both are in one batch, whose endings are left for the next: there the first makes room for the second."""
    await scene.offer(devices=1)
    leaving, coming = [await scene.sign_in(device) for device in (1, 2)]
    assert isinstance(leaving, Admitted)
    assert isinstance(coming, Admitted)
    assert await scene.report(leaving.token, Stage.LOGIN) is AuthCode.ALLOWED
    await put(database, "UPDATE sessions SET quota_octets = 5 WHERE mac IS NOT NULL")
    reports = [
        Report(stage, Dialect.WIFIDOG, token, "lobby", mac(device), None, Octets(5, 0))
        for token, stage, device in [
            ("unknown", Stage.COUNTERS, 3),
            (leaving.token, Stage.COUNTERS, 1),
            (coming.token, Stage.LOGIN, 2),
        ]
    ]
    decisions = await together(*[scene.ledger.settle(report) for report in reports])
    assert [decision.code for decision in decisions] == [AuthCode.DENIED, AuthCode.DENIED, AuthCode.ALLOWED]
