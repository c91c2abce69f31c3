"""A line to the server on which every answer is judged by what docs/protocol.md 3 promises, and remembered."""

from __future__ import annotations

import json
import re
import time

from tests.chaos.load.answers import Answer, Outcome
from wifidogd.domain.sessions import AuthCode
from wifidogd.simulation.families.wifidog import Wifidog
from wifidogd.simulation.statistics import Kind
from wifidogd.simulation.transport import wire
from wifidogd.simulation.transport.client import HttpClient, IClientReactor, NoAnswer

UNAVAILABLE = 503

PATHS = {
    b"/ping/": Kind.PING,
    b"/auth/?stage=login": Kind.LOGIN,
    b"/auth/?stage=counters_v2": Kind.LIST,
    b"/auth/?stage=counters": Kind.COUNTERS,
    b"/auth/?stage=logout": Kind.LOGOUT,
    b"/login/?": Kind.PAGE,
    b"/login": Kind.FORM,
    b"/logout": Kind.BUTTON,
    b"/roam?": Kind.ROAM,
}
"""How targets begin, below the path of the server, the longer first; all others are what a guest sees afterwards."""

_TOKEN = re.compile(rb"[?&]token=([0-9a-z]+)")

NO_VERDICTS = b'{"result":[]}'

WHEN_UNAVAILABLE: dict[Kind, AuthCode] = {
    Kind.LOGIN: AuthCode.ERROR,
    Kind.COUNTERS: AuthCode.ERROR,
    Kind.LOGOUT: AuthCode.DENIED,
}


class CheckedClient(HttpClient):
    """Carries requests, and remembers what came of each."""

    def __init__(self, server: wire.Server, *, reactor: IClientReactor) -> None:
        super().__init__(server.host, server.port, reactor=reactor)
        self._path = server.path.rstrip("/").encode()
        self.answers: list[Answer] = []

    async def ask(self, request: bytes, patience: float | None = None) -> tuple[bytes | NoAnswer, float]:
        """As L{HttpClient.ask}."""
        answer, took = await super().ask(request, patience)
        target = request.split(b" ", 2)[1].removeprefix(self._path)
        kind, token = kind_of(target), _TOKEN.search(target)
        has_hung_up = answer is NoAnswer.LOST and patience is not None and took >= patience
        outcome = Outcome.HUNG_UP if has_hung_up else outcome_of(kind, answer)
        self.answers.append(Answer(time.monotonic(), took, kind, outcome, token[1].decode() if token else ""))
        return answer, took


def kind_of(target: bytes) -> Kind:
    """Return what is asked for; C{target} is path and query below the server's path."""
    return next((kind for beginning, kind in PATHS.items() if target.startswith(beginning)), Kind.PORTAL)


def outcome_of(kind: Kind, answer: bytes | NoAnswer) -> Outcome:
    """Judge an answer."""
    if isinstance(answer, NoAnswer):
        return Outcome.REFUSED if answer is NoAnswer.REFUSED else Outcome.LOST
    if kind is Kind.PING:
        is_pong = Wifidog().hears_pong(answer) and wire.read_status(answer) == 200
        return Outcome.SERVED if is_pong else Outcome.AMISS
    if kind is Kind.LIST:
        return _of_list(answer)
    return _of_report(kind, answer) if kind in WHEN_UNAVAILABLE else _of_page(answer)


def _of_report(kind: Kind, answer: bytes) -> Outcome:
    status, code = wire.read_status(answer), Wifidog().read_verdict(answer)
    if status == UNAVAILABLE:
        return Outcome.CANNOT_SAY if code == WHEN_UNAVAILABLE[kind] else Outcome.AMISS
    if code == AuthCode.DENIED:
        return Outcome.SERVED if kind is Kind.LOGOUT else Outcome.DENIED
    return Outcome.SERVED if code == AuthCode.ALLOWED else Outcome.AMISS


def _of_list(answer: bytes) -> Outcome:
    """Judge the answer to a list of clients: one that cannot be settled is left as it is, and keeps everybody."""
    if wire.read_status(answer) == UNAVAILABLE:
        return Outcome.CANNOT_SAY if wire.answer_body(answer) == NO_VERDICTS else Outcome.AMISS
    codes = _verdicts(answer)
    if codes is None:
        return Outcome.AMISS
    if AuthCode.DENIED in codes:
        return Outcome.DENIED
    return Outcome.SERVED if set(codes) <= {AuthCode.ALLOWED} else Outcome.AMISS


def _verdicts(answer: bytes) -> list[int] | None:
    """Return all verdicts of an answer to a list; None if it is none."""
    try:
        results = json.loads(wire.answer_body(answer))["result"]
        return [operation["auth_code"] for result in results for operation in result["auth_op"]]
    except (ValueError, LookupError, TypeError):
        return None


def _of_page(answer: bytes) -> Outcome:
    """Judge a page for people: one that apologises is written for them, and says when to come back."""
    page = wire.read_page(answer)
    if page is None or page.status not in (200, 303, UNAVAILABLE):
        return Outcome.AMISS
    if page.status != UNAVAILABLE:
        return Outcome.SERVED
    is_human = b"retry-after:" in answer.lower() and "<html" in page.body
    return Outcome.CANNOT_SAY if is_human else Outcome.AMISS
