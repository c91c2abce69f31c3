"""What a gateway tells the server, and how the answers are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wifidogd.domain.sessions import AuthCode, Stage
from wifidogd.simulation.context import Context
from wifidogd.simulation.families.family import Family, Line, ListingFamily, RoamingFamily
from wifidogd.simulation.oracle.roaming_arrival import RoamingArrival
from wifidogd.simulation.oracle.scenarios import ListedDevice
from wifidogd.simulation.statistics import Kind
from wifidogd.simulation.transport import wire
from wifidogd.simulation.transport.client import NoAnswer

KINDS = {Stage.LOGIN: Kind.LOGIN, Stage.COUNTERS: Kind.COUNTERS, Stage.LOGOUT: Kind.LOGOUT}

CANNOT_SAY = 503
"""HTTP status with which the server says so; gateways go by the verdict of -1 that comes with it."""


class Uplink:
    """A gateway's way to the server."""

    def __init__(self, gw_id: str, family: Family, context: Context) -> None:
        self._gw_id = gw_id
        self._family = family
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
        answer, seconds = await self._ask(self._family.ping(self._context.server, self._gw_id, uptime))
        if isinstance(answer, NoAnswer):
            self._context.statistics.missed(Kind.PING)
            return
        self._context.statistics.took(Kind.PING, seconds)
        if not self._family.hears_pong(answer):
            self._context.statistics.fault(Kind.PING, f"{self._gw_id} was not told Pong but {_shown(answer)}")

    async def report(self, stage: Stage, line: Line) -> int | None:
        """
        Tell the server about a client.

        @return: the verdict as the gateway reads it; None for an error.
        """
        number = self._begin(stage, line)
        answer, seconds = await self._ask(self._family.report(self._context.server, stage, self._gw_id, line))
        kind = KINDS[stage]
        if isinstance(answer, NoAnswer):
            self._context.statistics.missed(kind)
            self._unanswered(line, number, answer)
            return None
        code = self._family.read_verdict(answer)
        if wire.read_status(answer) == CANNOT_SAY:
            self._context.statistics.missed(kind)
            self._unanswered(line, number, NoAnswer.LOST)
            return code
        self._context.statistics.took(kind, seconds)
        self._judge(kind, line, number, code, answer)
        return code

    async def report_list(self, family: ListingFamily, lines: Sequence[Line]) -> Mapping[str, int]:
        """
        Tell the server about all clients at once.

        @return: the verdicts as the gateway reads them, by MAC; it leaves clients without one as they are.
        """
        numbers = [self._begin(Stage.COUNTERS, line) for line in lines]
        answer, seconds = await self._ask(family.report_list(self._context.server, self._gw_id, lines))
        if isinstance(answer, NoAnswer) or wire.read_status(answer) == CANNOT_SAY:
            self._context.statistics.missed(Kind.LIST)
            why = answer if isinstance(answer, NoAnswer) else NoAnswer.LOST
            for line, number in zip(lines, numbers, strict=True):
                self._unanswered(line, number, why)
            return {}
        self._context.statistics.took(Kind.LIST, seconds)
        codes = family.read_list(answer, lines)
        for line, number in zip(lines, numbers, strict=True):
            if codes and line.mac not in codes:
                # The server leaves out a client that it cannot say anything about now (docs/protocol.md 3.7).
                self._context.statistics.missed(Kind.LIST)
                self._unanswered(line, number, NoAnswer.LOST)
            else:
                self._judge(Kind.LIST, line, number, codes.get(line.mac), answer)
        return codes

    async def ask_to_roam(self, family: RoamingFamily, device: ListedDevice, ip: str) -> str | None:
        """
        Ask whether a device that has joined the Wi-Fi may go on without a page.

        @return: the token by which it is let in; None for a no.
        """
        arrival = RoamingArrival(self._context.history, device, begins_at_once=family.begins_at_once)
        answer, seconds = await self._ask(family.ask_to_roam(self._context.server, self._gw_id, ip, device.mac))
        statistics = self._context.statistics
        if isinstance(answer, NoAnswer):
            arrival.unanswered(is_unsaid=answer is NoAnswer.REFUSED)
            statistics.missed(Kind.ROAM)
            return None
        token = family.read_roaming(answer)
        if token is None and not arrival.is_turned_away():
            # A server in trouble says no to a guest who could go on.
            statistics.missed(Kind.ROAM)
            return None
        statistics.took(Kind.ROAM, seconds)
        if token is not None:
            statistics.roams += 1
            if not arrival.is_let_in(token):
                statistics.fault(Kind.ROAM, f"{device.mac} is let in at {device.gw_id} and was online nowhere")
        return token

    async def _ask(self, request: bytes) -> tuple[bytes | NoAnswer, float]:
        """Ask the server, and record since when it has been out of reach."""
        answer, seconds = await self._context.client.ask(request, self._family.patience)
        if answer is not NoAnswer.REFUSED:
            self._cut_off_at = None
        elif self._cut_off_at is None:
            self._cut_off_at = self._context.clock.now
        return answer, seconds

    def _begin(self, stage: Stage, line: Line) -> int:
        totals = line.totals if stage is Stage.COUNTERS or self._family.logs_out_with_totals else None
        return self._context.history.began(self._listed(line), line.token, stage, totals)

    def _unanswered(self, line: Line, number: int, why: NoAnswer) -> None:
        history = self._context.history
        (history.unsaid if why is NoAnswer.REFUSED else history.lost)(self._listed(line), number)

    def _judge(self, kind: Kind, line: Line, number: int, code: int | None, answer: bytes) -> None:
        """Enter an answer into the history, which knows whether it is right."""
        history, statistics, listed = self._context.history, self._context.statistics, self._listed(line)
        if code not in (AuthCode.DENIED, AuthCode.ALLOWED):
            history.lost(listed, number)
            statistics.fault(kind, f"{listed.mac} at {listed.gw_id} was answered {_shown(answer)}")
        elif not history.heard(listed, number, AuthCode(code)):
            statistics.fault(kind, f"{listed.mac} at {listed.gw_id} was answered {code}, which is wrong")

    def _listed(self, line: Line) -> ListedDevice:
        return ListedDevice(self._gw_id, line.mac)


def _shown(answer: bytes) -> str:
    """Write the end of an answer into one line."""
    return ascii(answer[-60:].decode("latin-1"))
