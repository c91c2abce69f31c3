"""
wifidog-gateway 1.3.0.

Requests are those of the recorded transcripts, byte for byte; answers are read as the gateway's own code does
(docs/protocol.md 6.1): it looks for its mark anywhere in what it received, whatever the status.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import MAX_OCTETS, Stage
from wifidogd.simulation.families.family import Line
from wifidogd.simulation.transport.wire import Server

_VERDICT = re.compile(rb"Auth: +([+-]?[0-9]+)")


class Wifidog:
    """The reference gateway, which reports on each client."""

    patience = 30.0
    reports_use = True
    logs_out_with_totals = True
    most_at_once = MAX_OCTETS
    restarts_counting = False
    keeps_websocket = False

    def ping(self, server: Server, gw_id: str, uptime: int) -> bytes:
        """Return a ping."""
        said = f"gw_id={gw_id}&sys_uptime={uptime + 30}&sys_memfree=51200&sys_load=0.12&wifidog_uptime={uptime}"
        return _request(server, f"ping/?{said}")

    def report(self, server: Server, stage: Stage, gw_id: str, line: Line) -> bytes:
        """Return what it says about a client."""
        who = f"stage={stage.value}&ip={line.ip}&mac={line.mac}&token={line.token}"
        totals = f"incoming={line.totals.incoming}&outgoing={line.totals.outgoing}"
        return _request(server, f"auth/?{who}&{totals}&gw_id={gw_id}")

    def read_verdict(self, raw: bytes) -> int | None:
        """Return the verdict, wherever it stands."""
        before, mark, _ = raw.partition(b"Auth: ")
        found = _VERDICT.match(raw, len(before)) if mark else None
        return None if found is None else int(found[1])

    def hears_pong(self, raw: bytes) -> bool:
        """Return whether C{Pong} stands anywhere."""
        return b"Pong" in raw

    def login_target(self, server: Server, gateway: Gateway, ip: str, mac: str, wanted: str) -> str:
        """Return the address that its redirect leads to (its C{src/http.c})."""
        where = f"gw_address={gateway.address}&gw_port={gateway.port}&gw_id={gateway.gw_id}"
        return f"{server.path}login/?{where}&ip={ip}&mac={mac}&url={quote(wanted, safe='')}"

    def portal_target(self, server: Server, gw_id: str, mac: str) -> str:
        """Return the address for a guest who is in, which has no token in any release (its C{src/auth.c})."""
        return f"{server.path}portal/?gw_id={gw_id}"

    def message_target(self, server: Server, gw_id: str, mac: str, message: str) -> str:
        """Return the address of a message."""
        return f"{server.path}gw_message.php?message={message}"


def _request(server: Server, target: str) -> bytes:
    """Write a request: its host goes without the port."""
    head = f"GET {server.path}{target} HTTP/1.0\r\n"
    return f"{head}User-Agent: WiFiDog 1.3.0\r\nHost: {server.host}\r\n\r\n".encode()
