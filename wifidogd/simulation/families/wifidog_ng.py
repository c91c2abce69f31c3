"""
wifidog-ng: 2.0.0, which reports no octets, and 1.5.6, which reports a list.

Requests are those of the recorded transcripts and of the sources, byte for byte (docs/protocol.md 6).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import MAX_OCTETS, AuthCode, Stage
from wifidogd.simulation.families.family import Line
from wifidogd.simulation.transport.wire import Server, answer_body

LONGEST_LIST_ANSWER = 1_024
"""Octets that 1.5.6 reads of the answer to its list."""

LONGEST_TOKEN = 32
"""Characters that 1.5.6 keeps of a token."""

_ROAMING = re.compile(rb"token=([0-9A-Za-z]+)")


class WifidogNg:
    """Version 2.0.0, in Lua: whoever is in stays in until the guest or somebody at the router ends it."""

    patience = 60.0
    reports_use = False
    logs_out_with_totals = False
    most_at_once = MAX_OCTETS
    restarts_counting = False
    keeps_websocket = False
    begins_at_once = True
    agent = "TE: trailers\r\nConnection: close, TE\r\nUser-Agent: LuaSocket 3.0.0\r\n"

    def ping(self, server: Server, gw_id: str, uptime: int) -> bytes:
        """Return a ping."""
        said = f"gw_id={gw_id}&sys_uptime={uptime + 30}&sys_memfree=54321152&sys_load=2304&wifidog_uptime={uptime}"
        return self._get(server, f"ping?{said}")

    def report(self, server: Server, stage: Stage, gw_id: str, line: Line) -> bytes:
        """Return what it says about a client, never with octets."""
        who = f"gw_id={gw_id}&stage={stage.value}&ip={line.ip}&mac={line.mac}&token={line.token}"
        return self._get(server, f"auth?{who}")

    def read_verdict(self, raw: bytes) -> int | None:
        """Return the digit after C{Auth: }, with which the body must begin."""
        body = answer_body(raw)
        return int(body[6:7]) if body.startswith(b"Auth: ") and body[6:7].isdigit() else None

    def hears_pong(self, raw: bytes) -> bool:
        """Return whether the body is C{Pong} and nothing else."""
        return answer_body(raw) == b"Pong"

    def ask_to_roam(self, server: Server, gw_id: str, ip: str, mac: str) -> bytes:
        """Return the question about a lease."""
        return self._get(server, f"auth?gw_id={gw_id}&stage=roam&ip={ip}&mac={mac}")

    def read_roaming(self, raw: bytes) -> str | None:
        """Return the letters and digits after the first C{token=}."""
        found = _ROAMING.search(answer_body(raw))
        return None if found is None else found[1].decode()

    def login_target(self, server: Server, gateway: Gateway, ip: str, mac: str, wanted: str) -> str:
        """Return the address that its page leads to; what was wanted is lost."""
        where = f"gw_address={gateway.address}&gw_port={gateway.port}&gw_id={gateway.gw_id}"
        return f"{server.path}login?{where}&ssid=&ip={ip}&mac={mac}"

    def portal_target(self, server: Server, gw_id: str, mac: str) -> str:
        """Return an address without a token."""
        return f"{server.path}portal?gw_id={gw_id}&mac={mac}"

    def message_target(self, server: Server, gw_id: str, mac: str, message: str) -> str:
        """Return an address that does not say what happened."""
        return f"{server.path}gw_message.php?gw_id={gw_id}&mac={mac}"

    def _get(self, server: Server, target: str) -> bytes:
        return f"GET {server.path}{target} HTTP/1.1\r\nHost: {server.host}\r\n{self.agent}\r\n".encode()


class WifidogNg1(WifidogNg):
    """Version 1.5.6, in C: it gives up after one second, and keeps its connections as they are."""

    patience = 1.0
    reports_use = True
    most_at_once = 2**29
    agent = ""

    def read_roaming(self, raw: bytes) -> str | None:
        """Return all that follows C{token=}, of which it keeps 32 characters."""
        _, mark, token = answer_body(raw).partition(b"token=")
        return token[:LONGEST_TOKEN].decode("latin-1") if mark else None

    def report_list(self, server: Server, gw_id: str, lines: Sequence[Line]) -> bytes:
        """Return the list, in one chunk, with counters of 32 bits printed as signed."""
        body = json.dumps({"counters": [_counters(line) for line in lines]}, separators=(",", ":"))
        head = f"POST {server.path}auth?gw_id={gw_id}&stage=counters HTTP/1.1\r\nHost: {server.host}\r\n"
        kind = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        return f"{head}{kind}\r\n{len(body):X}\r\n{body}\r\n0\r\n\r\n".encode()

    def read_list(self, raw: bytes, lines: Sequence[Line]) -> Mapping[str, int]:
        """
        Return the verdicts; only C{auth} as a whole number and a MAC as it was sent count.

        Whoever is left out stays: there is no room to name everybody.
        """
        body = answer_body(raw)
        if len(body) > LONGEST_LIST_ANSWER:
            return {}
        try:
            told = {one["mac"]: one["auth"] for one in json.loads(body)["resp"]}
        except (ValueError, LookupError, TypeError):
            return {}
        stay = dict.fromkeys((line.mac for line in lines), int(AuthCode.ALLOWED))
        return stay | {mac: code for mac, code in told.items() if mac in stay and isinstance(code, int)}


def _counters(line: Line) -> dict[str, object]:
    return {
        "ip": line.ip,
        "mac": line.mac,
        "token": line.token,
        "uptime": line.online_for,
        "incoming": _signed(line.totals.incoming),
        "outgoing": _signed(line.totals.outgoing),
    }


def _signed(count: int) -> int:
    """Return a count as a counter of 32 bits that is printed as signed."""
    return (count + 2**31) % 2**32 - 2**31
