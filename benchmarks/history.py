"""
C{history}: whether a request costs more on a server that has run for years, or that has many guests online.

Servers on databases of the same PostgreSQL, alike but for their history, answer the same loads in turns; then one with
a crowd online does beside one with few.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks import stored_guests
from benchmarks.output.table import Limit, Result, Spread, Table, alternate, number, ratios, spread
from benchmarks.requests.cost import Measured, measure
from benchmarks.requests.gateways import Counters, LoginPages, Rounds, Sessions
from benchmarks.requests.load import Load, drive
from tests.support.testbed.server_process import ServerProcess
from tests.support.testbed.testbed import Testbed

ROWS = (2_000, 500_000, 10_000_000)
QUICK_ROWS = (2_000, 50_000, 500_000)

GUESTS, CROWD, QUICK_CROWD = 2_000, 1_000_000, 50_000
"""Open sessions."""

GATEWAYS, AT_A_TIME = 20, 16

MOST = 1.1

GOOD = {
    "counters": {"Auth: 1"},
    "login, then logout": {"Auth: 1", "Auth: 0"},
    "login page": {"200"},
}
"""By the kind of request, what must be answered."""


def run(testbed: Testbed, quick: bool) -> Result:
    """Make the histories, then measure all kinds of requests on all of them in turns."""
    rounds, seconds, sessions = (3, 1.0, 500) if quick else (7, 2.0, 1500)
    servers = [ServerWithHistory(testbed, rows, GUESTS, seconds, sessions) for rows in (QUICK_ROWS if quick else ROWS)]
    found = {kind: alternate(rounds, sides(servers, kind)) for kind in GOOD}
    crowded = ServerWithHistory(testbed, servers[0].rows, QUICK_CROWD if quick else CROWD, seconds, sessions)
    by_guests = {number(server.guests): server.counters for server in (servers[0], crowded)}
    crowd = alternate(rounds, by_guests)
    size = servers[-1].octets_of_a_session()
    for server in (*servers, crowded):
        server.close()
    return report(found, crowd, size)


@dataclass
class ServerWithHistory:
    """
    A server with so many rows of history, and so many guests online.

    @ivar seconds: of a load that has no end of its own.
    @ivar sessions: number of guests who log in and out in one load.
    """

    testbed: Testbed
    rows: int
    guests: int
    seconds: float
    sessions: int

    def __post_init__(self) -> None:
        self._dsn = self.testbed.postgres.create_database()
        self._server: ServerProcess = self.testbed.wifidogd(self._dsn)
        stored_guests.remember(self._dsn, self.rows)
        stored_guests.adopt(self._dsn, GATEWAYS)
        stored_guests.admit(self._dsn, self.guests, GATEWAYS)
        stored_guests.settle(self._dsn)
        self._rounds = Rounds(self.guests, GATEWAYS)
        self._newcomer = self.guests
        drive(Load(self._server.port, LoginPages(GATEWAYS), 1.0, at_a_time=AT_A_TIME))

    def counters(self) -> Measured:
        """Build the load of gateways that report their guests."""
        return self._measure("counters", self._rounds.next())

    def login_and_logout(self) -> Measured:
        """Build the load of guests who come and go, from C{sessions} to C{past_sessions}."""
        first = self._newcomer
        self._newcomer += self.sessions
        stored_guests.admit(self._dsn, self.sessions, GATEWAYS, first=first, online=False)
        return self._measure("login, then logout", Sessions(first, self.sessions, GATEWAYS))

    def login_page(self) -> Measured:
        """Build the load of phones that ask for the login page."""
        return self._measure("login page", LoginPages(GATEWAYS))

    def octets_of_a_session(self) -> float:
        """Return the octets that a past session takes on the disk."""
        return stored_guests.octets(self._dsn, "past_sessions") / self.rows

    def close(self) -> None:
        """End the server and give the disk back."""
        self._server.end()
        self.testbed.postgres.drop_database(self._dsn)

    def _measure(self, kind: str, requests: Counters | Sessions | LoginPages) -> Measured:
        seconds = 60.0 if isinstance(requests, Sessions) else self.seconds
        measured = measure(self.testbed, self._server, Load(self._server.port, requests, seconds, at_a_time=AT_A_TIME))
        if measured.heard.other_than(*GOOD[kind]):
            raise RuntimeError(f"{kind} with {self.rows} rows of history: {measured.heard.outcomes}")
        return measured


def sides(servers: Sequence[ServerWithHistory], kind: str) -> dict[str, Callable[[], Measured]]:
    """Return how a kind of request is measured with each history."""
    ways = {
        "counters": ServerWithHistory.counters,
        "login, then logout": ServerWithHistory.login_and_logout,
        "login page": ServerWithHistory.login_page,
    }
    return {number(server.rows): partial(ways[kind], server) for server in servers}


ByName = Mapping[str, Sequence[Measured]]


def report(found: Mapping[str, ByName], crowd: ByName, size: float) -> Result:
    """
    Put it in tables; the limit is for the longest history, server and PostgreSQL together.

    @param crowd: counters, by open sessions.
    @param size: octets on the disk that a past session takes.
    """
    limits = []
    for kind, by_rows in found.items():
        shortest, *_, longest = by_rows
        ratio = together(by_rows[longest], by_rows[shortest])
        limits.append(Limit(f"{kind}: {longest} rows to {shortest}", ratio.median, most=MOST))
    costs = ("server us", "PostgreSQL us", "p99 ms", "server", "PostgreSQL", "together")
    title = "CPU for a request, and its ratio to that with the shortest history"
    tables = [
        Table(title, ("request", "rows of history", *costs), rows(found)),
        Table("The same, by guests online", ("request", "open sessions", *costs), rows({"counters": crowd})),
    ]
    said = {**figures({**found, "counters, by open sessions": crowd}), "octets_of_a_stay": size}
    notes = [f"A past session takes {number(size)} octets of disk, indexes included."]
    return Result("history", tables, limits, said, notes)


def rows(found: Mapping[str, ByName]) -> list[list[str]]:
    """Write the lines of a table: the first of each kind of request is what the others are compared with."""
    return [
        [kind, name, *cells(measured, next(iter(by_name.values())))]
        for kind, by_name in found.items()
        for name, measured in by_name.items()
    ]


def cells(measured: Sequence[Measured], shortest: Sequence[Measured]) -> list[str]:
    """Write one row."""
    server, postgres = [each.server_micros for each in measured], [each.postgres_micros for each in measured]
    return [
        number(spread(server).median),
        number(spread(postgres).median),
        number(spread([each.heard.latency(0.99) for each in measured]).median * 1000),
        str(ratios(server, [each.server_micros for each in shortest])),
        str(ratios(postgres, [each.postgres_micros for each in shortest])),
        str(together(measured, shortest)),
    ]


def together(these: Sequence[Measured], those: Sequence[Measured]) -> Spread:
    """Compare the CPU of server and PostgreSQL added up."""
    return ratios(*([each.server_micros + each.postgres_micros for each in side] for side in (these, those)))


def figures(found: Mapping[str, ByName]) -> dict[str, object]:
    """Return the same for JSON."""
    return {
        kind: {
            rows: {
                "server_micros": [each.server_micros for each in measured],
                "postgres_micros": [each.postgres_micros for each in measured],
            }
            for rows, measured in by_rows.items()
        }
        for kind, by_rows in found.items()
    }
