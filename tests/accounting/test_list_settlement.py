"""Lists of clients at the ledger: what they cost, and what they may take from others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing

import psycopg2
import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.defer import ensureDeferred as as_deferred
from twisted.internet.task import deferLater

from tests.support.builders import LOBBY, MINUTE, NOON, adopt_all, mac, rows, run
from tests.support.deadline import within
from tests.support.traffic import traffic
from wifidogd.accounting.departures import Departures
from wifidogd.accounting.ledger import LIST_ANSWER_WITHIN, LIST_PART, MOST_BEFORE_LISTS, Ledger
from wifidogd.accounting.list_settlement import ClientLists
from wifidogd.domain.reports.client_lists import ClientList, ListedClient
from wifidogd.domain.sessions import AuthCode, Dialect, Octets, Report, Stage
from wifidogd.domain.tokens import hash_secret
from wifidogd.gateways.registry import Registry
from wifidogd.store.access.guest_sessions import open_session
from wifidogd.store.driver.database import Cursor, Database

LIMITS = dict.fromkeys(("account_id", "url", "time_limit", "quota_octets", "claimed_mac"))
NOTHING = {"probation_until": None, "terms_version": None, "allowance_id": None}


def token(number: int) -> str:
    """Return the token of a guest."""
    return f"{number:032d}"


def listed(*numbers: int, is_complete: bool = True) -> ClientList:
    """Return a list of guests."""
    clients = [
        ListedClient(
            number,
            Report(
                Stage.COUNTERS,
                Dialect.APFREE,
                token(number),
                "lobby",
                mac(number % 250 + 1),
                f"10.0.{number // 250}.{number % 250 + 1}",
                Octets(number, 1),
            ),
        )
        for number in numbers
    ]
    return ClientList("lobby", clients, is_complete)


class Router:
    """
    A gateway that sends lists to a ledger.

    @ivar now: what the wall clock says.
    """

    def __init__(self, database: Database) -> None:
        self.now = NOON
        self.database = database
        self.registry = Registry(database, utc_now=lambda: self.now)
        self.ledger = Ledger(database, self.registry, clock=reactor, utc_now=lambda: self.now)  # type: ignore[arg-type]
        departures = Departures(database, clock=reactor, utc_now=lambda: self.now)  # type: ignore[arg-type]
        self.compared: Deferred[None] = Deferred()
        compare = departures.compare

        async def compare_and_tell(*what: object) -> None:
            await compare(*what)  # type: ignore[arg-type]
            told, self.compared = self.compared, Deferred()
            told.callback(None)

        departures.compare = compare_and_tell  # type: ignore[method-assign, assignment]
        self.lists = ClientLists(self.ledger, self.registry, departures, clock=reactor)  # type: ignore[arg-type]

    async def open(self, *numbers: int) -> None:
        """Sign guests in."""

        async def work(cursor: Cursor) -> None:
            for number in numbers:
                open_session(cursor, hash_secret(token(number)), gw_id="lobby", now=self.now, **LIMITS, **NOTHING)

        await run(self.database, work)

    async def send(self, clients: ClientList) -> list[AuthCode | None]:
        """Return the codes of the clients of a list."""
        [codes] = await within(30, as_deferred(self.lists.settle([clients], None, "192.0.2.1")))
        return codes


@async_yield_fixture
async def router(database: Database) -> AsyncIterator[Router]:
    router = Router(database)
    await adopt_all(database, LOBBY)
    await within(5, router.registry.refresh())
    yield router
    await within(10, router.ledger.drain())


@ensureDeferred
async def test_a_list_of_fifty_costs_no_more_than_three(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is settled at once, if nothing was just before, the others together; then nobody has left."""
    guests = range(50)
    await router.open(*guests)
    await router.send(listed(*guests))
    await within(5, router.compared)
    router.now += MINUTE
    with traffic(monkeypatch) as seen:
        compared = router.compared
        assert await router.send(listed(*guests)) == [AuthCode.ALLOWED] * 50
        await within(5, compared)
    assert seen.counted <= (3, 6)
    assert seen.round_trips <= 6
    assert await rows(router.database, "SELECT count(*), sum(incoming) FROM sessions") == [(50, sum(guests))]


