"""How often a report waits for PostgreSQL: every message that is sent alone counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor

from tests.support.builders import LOBBY, MINUTE, NOON, adopt_all, mac, rows, run
from tests.support.deadline import within
from tests.support.traffic import traffic
from wifidogd.accounting.ledger import Ledger
from wifidogd.domain.plans import AllowanceOwner, Plan
from wifidogd.domain.sessions import AuthCode, Dialect, Octets, Report, Stage
from wifidogd.domain.tokens import hash_secret
from wifidogd.gateways.registry import Registry
from wifidogd.store.access.guest_sessions import open_session
from wifidogd.store.accounting.plans import save_plan
from wifidogd.store.accounting.usage import claim_allowance
from wifidogd.store.driver.database import Cursor, Database

TOKEN = "t" * 32
DAY = timedelta(days=1)


class Counting:
    """
    A ledger with one gateway, and a guest who has signed in.

    @ivar now: what the wall clock says.
    """

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOON
        self._database = database
        self._monkeypatch = monkeypatch
        self._registry = Registry(database, utc_now=lambda: self.now)
        self.ledger = Ledger(database, self._registry, clock=reactor, utc_now=lambda: self.now)  # type: ignore[arg-type]

    async def sign_in(self, plan: Plan | None) -> None:
        """Open a session, on an allowance if there is a plan."""
        await adopt_all(self._database, LOBBY)
        await within(5, self._registry.refresh())
        if plan is not None:
            await run(self._database, save_plan, plan)
        await run(self._database, self._open, plan)

    async def report(self, stage: Stage, *octets: int) -> tuple[AuthCode, tuple[int, int]]:
        """Return the answer to a report a minute later, and how many transactions and round trips it took."""
        self.now += MINUTE
        said = Report(stage, Dialect.WIFIDOG, TOKEN, "lobby", mac(1), "10.0.0.9", Octets(*octets))
        with traffic(self._monkeypatch) as seen:
            answer = await within(5, self.ledger.settle(said))
        return answer.code, seen.counted

    async def _open(self, cursor: Cursor, plan: Plan | None) -> None:
        limits: dict[str, Any] = dict.fromkeys(("account_id", "url", "time_limit", "quota_octets", "claimed_mac"))
        limits |= {"probation_until": None, "terms_version": None, "allowance_id": None}
        if plan is not None:
            owner = AllowanceOwner(address_hash=hash_secret("guest"))
            usage = await claim_allowance(cursor, owner, "default", plan.name, self.now)
            limits["allowance_id"] = usage.allowance.allowance_id
        open_session(cursor, hash_secret(TOKEN), gw_id="lobby", now=self.now, **limits)


@async_yield_fixture
async def counting(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Counting]:
    """Nobody has signed in yet."""
    counting = Counting(database, monkeypatch)
    yield counting
    await within(5, counting.ledger.drain())


@pytest.mark.parametrize(
    ("plan", "login", "counters", "logout"),
    [
        (None, 3, 2, 2),
        (Plan("p", "P", time_limit=DAY, total_octets=10_000, devices=2), 4, 3, 3),
        (Plan("p", "P", day_octets=10_000), 5, 4, 4),
    ],
    ids=["without a plan", "on a plan", "on a plan that limits days"],
)
@ensureDeferred
async def test_reports_wait_for_the_database_as_seldom_as_they_can(
    counting: Counting, database: Database, plan: Plan | None, login: int, counters: int, logout: int
) -> None:
    """Sessions are locked, then allowances, whose use is read on the way; all that is written goes with COMMIT."""
    await counting.sign_in(plan)
    assert await counting.report(Stage.LOGIN) == (AuthCode.ALLOWED, (1, login))
    assert await counting.report(Stage.COUNTERS, 10, 20) == (AuthCode.ALLOWED, (1, counters))
    assert await counting.report(Stage.LOGOUT, 11, 21) == (AuthCode.DENIED, (1, logout))
    assert await rows(database, "SELECT incoming, outgoing FROM past_sessions") == [(11, 21)]
    drawn = await rows(database, "SELECT incoming, outgoing, first_used_at IS NOT NULL FROM allowances")
    assert drawn == ([] if plan is None else [(11, 21, True)])
