"""Who is adopted is known in memory, follows the store by its revision, and outlives it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from tests.support.builders import LOBBY, NOON, Recording, adopt_all, put, rows, run, together
from tests.support.deadline import within
from tests.support.postgres import ThrowawayPostgres
from wifidogd.domain.errors import StoreError, StoreUnavailable
from wifidogd.domain.gateways import Gateway, WaitingGateway
from wifidogd.domain.plans import Network
from wifidogd.domain.sessions import LoginQuery
from wifidogd.domain.tokens import hash_secret
from wifidogd.gateways.registry import MOST_TRUSTED, Registry
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.gateways import FETCH_GATEWAYS, FETCH_REVISION, remove
from wifidogd.store.gateways.networks import FETCH_NETWORKS, save_network
from wifidogd.store.gateways.waiting_gateways import list_waiting, remember_waiting
from wifidogd.store.migrations import migrate

LOGIN_QUERY = LoginQuery("new", "192.168.2.1", 2060)

HOTEL = Network("hotel", "Hotel")


def make(database: Database | Recording, *, trusting: bool = False) -> Registry:
    """Make a directory at noon."""
    return Registry(database, utc_now=lambda: NOON, trust_new_gateways=trusting)  # type: ignore[arg-type]


async def fresh(database: Database | Recording, *, trusting: bool = False) -> Registry:
    """Make a directory and let it read."""
    registry = make(database, trusting=trusting)
    await within(10, registry.refresh())
    return registry


@ensureDeferred
async def test_nothing_is_known_before_the_first_read(database: Database) -> None:
    """Nobody can say yet who is adopted; afterwards everything is there."""
    await adopt_all(database, LOBBY)
    registry = make(database)
    assert not registry.loaded
    assert registry.signing_secret is None
    assert registry.gateway("lobby") is None
    await within(10, registry.refresh())
    assert registry.loaded
    assert [(registry.signing_secret,)] == await rows(database, "SELECT secret FROM signing_keys")
    assert registry.gateway("lobby") == LOBBY
    assert registry.network("default") == Network("default", "Free Wi-Fi")
    assert registry.networks() == [Network("default", "Free Wi-Fi")]


@ensureDeferred
async def test_everything_is_read_again_only_when_something_changed(database: Database) -> None:
    """Each second costs one look at the revision; a change is seen at the next."""
    recording = Recording(database)
    registry = await fresh(recording)
    recording.statements.clear()
    for _ in range(3):
        await within(10, registry.refresh())
    assert recording.statements == [FETCH_REVISION] * 3
    await run(database, save_network, HOTEL)
    await adopt_all(database, replace(LOBBY, network="hotel"))
    await within(10, registry.refresh())
    assert recording.statements.count(FETCH_GATEWAYS) == recording.statements.count(FETCH_NETWORKS) == 1
    assert registry.gateway("lobby") == replace(LOBBY, network="hotel")
    assert registry.networks() == [Network("default", "Free Wi-Fi"), HOTEL]
    await run(database, remove, "lobby", NOON)
    await within(10, registry.refresh())
    assert registry.gateway("lobby") is None


@ensureDeferred
async def test_a_restored_backup_is_read_although_its_revision_is_older(database: Database) -> None:
    """Any other revision is news."""
    registry = await fresh(database)
    await adopt_all(database, LOBBY)
    await put(database, "UPDATE directory_revision SET revision = 0")
    await within(10, registry.refresh())
    assert registry.gateway("lobby") == LOBBY


@pytest.mark.parametrize("statement", [FETCH_GATEWAYS, FETCH_NETWORKS])
@ensureDeferred
async def test_a_change_in_the_middle_of_reading_leaves_no_gateway_without_network(
    database: Database, statement: str
) -> None:
    """A gateway moves to a new network between two statements; the next read sees all of it."""
    await adopt_all(database, LOBBY)
    recording = Recording(database)

    async def move(next_statement: str) -> None:
        if next_statement == statement:
            recording.before = None
            await run(database, save_network, HOTEL)
            await adopt_all(database, replace(LOBBY, network="hotel"))

    recording.before = move
    registry = await fresh(recording)
    lobby = registry.gateway("lobby")
    assert lobby is not None
    assert registry.network(lobby.network).name == lobby.network
    await within(10, registry.refresh())
    assert registry.gateway("lobby") == replace(LOBBY, network="hotel")


@ensureDeferred
async def test_a_failing_read_changes_nothing(database: Database) -> None:
    """The last that was known stays, all of it from one time, and the next read makes it good."""
    registry = await fresh(database)
    await adopt_all(database, LOBBY)
    await put(database, "ALTER TABLE signing_keys RENAME TO lost_keys")
    with pytest.raises(StoreError):
        await within(10, registry.refresh())
    assert registry.gateway("lobby") is None
    await put(database, "ALTER TABLE lost_keys RENAME TO signing_keys")
    await within(10, registry.refresh())
    assert registry.gateway("lobby") == LOBBY


@pytest.fixture
def fragile() -> Iterator[ThrowawayPostgres]:
    """A PostgreSQL that may be stopped."""
    server = ThrowawayPostgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@ensureDeferred
async def test_the_last_known_outlive_the_store(fragile: ThrowawayPostgres) -> None:
    """While it is away guests and gateways are still told apart."""
    database = Database(clock=reactor)
    database.start(fragile.dsn)
    try:
        await within(20, migrate(database))
        await adopt_all(database, LOBBY)
        registry = await fresh(database)
        fragile.stop()
        with pytest.raises(StoreUnavailable):
            await within(20, registry.refresh())
        assert registry.loaded
        assert registry.gateway("lobby") == LOBBY
        assert registry.network("default").title == "Free Wi-Fi"
    finally:
        await within(10, database.stop())


@pytest.mark.parametrize(
    ("gw_id", "key", "expected"),
    [
        ("lobby", None, True),
        ("lobby", "whatever", True),
        ("keyed", None, False),
        ("keyed", "wrong", False),
        ("keyed", "new", True),
        ("keyed", "old", True),
        ("stranger", None, False),
    ],
)
@ensureDeferred
async def test_a_gateway_may_ask_when_adopted_and_with_its_key(
    database: Database, gw_id: str, key: str | None, expected: bool
) -> None:
    """One without keys needs none; one with keys may use the old until it has the new."""
    keyed = replace(LOBBY, gw_id="keyed", key_hashes=(hash_secret("new"), hash_secret("old")))
    await adopt_all(database, LOBBY, keyed)
    registry = await fresh(database)
    assert registry.may_ask(gw_id, key) is expected


@ensureDeferred
async def test_nobody_is_trusted_unless_the_operator_says_so(database: Database) -> None:
    """Off by default, and then the store is not even asked."""
    recording = Recording(database)
    registry = await fresh(recording)
    recording.statements.clear()
    assert await within(10, registry.adopt_if_trusted(LOGIN_QUERY)) is None
    assert recording.statements == []


@pytest.mark.parametrize(
    ("login_query", "is_adopted"),
    [
        (LOGIN_QUERY, True),
        (replace(LOGIN_QUERY, gw_address="10.255.0.1"), True),
        (replace(LOGIN_QUERY, gw_address="fd00::1"), True),
        (replace(LOGIN_QUERY, gw_address="203.0.113.7"), False),
        (replace(LOGIN_QUERY, gw_address="127.0.0.1"), False),
        (replace(LOGIN_QUERY, gw_address="evil.example"), False),
        (replace(LOGIN_QUERY, gw_address=None), False),
        (replace(LOGIN_QUERY, gw_port=None), False),
    ],
)
@ensureDeferred
async def test_a_trusted_gateway_has_a_private_address(
    database: Database, login_query: LoginQuery, is_adopted: bool
) -> None:
    """Guests are sent there, so it must not be anywhere else than in their own network; it waits no longer."""
    registry = await fresh(database, trusting=True)
    await run(database, remember_waiting, [WaitingGateway("new", NOON, NOON, "192.0.2.1")], 9)
    gateway = await within(10, registry.adopt_if_trusted(login_query))
    assert (gateway is not None) is is_adopted
    assert gateway == registry.gateway("new") == (await fresh(database)).gateway("new")
    assert len(await run(database, list_waiting)) == (not is_adopted)
    if gateway is not None:
        assert gateway == Gateway("new", "default", str(login_query.gw_address), 2060)


@pytest.mark.parametrize("is_loaded", [True, False])
@ensureDeferred
async def test_a_guest_cannot_change_a_gateway_that_is_adopted(database: Database, is_loaded: bool) -> None:
    """Nor in the second before a server hears of the adoption: others would be sent where that guest says."""
    registry = await fresh(database, trusting=True) if is_loaded else make(database, trusting=True)
    await adopt_all(database, LOBBY)
    forged = LoginQuery("lobby", "10.66.66.66", 80)
    assert await within(10, registry.adopt_if_trusted(forged)) == LOBBY
    assert (await fresh(database)).gateway("lobby") == LOBBY


@ensureDeferred
async def test_the_first_address_counts(database: Database) -> None:
    """Guests who come at the same time agree on one."""
    registry = await fresh(database, trusting=True)
    login_queries = [replace(LOGIN_QUERY, gw_address=f"192.168.2.{number}") for number in range(1, 9)]
    adopted = await together(*(registry.adopt_if_trusted(login_query) for login_query in login_queries))
    assert len(set(adopted)) == 1
    assert adopted[0] == (await fresh(database)).gateway("new")


@ensureDeferred
async def test_a_guest_waits_until_every_worker_knows_a_gateway_that_was_trusted(database: Database) -> None:
    """Whichever of them takes the form or the gateway's question, a moment later; the next guest need not wait."""
    spreading: list[Gateway | None] = []

    async def spread() -> None:
        spreading.append(first.gateway("new"))

    first = Registry(database, utc_now=lambda: NOON, trust_new_gateways=True, spread=spread)
    gateway = await within(10, first.adopt_if_trusted(LOGIN_QUERY))
    assert gateway is not None
    assert spreading == [gateway]
    second = Registry(database, utc_now=lambda: NOON, trust_new_gateways=True, spread=spread)
    assert await within(10, second.adopt_if_trusted(LOGIN_QUERY)) == gateway
    assert spreading == [gateway, gateway]


@ensureDeferred
async def test_trust_is_bounded(database: Database) -> None:
    """Guests who invent gateways do not fill the registry."""
    await adopt_all(database, *(replace(LOBBY, gw_id=f"gw{number}") for number in range(MOST_TRUSTED - 1)))
    registry = await fresh(database, trusting=True)
    assert await within(10, registry.adopt_if_trusted(LOGIN_QUERY)) is not None
    assert await within(10, registry.adopt_if_trusted(replace(LOGIN_QUERY, gw_id="one-more"))) is None
    assert await within(10, registry.adopt_if_trusted(LOGIN_QUERY)) is not None