@ensureDeferred
async def test_guests_who_left_cost_a_bounded_number_of_round_trips(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many they are: two transactions more than nobody, as the one that ends them must hold nobody else."""
    guests = range(200)
    await router.open(*guests)
    for each in (listed(*guests), listed(0)):
        compared = router.compared
        await router.send(each)
        await within(10, compared)
        router.now += MINUTE
    with traffic(monkeypatch) as seen:
        compared = router.compared
        assert await router.send(listed(0)) == [AuthCode.ALLOWED]
        await within(10, compared)
    assert seen.counted == (3, 7)
    left = "SELECT count(*), sum(incoming), min(ended_at), max(reason) FROM past_sessions"
    assert await rows(router.database, left) == [(199, sum(guests), NOON, "left the gateway")]


@pytest.mark.impatient
@ensureDeferred
async def test_guests_who_left_keep_nobody_waiting_while_the_history_is_locked(router: Router, dsn: str) -> None:
    """Those who are listed go on, and the end is recorded when it can be."""
    await router.open(0, 1, 2)
    for each in (listed(0, 1, 2), listed(0)):
        compared = router.compared
        await router.send(each)
        await within(10, compared)
        router.now += MINUTE
    with closing(psycopg2.connect(dsn)) as somebody:
        somebody.cursor().execute("LOCK TABLE past_sessions IN SHARE MODE")
        for _ in range(4):
            assert await router.send(listed(0, 2)) == [AuthCode.ALLOWED] * 2
            await deferLater(reactor, 0.1)
        assert await rows(router.database, "SELECT count(*) FROM sessions WHERE missed_at IS NULL") == [(2,)]
    while not (ended := await rows(router.database, "SELECT incoming, reason FROM past_sessions")):
        await deferLater(reactor, 0.05)
    assert ended == [(1, "left the gateway")]


@ensureDeferred
async def test_a_long_list_waits_in_parts(router: Router) -> None:
    """A report that comes meanwhile is settled between them."""
    await router.open(7)
    most = 0
    submit = router.ledger._dispatcher.submit

    def watched(*what: object) -> object:
        nonlocal most
        most = max(most, router.ledger.metrics()["reports_waiting"])
        return submit(*what)  # type: ignore[arg-type]

    router.ledger._dispatcher.submit = watched  # type: ignore[method-assign, assignment]
    codes = await router.send(listed(*range(1000)))
    assert [number for number, code in enumerate(codes) if code is AuthCode.ALLOWED] == [7]
    assert codes.count(AuthCode.DENIED) == 999
    assert most < LIST_PART


@ensureDeferred
async def test_a_list_does_not_push_out_the_reports_of_others(router: Router) -> None:
    """Where many wait it is told that nobody can say, and ends nobody."""
    await router.open(1)
    report = listed(2).clients[0].report
    assert report is not None
    waiting = [router.ledger.settle(report) for _ in range(MOST_BEFORE_LISTS + 2)]
    compared = router.compared
    assert await router.send(listed(1, 2)) == [None, None]
    for each in waiting:
        await within(30, each)
    assert not compared.called
    assert await router.send(listed(1)) == [AuthCode.ALLOWED]
    await within(5, router.compared if not compared.called else compared)


@ensureDeferred
async def test_a_router_that_hangs_up_has_its_list_settled(router: Router, database: Database) -> None:
    """The web server cancels what nobody waits for any more, which is no failure."""
    await router.open(1)
    compared = router.compared
    assert await router.send(listed(1)) == [AuthCode.ALLOWED]
    await within(5, router.compared if not compared.called else compared)
    [before] = await rows(database, "SELECT reported_at FROM sessions")
    router.now += MINUTE
    asked = as_deferred(router.lists.settle([listed(1)], None, "192.0.2.1"))
    asked.cancel()
    assert await within(5, asked) == [[None]]
    await within(10, router.ledger.drain())
    assert await rows(database, "SELECT reported_at FROM sessions") != [before]


@pytest.mark.impatient
@ensureDeferred
async def test_a_list_is_answered_before_its_router_hangs_up(router: Router, database: Database) -> None:
    """With nothing, while the database is stuck."""
    await router.open(1)

    async def hold(cursor: Cursor) -> float:
        await cursor.execute("SELECT 1 FROM sessions FOR UPDATE")
        began = reactor.seconds()  # type: ignore[attr-defined]
        assert await router.send(listed(1)) == [None]
        return reactor.seconds() - began  # type: ignore[attr-defined]

    passed = await run(database, hold)
    assert LIST_ANSWER_WITHIN[Dialect.APFREE] <= passed < 2


@ensureDeferred
async def test_nothing_is_said_before_it_is_known_who_is_adopted(router: Router) -> None:
    """Right after a start."""
    unread = Registry(router.database, utc_now=lambda: NOON)
    departures = Departures(router.database, clock=reactor, utc_now=lambda: NOON)  # type: ignore[arg-type]
    lists = ClientLists(router.ledger, unread, departures, clock=reactor)  # type: ignore[arg-type]
    assert await within(5, as_deferred(lists.settle([listed(1)], None, "192.0.2.1"))) == [[None]]
