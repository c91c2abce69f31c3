"""
C{counters_v2} of apfree-wifidog: all clients of a device in one body of JSON; pure.

Two forms are known (docs/protocol.md 3.7): a device with its gateways, and
the older one of a single gateway, which is answered in kind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from wifidogd.domain.errors import MalformedRequest
from wifidogd.domain.reports.client_lists import ClientList, ListedClient
from wifidogd.domain.sessions import AuthCode, Counters, Dialect, Octets
from wifidogd.web.gateway.json_values import integer_of, object_of, read_object, signed_count_of, sum_of, text_of
from wifidogd.web.gateway.listed_client import MOST_CLIENTS, octets_of, read_client
from wifidogd.web.server.query import find_gw_id

STAGE = "counters_v2"

UNCHANGED = b'{"result":[]}'
"""The answer that leaves all guests as they are."""

MOST_GATEWAYS = 64
"""Of a device; the clients of others are not read."""


class DeviceReport(NamedTuple):
    """
    What a body says.

    @ivar device_id: None where it names none, as in the older form.
    @ivar lists: one for each gateway that can have been adopted.
    @ivar is_flat: whether it is in the older form.
    """

    device_id: str | None
    lists: Sequence[ClientList]
    is_flat: bool


def read_report(body: bytes, key: str | None) -> DeviceReport:
    """
    Return what a device reports.

    @param key: from the address of the request, for all its gateways.
    @raise MalformedRequest: if it cannot be read at all.
    """
    said = read_object(body)
    is_flat = "gateway" not in said
    gateways = [said] if is_flat else said["gateway"]
    if not isinstance(gateways, list) or (is_flat and not isinstance(said.get("clients"), list)):
        raise MalformedRequest("body", "has neither gateways nor clients")
    device_id = find_gw_id(text_of(said.get("device_id")))
    return DeviceReport(device_id, _read_lists(map(object_of, gateways[:MOST_GATEWAYS]), key), is_flat)


def write_answer(report: DeviceReport, codes: Iterable[Sequence[AuthCode | None]]) -> bytes:
    """
    Return the answer, in the form of the report.

    @param codes: of the clients of each list, in their order; None leaves a client out, and as it is.
    """
    result = [
        {"gw_id": clients.gw_id, "auth_op": _operations(clients, verdicts)}
        for clients, verdicts in zip(report.lists, codes, strict=True)
    ]
    if report.is_flat and result:
        return _compact(result[0])
    return _compact({"result": result})


def _operations(clients: ClientList, codes: Sequence[AuthCode | None]) -> list[dict[str, object]]:
    return [
        {"id": client.name, "auth_code": int(code)}
        for client, code in zip(clients.clients, codes, strict=True)
        if code is not None
    ]


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _read_lists(gateways: Iterable[Mapping[str, object]], key: str | None) -> list[ClientList]:
    """Return the lists of a device's gateways, each gateway once; one without a name that it can have is left out."""
    lists: dict[str, ClientList] = {}
    left = MOST_CLIENTS
    for gateway in gateways:
        gw_id, said = find_gw_id(text_of(gateway.get("gw_id"))), gateway.get("clients")
        if gw_id is None or gw_id in lists:
            continue
        entries = said[:left] if isinstance(said, list) else []
        clients = [client for entry in entries if (client := _read_client(object_of(entry), gw_id, key)) is not None]
        can_be_read = len(clients) == len(entries) and all(client.report is not None for client in clients)
        is_complete = can_be_read and isinstance(said, list) and len(said) == len(entries)
        lists[gw_id] = ClientList(gw_id, clients, is_complete)
        left -= len(entries)
    return list(lists.values())


def _read_client(client: Mapping[str, object], gw_id: str, key: str | None) -> ListedClient | None:
    """Return a client; None for one without a number, which the answer cannot name."""
    number = integer_of(client.get("id"))
    if number is None:
        return None
    if "incoming_bytes" in client:
        octets, read_as = _octets(client), Counters.SWAPPED
    else:
        octets, read_as = _octets_of_older_form(client), Counters.STRAIGHT
    report = read_client(client, gw_id, Dialect.APFREE, key, octets, _packets(client), read_as)
    return ListedClient(number, report)


def _octets(client: Mapping[str, object]) -> Octets | None:
    """Return the totals, whose directions are exchanged, as in queries (docs/protocol.md 3.3)."""
    return octets_of(
        sum_of(client, "outgoing_bytes", "outgoing_bytes_v6"), sum_of(client, "incoming_bytes", "incoming_bytes_v6")
    )


def _octets_of_older_form(client: Mapping[str, object]) -> Octets | None:
    # The document of the older form spells it so.
    incoming = client["incoming"] if "incoming" in client else client.get("incomming")
    return octets_of(signed_count_of(incoming), signed_count_of(client.get("outgoing")))


def _packets(client: Mapping[str, object]) -> Octets | None:
    if "incoming_packets" not in client:
        return None
    return octets_of(
        sum_of(client, "outgoing_packets", "outgoing_packets_v6"),
        sum_of(client, "incoming_packets", "incoming_packets_v6"),
    )
