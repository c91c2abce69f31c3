"""What a gateway tells the server, and how the answers are judged."""

from __future__ import annotations

from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.simulation.context import Context
from wifidogd.simulation.oracle.history import ListedDevice
from wifidogd.simulation.statistics import Kind
from wifidogd.simulation.transport import wire
from wifidogd.simulation.transport.client import NoAnswer

KINDS = {Stage.LOGIN: Kind.LOGIN, Stage.COUNTERS: Kind.COUNTERS, Stage.LOGOUT: Kind.LOGOUT}

CANNOT_SAY = 503
"""HTTP status with which the server says so; gateways go by the verdict of -1 that comes with it."""


class Uplink:
    """A gateway's way to the server."""

    def __init__(self, gw_id: str, context: Context) -> None:
        self._gw_id = gw_id
        self._context = context
        self._cut_off_at: float | None = None

    @property
    def cut_off_for(self) -> float:
        """For how many simulated seconds nobody has taken a call; 0 while somebody does."""
        return 0.0 if self._cut_off_at is None else self._context.clock.now - self._cut_off_at

    async def ping(self, uptime: int) -> None:
        """
        Say that we are there; without C{auth-is-down} rules nothing depends on the answer.

        @param uptime: in real seconds, as the server compares it with its own clock.
        """
        statistics = self._context.statistics
        answer, seconds = await self._context.client.ask(wire.ping(self._context.server, self._gw_id, uptime))
        self._note_contact(answer)
        if isinstance(answer, NoAnswer):
            statistics.missed(Kind.PING)
            return
        statistics.took(Kind.PING, seconds)
        if not wire.says_pong(answer):
            statistics.fault(Kind.PING, f"{self._gw_id} was not told Pong but {_shown(answer)}")

    async def report(self, stage: Stage, ip: str, mac: str, token: str, totals: Octets) -> int | None:
        """
        Tell the server about a client.

        @return: the verdict as the gateway reads it; None for an error.
        """
        listed = ListedDevice(self._gw_id, mac)
        number = self._context.history.began(listed, token, stage, totals)
        request = wire.report(self._context.server, stage, self._gw_id, ip, mac, token, totals)
        answer, seconds = await self._context.client.ask(request)
        self._note_contact(answer)
        return self._judge(KINDS[stage], listed, number, answer, seconds)

    def _judge(
        self, kind: Kind, listed: ListedDevice, number: int, answer: bytes | NoAnswer, seconds: float
    ) -> int | None:
        """Enter an answer into the history, which knows whether it is right."""
        history, statistics = self._context.history, self._context.statistics
        if isinstance(answer, NoAnswer):
            statistics.missed(kind)
            (history.unsaid if answer is NoAnswer.REFUSED else history.lost)(listed, number)
            return None
        code = wire.read_verdict(answer)
        if code is not None and wire.read_status(answer) == CANNOT_SAY:
            statistics.missed(kind)
            history.lost(listed, number)
            return code
        statistics.took(kind, seconds)
        if code not in (AuthCode.DENIED, AuthCode.ALLOWED):
            history.lost(listed, number)
            statistics.fault(kind, f"{listed.mac} at {listed.gw_id} was answered {_shown(answer)}")
        elif not history.heard(listed, number, AuthCode(code)):
            statistics.fault(kind, f"{listed.mac} at {listed.gw_id} was answered {code}, which is wrong")
        return code

    def _note_contact(self, answer: bytes | NoAnswer) -> None:
        """Record since when the server has been out of reach."""
        if answer is not NoAnswer.REFUSED:
            self._cut_off_at = None
        elif self._cut_off_at is None:
            self._cut_off_at = self._context.clock.now


def _shown(answer: bytes) -> str:
    """Write the end of an answer into one line."""
    return ascii(answer[-60:].decode("latin-1"))
