"""What all ways to sign in share, where no gateway has asked yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pytest_twisted import ensureDeferred

from tests.support.builders import LOBBY, MINUTE, NOON, SECOND, adopt_all, mac, open_online, put, rows, run, together
from wifidogd.access.open_session import (
    Admitted,
    Identity,
    Refusal,
    Refused,
    open_account_session,
    open_pending_session,
)
from wifidogd.domain.guests import Account, GuestRequest
from wifidogd.domain.plans import AllowanceOwner, Network, Plan
from wifidogd.domain.quotas import Limit
from wifidogd.domain.sessions import LoginQuery
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.accounting.plans import save_plan
from wifidogd.store.accounting.usage import claim_allowance
from wifidogd.store.accounts.accounts import add_account, fetch_account
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
    """What the URL says of the device must turn out to be true; until then it is not the session's device."""
    await offer(database)
    assert await sign_in(database, None) == Admitted(TOKEN)
    row = (hash_secret(TOKEN), "lobby", None, None, VISITOR.url, NOON, HOUR, 1000, mac(1), None, 1, False)
    assert [(bytes(found[0]), *found[1:]) for found in await rows(database, SESSION)] == [row]


@ensureDeferred
async def test_a_stay_on_the_allowance_of_a_device_must_be_that_device(database: Database) -> None:
    """Probation and the version of the terms are kept too; no terms, no version."""
    await offer(database)
    network = replace(CAFE, terms={}, terms_version=7)
    await sign_in(database, network=network, probation_until=NOON + MINUTE)
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


def test_a_token_is_not_shown_by_accident() -> None:
    """As in a log line, or a traceback."""
    assert TOKEN not in repr(Admitted(TOKEN))


@pytest.mark.parametrize(("devices", "is_admitted"), [({2}, True), ({2, 3}, False), ({1, 2}, True)])
@ensureDeferred
async def test_one_device_more_than_the_plan_allows_is_refused(
    database: Database, devices: set[int], is_admitted: bool
) -> None:
    """Whichever is online already needs no second place."""
    await offer(database, devices=2)
    await sign_in(database)
    for number in devices:
        await open_online(database, number)
    await put(database, "UPDATE sessions SET allowance_id = (SELECT allowance_id FROM allowances)")
    expected = Admitted("u" * 32) if is_admitted else Refused(Refusal.SPENT, limit=Limit.DEVICES)
    assert await sign_in(database, token="u" * 32) == expected


@ensureDeferred
async def test_a_sliding_window_says_when_a_guest_may_come_back(database: Database) -> None:
    """When the minute that holds the last octet allowed has left it; the minutes of others do not count."""
    await offer(database, span=2 * HOUR, span_octets=100)
    await sign_in(database, token="u" * 32)
    await put(
        database,
        """
        INSERT INTO allowance_slots (allowance_id, starts_at, used_time, octets)
        SELECT allowance_id, %(noon)s - made.ago, '0', made.octets
          FROM allowances, (VALUES (interval '90 minutes', 60), (interval '50 minutes', 70)) AS made (ago, octets)
        """,
        {"noon": NOON},
    )
    refused = Refused(Refusal.SPENT, limit=Limit.SPAN, back_at=NOON + 30 * MINUTE)
    assert await sign_in(database) == refused


async def open_for(database: Database, account: Account, **changes: Any) -> Admitted | Refused:
    """Open a session of the owner of an account."""
    request = replace(GuestRequest(LOBBY, CAFE, VISITOR, NOON), **changes)
    return await run(database, open_account_session, request, account, mint=lambda: TOKEN)


OF_ACCOUNT = """
    SELECT sessions.account_id IS NOT NULL, sessions.probation_until, plan, allowances.account_id IS NOT NULL,
           sessions.claimed_mac
      FROM sessions
      LEFT JOIN allowances USING (allowance_id)
"""


