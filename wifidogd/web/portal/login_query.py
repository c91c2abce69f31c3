"""
Read the query with which a gateway sends a guest to the login page; pure.

Everything in it is the guest's to edit, and some of it arrives damaged: wifidog-gateway cuts its redirect at 968 bytes,
possibly in the middle of a percent escape, and never encodes C{gw_id} (wifidog-gateway C{src/http.c}).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum
from ipaddress import ip_address

from wifidogd.domain.addresses import read_mac
from wifidogd.domain.errors import MisnamedGateway
from wifidogd.domain.gateways import Gateway, is_absent
from wifidogd.domain.sessions import LoginQuery
from wifidogd.web.rendering.destination import wanted_page
from wifidogd.web.server.query import find_gw_id, read_address, read_guest_ip, read_gw_id, read_query


class Flaw(Enum):
    """Why a query does not say which gateway sent a guest."""

    NO_GATEWAY = "no gateway"
    GATEWAY_ID = "gateway id"
    GATEWAY_ADDRESS = "gateway address"


def read_login_query(query: bytes, own_hosts: Collection[str]) -> LoginQuery | Flaw:
    """
    Read the login redirect of any gateway dialect.

    @param query: what follows C{?}, as received.
    @param own_hosts: names and addresses under which guests reach this server, lower-case; a C{url} there is dropped.
    @return: what it says; or why nobody can tell which gateway sent the guest.
    """
    fields = read_query(query)
    try:
        gw_id = read_gw_id(fields.get("gw_id"))
    except MisnamedGateway:
        return Flaw.GATEWAY_ID
    if gw_id is None:
        return Flaw.NO_GATEWAY
    gw_address = read_address(fields.get("gw_address"))
    if gw_address is None and not is_absent(fields.get("gw_address", "")):
        return Flaw.GATEWAY_ADDRESS
    return LoginQuery(
        gw_id=gw_id,
        gw_address=gw_address,
        gw_port=_port(fields.get("gw_port", "")),
        mac=read_mac(fields.get("mac")),
        ip=read_guest_ip(fields.get("ip")),
        url=wanted_page(fields.get("url", ""), {*own_hosts, gw_address or ""}),
        device_id=find_gw_id(fields.get("device_id")),
    )


def is_elsewhere(gateway: Gateway, login_query: LoginQuery) -> bool:
    """
    Return whether a redirect names another address than the registered one.

    A gateway that also speaks the other IP version (apfree-wifidog's
    C{is_ipv6=1}) is not elsewhere: guests go to the registered address.
    """
    if login_query.gw_address is None:
        return False
    named, registered = ip_address(login_query.gw_address), ip_address(gateway.address)
    if named.version != registered.version:
        return False
    return named != registered or login_query.gw_port not in (None, gateway.port)


def _port(text: str) -> int | None:
    port = int(text) if re.fullmatch("[0-9]{1,5}", text) else 0
    return port if 1 <= port <= 65535 else None
