"""
Reads single values of the queries that gateways send, or send guests with; pure.

Gateways encode carelessly or not at all: C{+} is a plus, the first of
repeated names wins, an escape that is cut in the middle is dropped (docs/protocol.md
6.7), and missing values arrive as placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from socket import AF_INET, inet_ntop, inet_pton
from urllib.parse import unquote_to_bytes

from wifidogd.domain.errors import MalformedRequest

GATEWAY_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_MOST_FIELDS = 100
"""Of a query; gateways are known to send 20 or so, and each takes time."""

_CUT_ESCAPE = re.compile(rb"%[0-9A-Fa-f]?\Z")


def read_query(query: bytes) -> Mapping[str, str]:
    """
    Return the fields of what follows C{?}, as received.

    @return: the first value of each name; bytes that are not UTF-8, such as a character cut in half, are dropped, and
        so is what comes after L{_MOST_FIELDS} fields.
    """
    if b"%" not in query:
        pairs = query.decode("utf-8", "ignore").split("&", _MOST_FIELDS)[:_MOST_FIELDS]
        return dict(pair.partition("=")[::2] for pair in reversed(pairs))
    fields: dict[str, str] = {}
    for pair in query.split(b"&", _MOST_FIELDS)[:_MOST_FIELDS]:
        name, _, value = pair.partition(b"=")
        fields.setdefault(_text(name), _text(_CUT_ESCAPE.sub(b"", value)))
    return fields


def read_gw_id(text: str) -> str:
    """
    Return the name of a gateway, unchanged.

    @raise MalformedRequest: if no gateway can have this name.
    """
    if not GATEWAY_ID.fullmatch(text):
        raise MalformedRequest("gw_id", "must be 1 to 64 of A-Z a-z 0-9 . _ : -")
    return text


def read_address(text: str | None) -> str | None:
    """Return a literal address in its usual form; None for none, and for one with a zone, which is of no use here."""
    if text is None or "%" in text:
        return None
    try:
        return inet_ntop(AF_INET, inet_pton(AF_INET, text)) if ":" not in text else str(ip_address(text))
    except (OSError, ValueError):
        return None


def read_guest_ip(text: str | None) -> str | None:
    """
    Return the address of a guest as PostgreSQL writes it, so that it equals the one that is stored.

    @return: IPv4 also where it is written as IPv6; None where it names nobody (C{0.0.0.0}, C{::}, C{::10.0.0.9}).
    """
    address = read_address(text)
    if address is None or ":" not in address:
        return None if address == "0.0.0.0" else address
    literal = IPv6Address(address)
    if literal.ipv4_mapped is not None:
        return read_guest_ip(str(literal.ipv4_mapped))
    return None if int(literal) < 2**32 else address


def _text(raw: bytes) -> str:
    return unquote_to_bytes(raw).decode("utf-8", "ignore")
