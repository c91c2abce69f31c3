"""The recorded requests of the other families, byte for byte and in order, over a raw socket."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
import pytest_twisted

from tests.support.checkout import DATA
from tests.support.running_server import NOON, Answer, RunningServer
from tests.web.gateway.test_transcripts import PAST, parameter, rows, server, sign_in
from wifidogd.domain.tokens import hash_secret

__all__ = ["server"]

IS_OPEN = "SELECT last_incoming, last_outgoing FROM sessions WHERE token_hash = %s AND mac = %s"
KICK = "UPDATE sessions SET ending = 'ended by the operator' WHERE token_hash = %s RETURNING 1"
LOGIN_PAGE = "GET /wifidog/login/?gw_address=10.11.0.1&gw_port=2060&gw_id={}&ip={}&mac={} HTTP/1.0\r\n\r\n"
NO_ANSWER = ("roam",)
"""Stages that this test leaves to those of roaming."""


class Replay:
    """
    A transcript that is played to a server.

    @ivar verdicts: stage and code of each guest that the server decided on, in order.
    """

    def __init__(self, server: RunningServer, dsn: str) -> None:
        self._server, self._dsn = server, dsn
        self._known: set[str] = set()
        self.verdicts: list[tuple[str, int]] = []

    async def play(self, name: str) -> list[tuple[str, int]]:
        """Send every request of a transcript, and hold each answer against the rows."""
        for line in (DATA / name).read_text().splitlines():
            said = json.loads(line)
            self._server.now = NOON + timedelta(seconds=said["seconds"])
            raw, stage = said["request"], said["stage"].removesuffix("-empty")
            if raw.startswith("POST /wifidog/login") or stage in NO_ANSWER:
                continue
            if (was_let_in := "Auth: 1" in said.get("response", "Auth: 1")) or raw.startswith("POST"):
                await self._sign_in(raw, was_let_in)
            elif stage == "counters":
                rows(self._dsn, KICK, hash_secret(parameter(raw, "token")))
            answer = await self._server.ask(raw.encode())
            self._check(stage, raw, answer)
            if stage in ("login", "counters", "logout") and "response" in said:
                assert said["response"].endswith("\r\n\r\n" + answer.text), raw
        return self.verdicts

    async def _sign_in(self, raw: str, was_let_in: bool) -> None:
        """Do what guests did between two requests, of whom the next one is the first to speak."""
        for gw_id, ip, mac, token in guests_in(raw):
            if was_let_in and len(token) == 32 and token not in self._known:
                await sign_in(self._server, LOGIN_PAGE.format(gw_id, ip, mac), token)
                self._known.add(token)

    def _check(self, stage: str, raw: str, answer: Answer) -> None:
        body = raw.partition("\r\n\r\n")[2]
        if stage == "ping":
            assert (answer.code, answer.body) == (200, b"Pong")
        elif stage == "counters_v2":
            self._check_apfree(json.loads(body), answer)
        elif raw.startswith("POST"):
            assert answer.body == b'{"resp":[]}'
            for client in json.loads(body.split("\r\n")[1])["counters"]:
                assert self._totals(client["token"], client["mac"]) == [(client["incoming"], client["outgoing"])]
        elif stage in ("login", "counters", "logout"):
            [code] = re.fullmatch(rb"Auth: (\d)\n", answer.body).groups()
            self.verdicts.append((stage, int(code)))
            assert bool(self._totals(parameter(raw, "token"), parameter(raw, "mac"))) == (code == b"1")
        else:
            assert answer.body.startswith(b"<!DOCTYPE html>")

    def _check_apfree(self, said: dict, answer: Answer) -> None:
        """Each client is answered by its number, and the totals of those who stay are on disk."""
        [gateway] = said["gateway"]
        operations = []
        for client in gateway["clients"]:
            totals = self._totals(client["token"], client["mac"])
            assert totals in ([], [(client["outgoing_bytes"], client["incoming_bytes"])])
            operations.append({"id": client["id"], "auth_code": len(totals)})
            self.verdicts.append(("counters_v2", len(totals)))
        expected = {"result": [{"gw_id": gateway["gw_id"], "auth_op": operations}]}
        assert answer.body == json.dumps(expected, separators=(",", ":")).encode()

    def _totals(self, token: str, mac: str) -> list[tuple]:
        return rows(self._dsn, IS_OPEN, hash_secret(token), mac)


def guests_in(raw: str) -> list[tuple[str, str, str, str]]:
    """Return gateway, address, MAC and token of each guest that a request is about."""
    if raw.startswith("POST"):
        body = raw.partition("\r\n\r\n")[2]
        said = json.loads(body[body.index("{") : body.rindex("}") + 1])
        gateways = said.get("gateway") or [{"clients": said["counters"]}]
        return [
            (each.get("gw_id") or parameter(raw, "gw_id"), client["ip"], client["mac"], client["token"])
            for each in gateways
            for client in each["clients"]
        ]
    if "&token=" not in raw or "stage=" not in raw:
        return []
    return [(parameter(raw, "gw_id"), parameter(raw, "ip"), parameter(raw, "mac"), parameter(raw, "token"))]


@pytest.mark.parametrize(
    ("name", "decided", "refused"),
    [
        ("apfree-wifidog-9.07.2907-counters-v1.jsonl", 25, 7),
        ("apfree-wifidog-9.07.2907-counters-v2.jsonl", 23, 8),
        ("wifidog-ng-1.5.6-derived-from-source.jsonl", 2, 1),
        ("wifidog-ng-2.0.0.jsonl", 7, 4),
        ("wifidog-gateway-1.3.0-journey.jsonl", 34, 17),
    ],
)
@pytest_twisted.ensureDeferred
async def test_every_request_of_a_transcript_is_answered_as_its_rows_say(server, dsn, name, decided, refused):
    """Signing in between, wherever the recorded guest had."""
    verdicts = await Replay(server, dsn).play(name)
    assert (len(verdicts), [code for _, code in verdicts].count(0)) == (decided, refused)
    assert rows(dsn, PAST, "02:ab:cd:ef:01:01") != [] or "ng" in name
