"""Queued mails on their way, with mail servers and databases in trouble."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.defer import ensureDeferred as start
from twisted.internet.task import deferLater

import wifidogd.accounts.outbox as post_module
from tests.support.builders import NOON, put, rows, run, together
from tests.support.deadline import within
from tests.support.mailbox import Mailbox
from tests.support.observing import log_lines
from wifidogd.accounts.outbox import AT_ONCE, GIVE_UP_AFTER, ROUNDS, Outbox, pause_after
from wifidogd.accounts.smtp import NotSent, deliver
from wifidogd.domain.errors import StoreUnavailable
from wifidogd.store.accounts.outbox import queue_mail
from wifidogd.store.driver.database import Database

MINUTE = timedelta(minutes=1)


class Sorting:
    """
    A post office whose mail server is a function.

    @ivar sent: recipients, in order.
    @ivar troubles: raised first, one for each mail.
    """

    def __init__(self, database: Database) -> None:
        self.now = NOON
        self.database = database
        self.sent: list[str] = []
        self.tried = 0
        self.troubles: list[Exception] = []
        self.post = self.another()

    def another(self) -> Outbox:
        """Another server on the same database, with the same mail server."""
        return Outbox(self.database, self._deliver, utc_now=self.utc_now, clock=reactor)  # type: ignore[arg-type]

    def utc_now(self) -> datetime:
        return self.now

    async def _deliver(self, recipient: str, message: str) -> None:
        self.tried += 1
        if self.troubles:
            raise self.troubles.pop(0)
        self.sent.append(recipient)

    async def queue(self, count: int) -> None:
        for number in range(count):
            assert await run(self.database, queue_mail, f"guest{number}@example.org", "Subject: hi\n\nhi\n", self.now)

    async def run(self) -> None:
        await within(30, self.post.send_due())

    async def waiting(self) -> list[tuple[int, timedelta]]:
        found = await rows(self.database, "SELECT tries, next_try FROM mails ORDER BY mail_id")
        return [(tries, next_try - NOON) for tries, next_try in found]


@pytest_twisted.async_fixture
async def sorting(database: Database) -> Sorting:
    return Sorting(database)


@pytest.mark.parametrize(
    ("tries", "minutes"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 360), (11, 360), (1000, 360), (10**9, 360)]
)
def test_the_pause_doubles_from_a_minute_to_six_hours(tries: int, minutes: int) -> None:
    """And no further."""
    assert pause_after(tries) == timedelta(minutes=minutes)


@ensureDeferred
async def test_what_is_sent_is_gone(sorting: Sorting) -> None:
    """All of it in one run, in the order it came."""
    await sorting.queue(12)
    await sorting.run()
    assert sorted(sorting.sent) == sorted(f"guest{number}@example.org" for number in range(12))
    assert await sorting.waiting() == []
    await sorting.run()
    assert len(sorting.sent) == 12


@ensureDeferred
async def test_two_servers_send_each_mail_once(sorting: Sorting) -> None:
    """However they meet."""
    await sorting.queue(40)
    await together(*(sorting.another().send_due() for _ in range(3)))
    await sorting.run()
    assert sorted(sorting.sent) == sorted(f"guest{number}@example.org" for number in range(40))


@ensureDeferred
async def test_a_mail_server_that_is_away_ends_the_run(sorting: Sorting) -> None:
    """A handful has been tried and is put off; the rest waits for the next run."""
    await sorting.queue(12)
    sorting.troubles = [NotSent("away")] * AT_ONCE
    await sorting.run()
    assert sorting.tried == AT_ONCE
    assert sorted(await sorting.waiting()) == [(0, timedelta())] * 7 + [(1, MINUTE)] * 5
    await sorting.run()
    assert len(sorting.sent) == 7
    sorting.now += MINUTE
    await sorting.run()
    assert len(sorting.sent) == 12


@ensureDeferred
async def test_one_mail_that_is_refused_holds_up_no_other(sorting: Sorting) -> None:
    """For now: it is put off.  For good: it is gone."""
    await sorting.queue(12)
    sorting.troubles = [NotSent("451 later", is_reached=True), NotSent("550 never", is_reached=True, is_final=True)]
    with log_lines("wifidogd.accounts.outbox") as lines:
        await sorting.run()
    assert len(sorting.sent) == 10
    assert await sorting.waiting() == [(1, MINUTE)]
    assert len(lines) == 2
    assert not [line for line in lines if "example.org" in str(line)]


@ensureDeferred
async def test_after_five_days_a_mail_is_given_up(sorting: Sorting) -> None:
    """Not before; the pauses add up to one every six hours in the end."""
    await sorting.queue(1)
    while await sorting.waiting():
        assert sorting.tried < 40
        sorting.troubles = [NotSent("away")]
        await sorting.run()
        left = await sorting.waiting()
        sorting.now = NOON + left[0][1] if left else sorting.now
    assert sorting.sent == []
    assert GIVE_UP_AFTER <= sorting.now - NOON < GIVE_UP_AFTER + timedelta(hours=6)
    assert sorting.tried == 29


@ensureDeferred
async def test_a_run_is_bounded(sorting: Sorting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer comes again."""
    assert AT_ONCE * ROUNDS == 100
    monkeypatch.setattr(post_module, "ROUNDS", 2)
    await sorting.queue(2 * AT_ONCE + 1)
    await sorting.run()
    assert len(sorting.sent) == 2 * AT_ONCE


