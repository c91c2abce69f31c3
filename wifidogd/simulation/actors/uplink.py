"""What a gateway tells the server, and how the answers are judged."""

from __future__ import annotations

from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.simulation.context import Context
from wifidogd.simulation.oracle.history import Place
from wifidogd.simulation.statistics import Kind
from wifidogd.simulation.transport import wire
from wifidogd.simulation.transport.client import Silence

KINDS = {Stage.LOGIN: Kind.LOGIN, Stage.COUNTERS: Kind.COUNTERS, Stage.LOGOUT: Kind.LOGOUT}

CANNOT_SAY = 503
"""HTTP status with which the server says so; gateways go by the verdict of -1 that comes with it."""


class Uplink:
    """A gateway's way to the server."""

    def __init__(self, gw_id: str, scene: Context) -> None:
        self._gw_id = gw_id
        self._scene = scene
        self._cut_off_at: float | None = None

    @property
    def cut_off_for(self) -> float:
        """For how many simulated seconds nobody has taken a call; 0 while somebody does."""
        return 0.0 if self._cut_off_at is None else self._scene.pace.now - self._cut_off_at

    async def ping(self, uptime: int) -> None:
        """
        Say that we are there; without C{auth-is-down} rules nothing depends on the answer.

        @param uptime: in real seconds, as the server compares it with its own clock.
        """
        figures = self._scene.figures
        answer, seconds = await self._scene.line.ask(wire.ping(self._scene.server, self._gw_id, uptime))
        self._note_contact(answer)
        if isinstance(answer, Silence):
            figures.missed(Kind.PING)
            return
        figures.took(Kind.PING, seconds)
        if not wire.says_pong(answer):
            figures.fault(Kind.PING, f"{self._gw_id} was not told Pong but {_shown(answer)}")

    async def report(self, stage: Stage, ip: str, mac: str, token: str, totals: Octets) -> int | None:
        """
        Tell the server about a client.

        @return: the verdict as the gateway reads it; None for an error.
        """
        place = Place(self._gw_id, mac)
        number = self._scene.journal.began(place, token, stage, totals)
        request = wire.report(self._scene.server, stage, self._gw_id, ip, mac, token, totals)
        answer, seconds = await self._scene.line.ask(request)
        self._note_contact(answer)
        return self._judge(KINDS[stage], place, number, answer, seconds)

    def _judge(self, kind: Kind, place: Place, number: int, answer: bytes | Silence, seconds: float) -> int | None:
        """Enter an answer into the journal, which knows whether it is right."""
        journal, figures = self._scene.journal, self._scene.figures
        if isinstance(answer, Silence):
            figures.missed(kind)
            (journal.unsaid if answer is Silence.REFUSED else journal.lost)(place, number)
            return None
        code = wire.read_verdict(answer)
        if code is not None and wire.read_status(answer) == CANNOT_SAY:
            figures.missed(kind)
            journal.lost(place, number)
            return code
        figures.took(kind, seconds)
        if code not in (AuthCode.DENIED, AuthCode.ALLOWED):
            journal.lost(place, number)
            figures.fault(kind, f"{place.mac} at {place.gw_id} was answered {_shown(answer)}")
        elif not journal.heard(place, number, AuthCode(code)):
            figures.fault(kind, f"{place.mac} at {place.gw_id} was answered {code}, which is wrong")
        return code

    def _note_contact(self, answer: bytes | Silence) -> None:
        """Note since when the server has been out of reach."""
        if answer is not Silence.REFUSED:
            self._cut_off_at = None
        elif self._cut_off_at is None:
            self._cut_off_at = self._scene.pace.now


def _shown(answer: bytes) -> str:
    """Write the end of an answer into one line."""
    return ascii(answer[-60:].decode("latin-1"))
