"""The pool: what it bounds, and what it does with connections and callers that misbehave."""

from __future__ import annotations

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from tests.support.deadline import within
from tests.support.observing import turns_of_the_reactor
from wifidogd.domain.errors import StoreUnavailable
from wifidogd.store.driver.dsn import session_parameters
from wifidogd.store.driver.pool import GRACE, Pool


@pytest_twisted.async_yield_fixture
async def pool(dsn):
    """A pool of two connections where five jobs may wait."""
    pool = Pool(clock=reactor, size=2, max_waiting=5)
    pool.start(session_parameters(dsn))
    await within(10, pool.submit(query("SELECT 1"), 10.0))
    while pool.metrics()["connections"] < 2:
        await deferLater(reactor, 0.02)
    yield pool
    await within(10, pool.stop())


def query(statement):
    """Make a task of one statement; the first column of its first row."""

    async def task(connection):
        cursor = connection.new_cursor()
        await connection.execute(cursor, statement, None)
        return cursor.fetchone()[0]

    return task


async def outcomes(deferreds, seconds=20):
    """Wait for all: results, and classes of errors."""
    results = await within(seconds, DeferredList(deferreds, consumeErrors=True))
    return [result if fine else result.type for fine, result in results]


async def both_open(pool):
    """Wait until no connection is on its way."""
    while pool.metrics()["connections"] < 2:
        await deferLater(reactor, 0.01)


async def pids(pool):
    """The backends of both connections."""
    await within(5, both_open(pool))
    return set(await outcomes([pool.submit(query("SELECT pg_backend_pid() FROM pg_sleep(0.2)"), 5.0) for _ in "ab"]))


@ensureDeferred
async def test_a_burst_beyond_the_queue_is_refused_at_once_and_the_rest_served(pool):
    """Two run, five wait, the others hear immediately; afterwards all is as before."""
    accepted, refused = [], 0
    for _ in range(5000):
        try:
            accepted.append(pool.submit(query("SELECT 1 FROM pg_sleep(0.02)"), 10.0))
        except StoreUnavailable:
            refused += 1
    with pytest.raises(StoreUnavailable, match="5 transactions are waiting"):
        pool.submit(query("SELECT 1"), 10.0)
    assert pool.metrics() == {"connections": 2, "waiting": 5}
    assert (await outcomes(accepted), refused) == ([1] * 7, 4993)
    assert pool.metrics() == {"connections": 2, "waiting": 0}
    assert await within(5, pool.submit(query("SELECT 2"), 5.0)) == 2


@ensureDeferred
async def test_waiting_is_part_of_the_deadline(pool):
    """Those who waited for it are told, and the connections they waited for live on."""
    before = await pids(pool)
    long = [pool.submit(query("SELECT 1 FROM pg_sleep(2)"), 10.0) for _ in "ab"]
    late = await outcomes([pool.submit(query("SELECT 2"), 0.2) for _ in range(5)])
    assert late == [StoreUnavailable] * 5
    assert not any(job.called for job in long)
    assert pool.metrics()["waiting"] == 0
    assert await outcomes(long) == [1, 1]
    assert await pids(pool) == before


@ensureDeferred
async def test_a_late_starter_is_told_in_time_and_keeps_its_connection_for_its_whole_deadline(pool):
    """Else a busy pool would log in anew instead of working."""
    before = await pids(pool)
    first = [pool.submit(query("SELECT 1 FROM pg_sleep(0.5)"), 10.0) for _ in "ab"]
    since = reactor.seconds()
    second = [pool.submit(query("SELECT 2 FROM pg_sleep(0.5)"), 0.8) for _ in "ab"]
    assert await outcomes(second) == [StoreUnavailable] * 2
    assert reactor.seconds() - since < 1.8
    assert await outcomes(first) == [1, 1]
    assert await pids(pool) == before


@ensureDeferred
async def test_one_that_runs_for_its_whole_deadline_loses_its_connection(pool):
    """Nobody cancels; another connection takes its place."""
    before = await pids(pool)
    with turns_of_the_reactor() as turns:
        assert await outcomes([pool.submit(query("SELECT pg_sleep(20)"), 0.3)]) == [StoreUnavailable]
    assert turns.longest < 5
    after = await pids(pool)
    assert len(before & after) == 1
    assert len(after) == 2


