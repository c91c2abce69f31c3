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

from wifidogd.domain.errors import MisnamedGateway
from wifidogd.domain.gateways import GATEWAY_ID, is_absent, show_gw_id

_MOST_FIELDS = 100
"""Of a query; gateways are known to send 20 or so, and each takes time."""

_NAMES = (b"gw_id", b"device_id")
"""Fields that gateways send in the encoding of their configuration, which is shown to its owner."""

_CUT_ESCAPE = re.compile(rb"%[0-9A-Fa-f]?\Z")


def read_query(query: bytes) -> Mapping[str, str]:
    """
    Return the fields of what follows C{?}, as received.

    @return: the first value of each name; bytes that are not UTF-8, such as a character cut in half, are dropped, or
        taken for Latin-1 in the name of a gateway; what comes after L{_MOST_FIELDS} fields is dropped, too.
    """
    if b"%" not in query and query.isascii():
        pairs = query.decode("ascii").split("&", _MOST_FIELDS)[:_MOST_FIELDS]
        return dict(pair.partition("=")[::2] for pair in reversed(pairs))
    fields: dict[str, str] = {}
    for pair in query.split(b"&", _MOST_FIELDS)[:_MOST_FIELDS]:
        name, _, value = pair.partition(b"=")
        read = _name if name in _NAMES else _text
        fields.setdefault(_text(name), read(_CUT_ESCAPE.sub(b"", value)))
    return fields


def read_gw_id(text: str | None) -> str | None:
    """
    Return the name of a gateway, without blanks around it.

    @return: None for none, in all the ways in which gateways say that (docs/protocol.md 3.4).
    @raise MisnamedGateway: if no gateway can be adopted under this name.
    """
    name = (text or "").strip()
    if is_absent(name):
        return None
    if GATEWAY_ID.fullmatch(name):
        return name
    raise MisnamedGateway("gw_id", show_gw_id(name))


def find_gw_id(text: str | None) -> str | None:
    """Return the name of a gateway as L{read_gw_id} does; None also if no gateway can have it."""
    try:
        return read_gw_id(text)
    except MisnamedGateway:
        return None


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


def _name(raw: bytes) -> str:
    unquoted = unquote_to_bytes(raw)
    try:
        return unquoted.decode("utf-8")
    except UnicodeDecodeError:
        return unquoted.decode("latin-1")


def _text(raw: bytes) -> str:
    return unquote_to_bytes(raw).decode("utf-8", "ignore")
