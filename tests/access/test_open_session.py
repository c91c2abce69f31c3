"""What all ways to sign in share, where no gateway has asked yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pytest_twisted import ensureDeferred

from tests.support.builders import LOBBY, MINUTE, NOON, adopt_all, mac, put, rows, run, together
from wifidogd.access.open_session import Admitted, Identity, Refusal, Refused, open_pending_session
from wifidogd.domain.guests import GuestRequest
from wifidogd.domain.plans import AllowanceOwner, Network, Plan
from wifidogd.domain.quotas import Limit
from wifidogd.domain.sessions import LoginQuery
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.accounting.plans import save_plan
from wifidogd.store.accounting.usage import claim_allowance
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.gateways.networks import save_network

TOKEN = "t" * 32
CAFE = Network("default", "Café", time_limit=timedelta(hours=1), quota_octets=1000, terms={"en": "Be nice."})
VISITOR = LoginQuery("lobby", mac=mac(1), url="http://a.example/")
OWNER = AllowanceOwner(mac=mac(1))
HOUR = timedelta(hours=1)

SESSION = """
    SELECT token_hash, gw_id, account_id, mac, url, opened_at, time_limit, quota_octets, claimed_mac, probation_until,
           terms_version, allowance_id IS NOT NULL
      FROM sessions
"""


async def offer(database: Database, **limits: Any) -> None:
    """Make a plan and open the gateway."""
    await run(database, save_plan, replace(Plan("p", "P"), **limits))
    await run(database, save_network, CAFE)
    await adopt_all(database, LOBBY)


async def sign_in(
    database: Database, plan: str | None = "p", token: str = TOKEN, network: Network = CAFE, **how: Any
) -> Admitted | Refused:
    """Open a session as all ways to sign in do."""

    async def work(cursor: Cursor) -> Admitted | Refused:
        usage = None if plan is None else await claim_allowance(cursor, OWNER, network.name, plan, NOON)
        request = GuestRequest(LOBBY, network, VISITOR, NOON)
        return await open_pending_session(cursor, request, Identity(**how), usage=usage, mint=lambda: token)

    return await run(database, work)


@ensureDeferred
async def test_a_stay_without_allowance_has_the_limits_of_the_network(database: Database) -> None:
    """What the URL says of the device is not kept."""
    await offer(database)
    assert await sign_in(database, None) == Admitted(TOKEN)
    row = (hash_secret(TOKEN), "lobby", None, None, VISITOR.url, NOON, HOUR, 1000, None, None, 1, False)
    assert [(bytes(found[0]), *found[1:]) for found in await rows(database, SESSION)] == [row]


@ensureDeferred
async def test_a_stay_on_the_allowance_of_a_device_must_be_that_device(database: Database) -> None:
    """Probation and the version of the terms are kept too; no terms, no version."""
    await offer(database)
    network = replace(CAFE, terms={}, terms_version=7)
    await sign_in(database, network=network, is_of_device=True, probation_until=NOON + MINUTE)
    assert (await rows(database, SESSION))[0][8:] == (mac(1), NOON + MINUTE, None, True)


@pytest.mark.parametrize(
    ("limits", "used", "refused"),
    [
        ({"total_octets": 10}, "incoming = 10", Refused(Refusal.SPENT, limit=Limit.OCTETS)),
        ({"time_limit": HOUR}, "first_used_at = '2026-11-22 11:00Z'", Refused(Refusal.SPENT, limit=Limit.TIME)),
        ({"valid_from": NOON + HOUR}, "incoming = 0",
         Refused(Refusal.SPENT, limit=Limit.NOT_VALID, back_at=NOON + HOUR)),
        ({"hours": "mon 08:00-09:00"}, "incoming = 0",
         Refused(Refusal.SPENT, limit=Limit.CLOSED, back_at=NOON + 20 * HOUR)),
        ({}, "revoked = true", Refused(Refusal.SPENT, limit=Limit.REVOKED)),
    ],
)  # fmt: skip
@ensureDeferred
async def test_a_reached_limit_keeps_guests_out(
    database: Database, limits: dict[str, Any], used: str, refused: Refused
) -> None:
    """It is named, with when they may come back; no session is opened."""
    await offer(database, **limits)

    async def claim(cursor: Cursor) -> None:
        await claim_allowance(cursor, OWNER, CAFE.name, "p", NOON)
        await cursor.execute(f"UPDATE allowances SET {used}")

    await run(database, claim)
    assert await sign_in(database) == refused
    assert await rows(database, SESSION) == []


@ensureDeferred
async def test_one_owner_signing_in_twice_at_once_gets_one_allowance(database: Database) -> None:
    """Nobody gets an error."""
    await offer(database)
    outcomes = await together(*(sign_in(database, token=f"{number:032d}") for number in range(8)))
    assert all(isinstance(outcome, Admitted) for outcome in outcomes)
    assert await rows(database, "SELECT count(DISTINCT allowance_id), count(*) FROM sessions") == [(1, 8)]
    await put(database, "DELETE FROM sessions")
