"""Devices are let in by whichever process their router is connected to; only a gateway with a key is told a token."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_twisted import async_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater

from tests.support.builders import NOON, adopt_all, run
from tests.support.deadline import within
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.tokens import hash_secret
from wifidogd.gateways.command_relay import CommandRelay
from wifidogd.gateways.registry import Registry
from wifidogd.gateways.router_commands import Admission, Command, ConnectedRouters, Outcome
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.router_connections import ClaimedGateway, claim_gateways

KEYED = Gateway("keyed", "default", "10.0.0.1", key_hashes=(hash_secret("secret"),))
OPEN = Gateway("open", "default", "10.0.0.2")
GUEST = ("02:00:00:00:00:01", "10.0.0.5", "t" * 32)


@dataclass(eq=False)
class Connection:
    """A router's connection that notes what it is to send."""

    outcome: Outcome = Outcome.DONE
    device_id: str = "D"
    source: str = "192.0.2.1"
    key: str | None = "secret"
    is_open: bool = True
    sent: list[Command] = field(default_factory=list)

    def send(self, command: Command) -> Deferred[Outcome]:
        self.sent.append(command)
        return succeed(self.outcome)

    def distrust(self) -> None:
        """Nothing."""

    def replace(self) -> None:
        self.is_open = False


class Process:
    """The routers of a process, and its relay."""

    def __init__(self, database: Database, registry: Registry, server: str) -> None:
        self.routers = ConnectedRouters()
        self.relay = CommandRelay(
            database,
            registry,
            self.routers,
            server=server,
            clock=reactor,
            utc_now=lambda: NOON,  # type: ignore[arg-type]
        )


@async_fixture
async def processes(database: Database) -> tuple[Process, Process]:
    await adopt_all(database, KEYED, OPEN)
    registry = Registry(database, utc_now=lambda: NOON)
    await within(5, registry.refresh())
    return Process(database, registry, "one"), Process(database, registry, "two")


@ensureDeferred
async def test_a_device_is_let_in_by_the_connection_of_this_process(processes: tuple[Process, Process]) -> None:
    here, _ = processes
    connection = Connection()
    here.routers.connect(connection, "keyed")
    assert await within(5, here.relay.admit("keyed", *GUEST)) is True
    assert connection.sent == [Admission("keyed", *GUEST)]
    connection.outcome = Outcome.REFUSED
    assert await within(5, here.relay.admit("keyed", *GUEST)) is False


@ensureDeferred
async def test_a_gateway_without_a_key_is_told_no_token(processes: tuple[Process, Process]) -> None:
    """Whoever says that it is its router could be anybody."""
    here, _ = processes
    connection = Connection()
    here.routers.connect(connection, "open")
    assert await within(5, here.relay.admit("open", *GUEST)) is False
    assert await within(5, here.relay.admit("unknown", *GUEST)) is False
    assert connection.sent == []


@ensureDeferred
async def test_through_the_store_a_command_reaches_another_process(
    processes: tuple[Process, Process], database: Database
) -> None:
    """The token is gone from the store as soon as it is taken, and the row when the answer is there."""
    here, there = processes
    connection = Connection()
    there.routers.connect(connection, "keyed")
    assert await within(5, here.relay.is_reachable("keyed")) is False
    assert await within(5, here.relay.admit("keyed", *GUEST)) is False
    await run(database, claim_gateways, "two", [ClaimedGateway("keyed", "D", "192.0.2.1", True)], NOON)
    assert await within(5, here.relay.is_reachable("keyed")) is True
    admitting = Deferred.fromCoroutine(within(10, here.relay.admit("keyed", *GUEST)))

    async def take() -> None:
        while not connection.sent:
            await there.relay.take()
            await here.relay.take()
            await deferLater(reactor, 0.02)

    await within(5, take())
    assert await tokens(database) in ([(None,)], [])
    assert await admitting is True
    assert connection.sent == [Admission("keyed", *GUEST)]
    assert await tokens(database) == []


async def tokens(database: Database) -> list[tuple]:
    async def read(cursor):
        await cursor.execute("SELECT token FROM router_commands")
        return cursor.fetchall()

    return await within(5, database.transaction(read))


@ensureDeferred
async def test_nobody_waits_for_ever_for_another_process(
    processes: tuple[Process, Process], database: Database, monkeypatch
) -> None:
    monkeypatch.setattr("wifidogd.gateways.command_relay.WAIT", 0.3)
    await run(database, claim_gateways, "two", [ClaimedGateway("keyed", "D", "192.0.2.1", True)], NOON)
    assert await within(5, processes[0].relay.admit("keyed", *GUEST)) is False
    assert await tokens(database) == []