@pytest.mark.parametrize("statement", ["COPY pg_class TO STDOUT", "BEGIN", "BEGIN; SELECT 1/0"])
@ensureDeferred
async def test_a_connection_that_is_not_idle_afterwards_is_dropped(pool, statement):
    """COPY poisons it for good, an open transaction holds locks."""
    before = await pids(pool)

    async def task(connection):
        await connection.execute(connection.new_cursor(), statement, None)

    await outcomes([pool.submit(task, 5.0)])
    after = await pids(pool)
    assert len(before & after) == 1
    assert len(after) == 2


@ensureDeferred
async def test_a_statement_that_nobody_awaited_costs_the_connection(pool):
    """Its answer would go to the next task."""
    before = await pids(pool)

    async def task(connection):
        connection.execute(connection.new_cursor(), "SELECT pg_sleep(5)", None).addErrback(lambda failure: None)

    await outcomes([pool.submit(task, 5.0)])
    assert len(before & await pids(pool)) == 1


@ensureDeferred
async def test_the_deadline_of_a_task_whose_connection_is_gone_hurts_nobody_else(pool):
    """It waits for something else while its place serves another."""
    never = Deferred()
    held = []

    async def task(connection):
        held.append(connection)
        await never

    stuck = pool.submit(task, 1.5)
    held[0].abort(ConnectionAbortedError("lost"))
    await deferLater(reactor, 0.5)
    others = [pool.submit(query("SELECT 1 FROM pg_sleep(2)"), 10.0) for _ in "ab"]
    assert await outcomes([stuck, *others]) == [StoreUnavailable, 1, 1]
    never.callback(None)


@ensureDeferred
async def test_a_thousand_tasks_that_end_at_once_do_not_pile_up_on_the_stack(dsn):
    """Each frees its connection inside the call that started it."""
    pool = Pool(clock=reactor, size=1, max_waiting=2000)
    pool.start(session_parameters(dsn))

    async def task(connection):
        raise LookupError

    assert await outcomes([pool.submit(task, 10.0) for _ in range(2000)]) == [LookupError] * 2000
    await within(10, pool.stop())


@ensureDeferred
async def test_a_result_may_submit_the_next_job(pool):
    """From inside its callback."""

    async def task(connection):
        return 1

    chained = pool.submit(task, 5.0).addCallback(lambda result: pool.submit(task, 5.0))
    assert await within(5, chained) == 1


@ensureDeferred
async def test_while_it_is_down_for_long_jobs_are_refused_at_once():
    """Before that they may wait for it."""
    pool = Pool(clock=reactor, size=2, max_waiting=5)
    pool.start(session_parameters("host=/nowhere"))
    waiting = pool.submit(query("SELECT 1"), GRACE + 0.5)
    assert await outcomes([waiting]) == [StoreUnavailable]
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        pool.submit(query("SELECT 1"), 5.0)
    await within(5, pool.stop())


@ensureDeferred
async def test_what_is_urgent_finds_a_connection_when_all_others_are_stuck(dsn):
    """One of three is kept for it; ordinary jobs wait in their own queue, which is as bounded as ever."""
    pool = Pool(clock=reactor, size=3, max_waiting=5, reserved=1)
    pool.start(session_parameters(dsn))
    await outcomes([pool.submit(query("SELECT 1 FROM pg_sleep(0.1)"), 10.0, urgent=True) for _ in "abc"])
    stuck = [pool.submit(query("SELECT 1 FROM pg_sleep(1.5)"), 10.0) for _ in "ab"]
    stuck += [pool.submit(query("SELECT 1"), 10.0) for _ in range(5)]
    with pytest.raises(StoreUnavailable, match="5 transactions are waiting"):
        pool.submit(query("SELECT 1"), 10.0)
    assert pool.metrics() == {"connections": 3, "waiting": 5}
    assert await outcomes([pool.submit(query("SELECT 2"), 10.0, urgent=True) for _ in "abc"]) == [2, 2, 2]
    assert not any(job.called for job in stuck)
    assert await outcomes(stuck) == [1] * 7
    await within(10, pool.stop())


@ensureDeferred
async def test_a_lost_connection_is_not_held_against_ordinary_jobs(dsn):
    """Nor does keeping one stop them when it is the only one."""
    pool = Pool(clock=reactor, size=2, max_waiting=5, reserved=1)
    pool.start(session_parameters(dsn))
    never, held = Deferred(), []

    async def task(connection):
        held.append(connection)
        await never

    stuck = pool.submit(task, 20.0)
    while not held:
        await deferLater(reactor, 0.02)
    held[0].abort(ConnectionAbortedError("lost"))
    assert await outcomes([pool.submit(query("SELECT 1"), 10.0) for _ in "ab"]) == [1, 1]
    never.callback(None)
    assert await outcomes([stuck]) == [None]
    await within(10, pool.stop())
