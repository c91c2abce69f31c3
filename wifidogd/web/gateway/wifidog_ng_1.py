"""
C{counters} of wifidog-ng 1.x: all clients of a gateway in one body of JSON; pure.

It reads 1,024 octets of an answer at most, and takes off its list whom the
answer names (docs/protocol.md 3.8).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from wifidogd.domain.addresses import read_mac
from wifidogd.domain.errors import MalformedRequest
from wifidogd.domain.reports.client_lists import ClientList, ListedClient
from wifidogd.domain.sessions import AuthCode, Dialect
from wifidogd.web.gateway.json_values import object_of, read_object, signed_count_of, text_of
from wifidogd.web.gateway.listed_client import MOST_CLIENTS, octets_of, read_client

UNCHANGED = b'{"resp":[]}'
"""The answer that leaves all guests as they are."""

LONGEST_ANSWER = 1024
"""Octets of an answer, all told."""

_OUT = (AuthCode.DENIED, AuthCode.VALIDATION_FAILED)


def is_spoken(method: bytes, stage: str | None, body: bytes) -> bool:
    """Return whether a request to C{/auth} is in this dialect: nobody else posts an object of JSON there."""
    return method == b"POST" and stage == "counters" and body.lstrip()[:1] == b"{"


def read_list(body: bytes, gw_id: str, key: str | None) -> ClientList:
    """
    Return what a gateway reports of its clients.

    @raise MalformedRequest: if it cannot be read at all.
    """
    entries = read_object(body).get("counters")
    if not isinstance(entries, list):
        raise MalformedRequest("body", "has no counters")
    found = (_read_client(object_of(entry), gw_id, key) for entry in entries[:MOST_CLIENTS])
    # What it says when a client is left out is not known well enough to end a session for it.
    return ClientList(gw_id, [client for client in found if client is not None], is_complete=False)


def write_answer(clients: ClientList, codes: Iterable[AuthCode | None]) -> bytes:
    """
    Return the answer, which names those who must go, as many as it can hold; the others are reported again.

    @param codes: of the clients in their order; None leaves a client as it is.
    """
    answer, entries = UNCHANGED, []
    for client, code in zip(clients.clients, codes, strict=True):
        if code in _OUT:
            entries.append({"mac": client.name, "auth": 0})
            longer = json.dumps({"resp": entries}, separators=(",", ":")).encode("ascii")
            if len(longer) > LONGEST_ANSWER:
                break
            answer = longer
    return answer


def _read_client(client: Mapping[str, object], gw_id: str, key: str | None) -> ListedClient | None:
    """Return a client; None for one whose MAC, by which the answer would name it, is none."""
    mac = text_of(client.get("mac"))
    if mac is None or read_mac(mac) is None:
        return None
    octets = octets_of(signed_count_of(client.get("incoming")), signed_count_of(client.get("outgoing")))
    return ListedClient(mac, read_client(client, gw_id, Dialect.WIFIDOG_NG_1, key, octets))
