"""One connection of the pool: how it is opened again, and how rarely that is tried."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.support.deadline import within
from tests.support.observing import descriptors, log_lines, turns_of_the_reactor, watched
from tests.support.peers import FeignsTls, HangsUp, LogsIn, LogsInAndDrops, StaysSilent, TalksGarbage, listening
from wifidogd.domain.errors import StoreUnavailable
from wifidogd.store.driver.database import Database
from wifidogd.store.driver.dsn import session_parameters
from wifidogd.store.driver.reconnect import FIRST_PAUSE, LONGEST_PAUSE, PROVEN, Reconnector, pause_after
from wifidogd.store.driver.resolver import Resolver


@pytest.mark.parametrize(
    ("failures", "chance", "seconds"),
    [
        (0, 0, FIRST_PAUSE / 2),
        (0, 1, FIRST_PAUSE),
        (1, 1, FIRST_PAUSE * 2),
        (3, 0, FIRST_PAUSE * 4),
        (16, 0, LONGEST_PAUSE / 2),
        (10**9, 1, LONGEST_PAUSE),
    ],
)
def test_pauses_double_up_to_a_limit(failures, chance, seconds):
    """Half of each is chance."""
    assert pause_after(failures, chance) == seconds


class Watcher:
    """Counts what a reconnector reports."""

    def __init__(self):
        self.opened, self.lost = [], []

    def note_loss(self, connection, reason):
        self.lost.append((connection, reactor.seconds()))

    async def has(self, opened):
        """Wait for so many connections."""
        while len(self.opened) < opened:
            await deferLater(reactor, 0.02)


def reconnector_to(dsn, watcher):
    """Return a reconnector whose pauses have no random part."""
    return Reconnector(
        session_parameters(dsn),
        Resolver(reactor),
        clock=reactor,
        chance=lambda: 1.0,
        opened=watcher.opened.append,
        lost=watcher.note_loss,
    )


@ensureDeferred
async def test_only_a_connection_that_lived_resets_the_pause(dsn):
    """A server that logs in and drops must not be asked twenty times a second."""
    watcher = Watcher()
    reconnector = reconnector_to(dsn, watcher)
    reconnector.start()
    gaps = []
    for number, life in enumerate([0, 0, 0, PROVEN + 0.1, 0], 1):
        await within(10, watcher.has(number))
        await deferLater(reactor, life)
        watcher.opened[-1].abort(Exception("dropped"))
        since = reactor.seconds()
        await within(10, watcher.has(number + 1))
        gaps.append(reactor.seconds() - since)
    reconnector.stop(Exception("done"))
    planned = [pause_after(failures, 1.0) for failures in (1, 2, 3, 0, 1)]
    assert all(gap >= pause for gap, pause in zip(gaps, planned, strict=True))
    assert gaps[3] < gaps[2]


@ensureDeferred
async def test_a_stopped_reconnector_does_not_come_back(dsn):
    """Whether it is open, opening, or pausing."""
    before = set(reactor.getDelayedCalls())
    for pause in (0.0, 0.3):
        watcher = Watcher()
        reconnector = reconnector_to(dsn, watcher)
        reconnector.start()
        await deferLater(reactor, pause)
        reconnector.stop(Exception("done"))
        assert len(watcher.lost) == 1
    watcher = Watcher()
    reconnector = reconnector_to("host=/nowhere", watcher)
    reconnector.start()
    while not watcher.lost:
        await deferLater(reactor, 0)
    reconnector.stop(Exception("done"))
    await deferLater(reactor, 0.3)
    assert len(watcher.lost) == 1
    assert set(reactor.getDelayedCalls()) <= before


async def nothing(cursor):
    """Work of one statement."""
    await cursor.execute("SELECT 1")


@pytest.mark.parametrize("protocol", [HangsUp, StaysSilent, TalksGarbage, FeignsTls, LogsIn, LogsInAndDrops])
@ensureDeferred
async def test_a_hopeless_peer_is_asked_a_bounded_number_of_times(protocol):
    """txpostgres' own detector asks one that logs in and drops 217 to 330 times a second, with a traceback each."""
    seconds = 4
    async with listening(protocol) as peer:
        before, watched_before = descriptors(), watched()
        database = Database(clock=reactor, size=2)
        with log_lines("wifidogd.store") as lines, turns_of_the_reactor() as turns:
            database.start(peer.dsn)
            with pytest.raises(StoreUnavailable):
                await within(seconds, database.transaction(nothing, deadline=timedelta(seconds=1)))
            await deferLater(reactor, seconds - 1)
            await within(5, database.stop())
        assert peer.calls <= 40 * sockets_of_a_database(protocol)
        assert turns.longest < seconds / 2
        assert len(lines) <= 2
        assert not [line for line in lines if "log_failure" in line]
        for _ in range(100):
            if watched() == watched_before:
                break
            await deferLater(reactor, 0.02)
        assert (descriptors(), watched()) == (before, watched_before)


def sockets_of_a_database(protocol):
    """Return how many sockets one attempt takes: libpq tries again in clear what failed under TLS."""
    return 2 if protocol is FeignsTls else 1
