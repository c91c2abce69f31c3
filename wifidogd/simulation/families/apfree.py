"""
apfree-wifidog 9.07, with its list of all clients, and with the reports on each that it was built with before.

Requests are those of the recorded transcripts, byte for byte.  Its names for the two directions are exchanged
(docs/protocol.md 3.3).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import MAX_OCTETS, Octets, Stage
from wifidogd.simulation.families.family import Line
from wifidogd.simulation.transport.wire import Server, answer_body

_HEAD = "Cache-Control: no-store, must-revalidate\r\nExpires: 0\r\nPragma: no-cache\r\nConnection: close\r\n"

_ID_RANGE = 2**32


class ApfreeV1:
    """
    A build that reports on each client (its C{AUTHSERVER_V2} undefined).

    @ivar keeps_websocket: whether its configuration has a C{WebSocket} block.
    """

    patience = 2.0
    reports_use = True
    logs_out_with_totals = True
    most_at_once = MAX_OCTETS
    restarts_counting = True
    begins_at_once = False

    def __init__(self, *, keeps_websocket: bool = False) -> None:
        self.keeps_websocket = keeps_websocket

    def ping(self, server: Server, gw_id: str, uptime: int) -> bytes:
        """Return a ping, which names the device alone."""
        said = (
            f"device_id={device_of(gw_id)}&sys_uptime={uptime + 30}&sys_memfree=51200&sys_load=0.12"
            f"&nf_conntrack_count=3&cpu_usage=10.00&wifidog_uptime={uptime}&online_clients=0&offline_clients=0"
            "&ssid=null&fm_version=null&type=null&name=null&wired_passed=0&aw_version=9.07.2907"
        )
        return _get(server, f"ping/?{said}")

    def report(self, server: Server, stage: Stage, gw_id: str, line: Line) -> bytes:
        """Return a report of the first format, which all builds use to sign in and out."""
        said = "&".join(
            [
                f"stage={stage.value}&ip={line.ip}&mac={line.mac}&token={line.token}",
                f"incoming_bytes={line.totals.outgoing}&outgoing_bytes={line.totals.incoming}",
                "incoming_packets=0&outgoing_packets=0&incoming_bytes_v6=0&outgoing_bytes_v6=0",
                f"incoming_packets_v6=0&outgoing_packets_v6=0&first_login=1796041255&online_time={line.online_for}",
                f"gw_id={gw_id}&gw_channel=chan1&name=N/A&wired=0&device_id={device_of(gw_id)}",
                "incoming_rate=0&outgoing_rate=0&incoming_rate_v6=0&outgoing_rate_v6=0",
            ]
        )
        return _get(server, f"auth/?{said}")

    def read_verdict(self, raw: bytes) -> int | None:
        """Return the number after the first C{Auth: } of the body, as C{sscanf} reads it."""
        _, mark, after = answer_body(raw).partition(b"Auth: ")
        digits = after.split(None, 1)[:1]
        try:
            return int(digits[0]) if mark and digits else None
        except ValueError:
            return None

    def hears_pong(self, raw: bytes) -> bool:
        """Return whether C{Pong} stands anywhere in the body."""
        return b"Pong" in answer_body(raw)

    def ask_to_roam(self, server: Server, gw_id: str, ip: str, mac: str) -> bytes:
        """Return the question, which has no address of the device and no key."""
        return _get(server, f"roam?gw_id={gw_id}&mac={mac}&gw_channel=chan1")

    def read_roaming(self, raw: bytes) -> str | None:
        """Return the token of a yes, which must have C{firstLogin} and C{gw_id} as well."""
        try:
            said = json.loads(answer_body(raw))
            client = said["client"] if said["roam"] == "yes" else {}
            token, _, _ = client["token"], client["firstLogin"], client["gw_id"]
        except (ValueError, LookupError, TypeError):
            return None
        return token if isinstance(token, str) else None

    def login_target(self, server: Server, gateway: Gateway, ip: str, mac: str, wanted: str) -> str:
        """Return the address that its page leads to."""
        where = f"gw_address={gateway.address}&is_ipv6=0&gw_port={gateway.port}&device_id={device_of(gateway.gw_id)}"
        which = f"gw_id={gateway.gw_id}&gw_channel=chan1&ssid=&ip={ip}&mac={mac}&protocol=http"
        return f"{server.path}login/?{where}&{which}&url={quote(wanted, safe='')}"

    def portal_target(self, server: Server, gw_id: str, mac: str) -> str:
        """Return an address without a token."""
        return f"{server.path}portal/?gw_id={gw_id}&gw_channel=chan1&mac={mac}&name=null"

    def message_target(self, server: Server, gw_id: str, mac: str, message: str) -> str:
        """Return an address that names nobody."""
        return f"{server.path}gw_message?message={message}"


class Apfree(ApfreeV1):
    """The default build, which sends one list of all clients."""

    def report_list(self, server: Server, gw_id: str, lines: Sequence[Line]) -> bytes:
        """Return the list of all clients."""
        body = json.dumps(
            {
                "device_id": device_of(gw_id),
                "gateway": [{"gw_id": gw_id, "gw_channel": "chan1", "clients": [_client(line) for line in lines]}],
            }
        )
        head = f"POST {server.path}auth/?stage=counters_v2 HTTP/1.1\r\nHost: {server.host}\r\n{_HEAD}"
        kind = f"User-Agent: ApFree-WiFiDog\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"{head}{kind}\r\n{body}".encode()

    def read_list(self, raw: bytes, lines: Sequence[Line]) -> Mapping[str, int]:
        """Return the verdicts by MAC; an answer that is not as it should be changes nothing, whatever its status."""
        try:
            results = json.loads(answer_body(raw))["result"]
            told = [(op["id"], op["auth_code"]) for result in results if result["gw_id"] for op in result["auth_op"]]
        except (ValueError, LookupError, TypeError):
            return {}
        macs = {line.number % _ID_RANGE: line.mac for line in lines}
        return {
            macs[number % _ID_RANGE]: code
            for number, code in told
            if isinstance(number, int) and isinstance(code, int) and number % _ID_RANGE in macs
        }


def device_of(gw_id: str) -> str:
    """Return the name of the device that a gateway is on, which is the only one there."""
    return f"device-{gw_id}"


def _client(line: Line) -> dict[str, object]:
    sent, received = line.totals.outgoing, line.totals.incoming
    no_traffic = {"incoming_rate": 0, "outgoing_rate": 0, "incoming_packets": 0, "outgoing_packets": 0}
    return {
        "id": line.number,
        "ip": line.ip,
        "ip6": "N/A",
        "mac": line.mac,
        "token": line.token,
        "name": "N/A",
        "incoming_bytes": sent,
        "outgoing_bytes": received,
        **no_traffic,
        **{f"{name}_v6": 0 for name in ("incoming_bytes", "outgoing_bytes", *no_traffic)},
        "first_login": 1796041255,
        "is_online": line.totals != Octets(),
        "wired": False,
    }


def _get(server: Server, target: str) -> bytes:
    head = f"GET {server.path}{target} HTTP/1.1\r\nHost: {server.host}\r\nContent-Type: text/html\r\n"
    return f"{head}{_HEAD}User-Agent: ApFree-WiFiDog\r\n\r\n".encode()