@ensureDeferred
async def test_a_mistake_of_ours_is_logged_and_tried_again(sorting: Sorting) -> None:
    """It does not end the run, and the claim runs out by itself."""
    await sorting.queue(2)
    sorting.troubles = [RuntimeError("oops")]
    with log_lines("wifidogd.accounts.outbox") as lines:
        await sorting.run()
    assert [str(line["log_failure"].value) for line in lines] == ["oops"]
    assert len(sorting.sent) == 1
    assert [tries for tries, _ in await sorting.waiting()] == [1]
    sorting.now += post_module.CLAIM
    await sorting.run()
    assert len(sorting.sent) == 2


class Flaky:
    """@ivar away: while True, no transaction gets through."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.away = False

    async def transaction(self, work):
        if self.away:
            raise StoreUnavailable("away")
        return await self._database.transaction(work)


@ensureDeferred
async def test_what_was_sent_while_the_database_went_away_is_not_sent_again(database: Database) -> None:
    """It is removed before anything else once the database is back."""
    flaky, sent = Flaky(database), []
    now = NOON

    async def deliver_and_lose(recipient: str, message: str) -> None:
        sent.append(recipient)
        flaky.away = True

    post = Outbox(flaky, deliver_and_lose, utc_now=lambda: now, clock=reactor)  # type: ignore[arg-type]
    await run(database, queue_mail, "zoe@example.org", "m", NOON)
    with pytest.raises(StoreUnavailable):
        await within(10, post.send_due())
    assert sent == ["zoe@example.org"]
    flaky.away = False
    now += timedelta(days=1)
    await within(10, post.send_due())
    assert sent == ["zoe@example.org"]
    assert await rows(database, "SELECT count(*) FROM mails") == [(0,)]


@pytest_twisted.async_yield_fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    mailbox = Mailbox().open()
    yield mailbox
    await mailbox.close()


@ensureDeferred
async def test_a_slow_mail_server_holds_no_connection_to_the_database(database: Database, mailbox: Mailbox) -> None:
    """Guests are served while mails are on their way, and mails arrive when it has finished thinking."""
    held: list[Deferred[None]] = []

    def hesitate() -> Deferred[None]:
        held.append(Deferred())
        return held[-1]

    mailbox.hesitate = hesitate
    hand_over = partial(
        deliver, mailbox.server(), "wifi@example.org", reactor=reactor, trust_root=mailbox.identity.trust
    )
    post = Outbox(database, hand_over, utc_now=lambda: NOON, clock=reactor)  # type: ignore[arg-type]
    for number in range(AT_ONCE):
        await run(database, queue_mail, f"guest{number}@example.org", "Subject: hi\n\nhi\n", NOON)
    running = start(post.send_due())

    async def all_are_held() -> None:
        while len(held) < AT_ONCE:
            await deferLater(reactor, 0.02)

    await within(20, all_are_held())
    [(locks,)] = await rows(database, "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'")
    assert locks == 0
    await put(database, "UPDATE mails SET tries = tries")
    for deferred in held:
        deferred.callback(None)
    await within(20, running)
    assert len(mailbox.received) == AT_ONCE
    assert await rows(database, "SELECT count(*) FROM mails") == [(0,)]
