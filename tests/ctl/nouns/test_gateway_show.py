"""`gateway show` tells how far the installation of a router has come, as the server has seen it."""

from __future__ import annotations

import re

from pytest_twisted import ensureDeferred

from tests.ctl.test_ctl import ADOPT, Operator, execute, operator
from wifidogd.store.driver.database import Database

__all__ = ["operator"]


@ensureDeferred
async def test_what_is_missing_comes_with_the_next_step(operator: Operator, database: Database) -> None:
    """In a table for people, and for scripts."""
    await operator.does(*ADOPT)
    words = ("gateway", "show", "lobby", "--server", "https://wifi.example")
    shown = await operator.does(*words)
    assert re.search(r"^guest sent +no +never$", shown, re.MULTILINE)
    assert "Next:\n- ping heard: " in shown
    await execute(
        database,
        "INSERT INTO gateway_activity (gw_id, kind, seen_at) VALUES ('lobby', 'guest', '2026-11-22 12:00Z');"
        " INSERT INTO heartbeats (gw_id, seen_at, source, version) VALUES ('lobby', now(), '203.0.113.9', 'WiFiDog 1')",
    )
    shown = await operator.does(*words)
    assert re.search(r"^guest sent +yes +2026-11-22 12:00 UTC$", shown, re.MULTILINE)
    assert "- guest sent: " not in shown
    checks = {check["check"]: check for check in (await operator.reads(*words))["checks"]}
    assert checks["ping heard"]["passed"] is True
    assert checks["key used"]["passed"] is None
    assert checks["login confirmed"]["next_step"] is not None


@ensureDeferred
async def test_a_router_that_is_not_adopted_has_no_checklist(operator: Operator) -> None:
    """The way to those that wait is named."""
    told = await operator.fails("gateway", "show", "attic", "--server", "https://wifi.example", code=1)
    assert "No gateway attic is adopted" in told