@pytest.mark.parametrize(
    ("is_validated", "later", "opened"),
    [
        (True, 400 * HOUR, (True, None, None, None, mac(1))),
        (False, timedelta(), (True, NOON + 7 * MINUTE, None, None, mac(1))),
        (False, 7 * MINUTE - SECOND, (True, NOON + 7 * MINUTE, None, None, mac(1))),
        (False, 7 * MINUTE, None),
    ],
)
@ensureDeferred
async def test_an_address_that_is_not_validated_is_trusted_for_the_grace_of_its_network(
    database: Database, is_validated: bool, later: timedelta, opened: tuple[Any, ...] | None
) -> None:
    """From the sign-up on, however often its guest signs in."""
    await offer(database)
    await run(database, add_account, "zoe", "hash", NOON)
    account = replace(await run(database, fetch_account, "zoe"), validated_at=NOON if is_validated else None)
    network = replace(CAFE, grace=7 * MINUTE)
    outcome = await open_for(database, account, network=network, now=NOON + later)
    assert outcome == (Refused(Refusal.NOT_VALIDATED) if opened is None else Admitted(TOKEN))
    found = [(*row[:3], row[3] or None, row[4]) for row in await rows(database, OF_ACCOUNT)]
    assert found == ([] if opened is None else [opened])


@pytest.mark.parametrize(
    ("own", "networks", "plan"), [("p", "q", "p"), (None, "q", "q"), ("p", None, "p"), (None, None, None)]
)
@ensureDeferred
async def test_the_plan_of_an_account_comes_before_that_of_its_network(
    database: Database, own: str | None, networks: str | None, plan: str | None
) -> None:
    """The allowance is the account's; without any plan there is none."""
    await offer(database)
    await run(database, save_plan, Plan("q", "Q"))
    await run(database, add_account, "zoe", "hash", NOON)
    account = replace(await run(database, fetch_account, "zoe"), plan=own)
    assert await open_for(database, account, network=replace(CAFE, plan=networks)) == Admitted(TOKEN)
    [(is_of_account, _, found, owns, claimed)] = await rows(database, OF_ACCOUNT)
    assert (is_of_account, found, owns, claimed) == (True, plan, plan is not None, mac(1))


@pytest.mark.parametrize(
    ("remember", "wants", "kept"), [(HOUR, True, HOUR), (HOUR, False, None), (None, True, None), (None, False, None)]
)
@ensureDeferred
async def test_a_device_is_remembered_only_where_guest_and_network_want_that(
    database: Database, remember: timedelta | None, wants: bool, kept: timedelta | None
) -> None:
    """For the length of time that the network says."""
    await offer(database)
    await run(database, add_account, "zoe", "hash", NOON)
    account = await run(database, fetch_account, "zoe")
    outcome = await open_for(database, account, network=replace(CAFE, remember=remember), wants_remembering=wants)
    assert isinstance(outcome, Admitted)
    assert (None if outcome.cookie is None else outcome.cookie.until - NOON) == kept
    assert await rows(database, "SELECT count(*) FROM devices") == [(0 if kept is None else 1,)]


@ensureDeferred
async def test_who_comes_back_on_a_remembered_device_gets_no_new_key(database: Database) -> None:
    """The one that the browser has stays good."""
    await offer(database)
    await run(database, add_account, "zoe", "hash", NOON)
    await open_for(
        database,
        await run(database, fetch_account, "zoe"),
        network=replace(CAFE, remember=HOUR),
        wants_remembering=True,
    )
    [(device_id, account_id)] = await rows(database, "SELECT device_id, account_id FROM devices")
    network = replace(CAFE, remember=HOUR)
    request = GuestRequest(LOBBY, network, VISITOR, NOON, device_key=TOKEN, wants_remembering=True)
    again = Identity(account_id, device_id=device_id)
    outcome = await run(database, open_pending_session, request, again, usage=None, mint=lambda: "u" * 32)
    assert outcome == Admitted("u" * 32)
    assert await rows(database, "SELECT count(*) FROM sessions JOIN devices USING (device_id)") == [(2,)]
