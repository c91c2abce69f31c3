"""What a gateway makes of the answer to its list of all clients."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from wifidogd.domain.sessions import Octets, Stage
from wifidogd.simulation.actors.behaviour import Behaviour
from wifidogd.simulation.actors.uplink import Uplink
from wifidogd.simulation.context import Context
from wifidogd.simulation.families.apfree import Apfree
from wifidogd.simulation.families.family import Line
from wifidogd.simulation.oracle.history import History
from wifidogd.simulation.oracle.scenarios import ListedDevice
from wifidogd.simulation.statistics import Kind, Statistics
from wifidogd.simulation.transport.client import NoAnswer
from wifidogd.simulation.transport.clock import ScaledClock
from wifidogd.simulation.transport.wire import Server

GW_ID = "sim-0001"

LINES = [
    Line(f"10.0.0.{number}", f"02:51:4d:00:00:0{number}", f"token{number}", Octets(9, 9), number) for number in (1, 2)
]


def listed(*operations: str) -> bytes:
    """Answer a list with these operations."""
    return b'HTTP/1.0 200 OK\r\n\r\n{"result":[{"gw_id":"%s","auth_op":[%s]}]}' % (
        GW_ID.encode(),
        ",".join(operations).encode(),
    )


FIRST, SECOND = '{"id":1,"auth_code":1}', '{"id":2,"auth_code":1}'


class Says:
    """A server with one answer."""

    def __init__(self, answer: bytes | NoAnswer) -> None:
        self.answer = answer

    async def ask(self, request: bytes, patience: float | None = None) -> tuple[bytes | NoAnswer, float]:
        """As L{HttpClient<wifidogd.simulation.transport.client.HttpClient>}."""
        return self.answer, 0.001


def reported(answer: bytes | NoAnswer) -> tuple[dict[str, int], Context]:
    """Have both clients let in and then reported in a list that is answered so; return the verdicts on them."""
    clock = Clock()
    says: Any = Says(b"HTTP/1.0 200 OK\r\n\r\nAuth: 1\n")
    context = Context(
        Server("127.0.0.1", 8080, "/wifidog/"),
        says,
        ScaledClock(1, clock=clock),
        Behaviour(60.0, Random(1)),
        History(clock.seconds),
        Statistics(clock.seconds),
        60.0,
    )
    uplink, verdicts = Uplink(GW_ID, Apfree(), context), []

    async def report() -> None:
        for line in LINES:
            context.history.minted(ListedDevice(GW_ID, line.mac), line.token)
            await uplink.report(Stage.LOGIN, line._replace(totals=Octets()))
        says.answer = answer
        verdicts.append(dict(await uplink.report_list(Apfree(), LINES)))

    Deferred.fromCoroutine(report()).addErrback(lambda failure: failure.raiseException())
    return verdicts[0], context


@pytest.mark.parametrize(
    ("answer", "heard", "unanswered", "wrong", "certain"),
    [
        (listed(FIRST, SECOND), 2, 0, 0, 2),
        (listed(SECOND, FIRST), 2, 0, 0, 2),
        (listed(FIRST), 1, 1, 0, 1),
        (listed(FIRST, '{"id":2,"auth_code":0}'), 2, 0, 1, 1),
        (listed(FIRST, '{"id":2,"auth_code":-1}'), 2, 0, 1, 1),
        (listed(), 0, 0, 2, 0),
        (b"HTTP/1.0 200 OK\r\n\r\nAuth: 1\n", 0, 0, 2, 0),
        (b'HTTP/1.0 503 Busy\r\n\r\n{"result":[]}', 0, 1, 0, 0),
        (NoAnswer.LOST, 0, 1, 0, 0),
    ],
)
def test_answers_to_a_list(answer: bytes | NoAnswer, heard: int, unanswered: int, wrong: int, certain: int) -> None:
    """A client that an answer leaves out is one of which the server cannot say anything; no answer leaves out all."""
    verdicts, context = reported(answer)
    asked = context.statistics.asked[Kind.LIST]
    assert (len(verdicts), asked.unanswered, asked.wrong) == (heard, unanswered, wrong)
    assert sum(context.history.is_certain(ListedDevice(GW_ID, line.mac)) for line in LINES) == certain
