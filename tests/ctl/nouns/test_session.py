"""`session kick` says when it takes effect, at each family of routers, and `session list` whom nobody reports."""

from __future__ import annotations

import pytest
from pytest_twisted import ensureDeferred

from tests.ctl.test_ctl import ADOPT, Operator, execute, operator, wifidogctl
from wifidogd.store.driver.database import Database

__all__ = ["operator"]

ONLINE = """
    INSERT INTO sessions (token_hash, gw_id, mac, ip, opened_at, activated_at, reported_at)
    VALUES (sha256('token'), 'lobby', '02:00:00:00:00:01', '10.0.0.2', now(), now(), now())
"""
CONNECT = """
    INSERT INTO router_connections (gw_id, device_id, server, source, connected_at)
    VALUES ('lobby', 'box', 'server', '203.0.113.7', now())
"""


@pytest.mark.parametrize(
    ("dialect", "change", "effect"),
    [
        ("wifidog", "SELECT", "when the router next reports the guest, within 30 seconds"),
        ("apfree", "SELECT", "when the router next lists its clients, within 30 seconds"),
        ("apfree", CONNECT, "within a second, by the WebSocket of the router"),
        ("wifidog-ng 1", "SELECT", "when the router next sends counters, within 30 seconds"),
        ("wifidog-ng 2", "SELECT", "only when they log out: the router reports nobody"),
        ("other", "SELECT", "when the router next reports the guest, within 30 seconds"),
    ],
)
@ensureDeferred
async def test_it_says_when_the_guest_goes_offline(
    operator: Operator, database: Database, dialect: str, change: str, effect: str
) -> None:
    """With the CheckInterval of that router."""
    await operator.does(*ADOPT, "--interval", "30")
    await execute(database, f"UPDATE gateways SET dialect = '{dialect}'; {ONLINE}; {change}")
    said = await operator.does("session", "kick", "--mac", "02:00:00:00:00:01")
    assert said.startswith(f"1 session at lobby: the guest goes offline {effect}")


@ensureDeferred
async def test_a_guest_whom_nobody_reports_is_not_called_online(
    dsn: str, operator: Operator, database: Database
) -> None:
    """They may have left long ago."""
    await operator.does(*ADOPT)
    await execute(database, f"UPDATE gateways SET dialect = 'wifidog-ng 2'; {ONLINE}")
    outcome = await wifidogctl("--database", dsn, "session", "list")
    assert "  not reported  " in outcome.out
    assert "tell nothing of them" in outcome.err
    assert (await operator.reads("session", "list"))[0]["state"] == "not reported"
