"""Sessions as guests meet them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_twisted import ensureDeferred

from tests.support.builders import (
    LOBBY,
    NOON,
    adopt_all,
    mac,
    open_online,
    open_pending,
    put,
    rows,
    run,
    token_hash,
)
from wifidogd.domain.errors import StoreConflict, StoreRefused
from wifidogd.domain.guests import GuestSession
from wifidogd.domain.sessions import Octets, Reason
from wifidogd.store.access.guest_sessions import ask_to_end, disconnect, fetch_session, open_session
from wifidogd.store.driver.database import Database

HOUR = timedelta(hours=1)


@ensureDeferred
async def test_a_new_session_shows_what_it_was_opened_with(database: Database) -> None:
    """The page the guest wanted and the limits of the network; no device, as no gateway has spoken."""
    await adopt_all(database, LOBBY)
    url = "http://example.com/?q=100%25&x=%(y)s"
    limits = {"time_limit": HOUR, "quota_octets": 10**12}
    await run(database, open_session, token_hash(1), gw_id="lobby", account_id=None, url=url, now=NOON, **limits)
    assert await run(database, fetch_session, token_hash(1)) == GuestSession(
        "lobby", None, None, url, None, None, HOUR, 10**12, used=Octets(), is_ending=False, allowance_id=None
    )


@ensureDeferred
async def test_a_live_session_shows_what_was_used(database: Database) -> None:
    """The values that the portal shows to the guest."""
    await adopt_all(database, LOBBY)
    await open_online(database, 1, expires=NOON + HOUR, octets=Octets(5, 6))
    assert await run(database, fetch_session, token_hash(1)) == GuestSession(
        "lobby",
        "10.0.0.2",
        mac(1),
        None,
        NOON,
        NOON + HOUR,
        None,
        None,
        used=Octets(5, 6),
        is_ending=False,
        allowance_id=None,
    )


@ensureDeferred
async def test_an_unknown_token_shows_nothing(database: Database) -> None:
    """Asking for its end is no error: the session may just have ended."""
    await run(database, ask_to_end, token_hash(1), Reason.LOGOUT)
    assert await run(database, fetch_session, token_hash(1)) is None


@ensureDeferred
async def test_the_first_reason_to_end_stays(database: Database) -> None:
    """A guest whom the operator has thrown out cannot turn it into a logout."""
    await adopt_all(database, LOBBY)
    await open_online(database, 1)
    await run(database, ask_to_end, token_hash(1), Reason.KICKED)
    await run(database, ask_to_end, token_hash(1), Reason.LOGOUT)
    session = await run(database, fetch_session, token_hash(1))
    assert session is not None
    assert session.is_ending
    assert await rows(database, "SELECT ending FROM sessions") == [("ended by the operator",)]


@ensureDeferred
async def test_a_token_is_minted_once(database: Database) -> None:
    """The same token again is a conflict: a second try makes another."""
    await adopt_all(database, LOBBY)
    await open_pending(database, 1)
    with pytest.raises(StoreConflict):
        await open_pending(database, 1)


@ensureDeferred
async def test_nobody_stays_at_a_gateway_that_is_not_adopted(database: Database) -> None:
    """It may have been removed while its guest read the terms."""
    with pytest.raises(StoreRefused):
        await open_pending(database, 1, gw_id="removed")


@pytest.mark.parametrize("by_mac", [False, True])
@ensureDeferred
async def test_who_came_in_by_the_mac_alone_learns_and_disconnects_nothing(database: Database, by_mac: bool) -> None:
    """Neither that there is an account, nor which other devices are online on its allowance."""
    await adopt_all(database, LOBBY)
    await open_online(database, 1)
    await open_online(database, 2)
    await put(
        database,
        """
        INSERT INTO plans (name, title) VALUES ('day', 'Day');
        INSERT INTO accounts (name, password_hash, created_at) VALUES ('anna', 'hash', %(now)s);
        INSERT INTO allowances (account_id, network, plan, claimed_at)
        SELECT account_id, 'default', 'day', %(now)s FROM accounts;
        UPDATE sessions
           SET account_id = allowances.account_id, allowance_id = allowances.allowance_id, by_mac = %(by_mac)s
          FROM allowances
        """,
        {"now": NOON, "by_mac": by_mac},
    )
    [(other,)] = await rows(database, "SELECT session_id FROM sessions WHERE mac = %(mac)s", {"mac": mac(2)})
    found = await run(database, fetch_session, token_hash(1))
    assert found is not None
    assert (found.has_account, [one.session_id for one in found.other_devices]) == (
        not by_mac,
        [] if by_mac else [other],
    )
    assert await run(database, disconnect, token_hash(1), other, Reason.LOGOUT) is not by_mac
