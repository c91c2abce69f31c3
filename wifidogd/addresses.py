"""Which addresses a gateway can have in its guests' network; pure."""

from __future__ import annotations

import ipaddress

PRIVATE = tuple(
    ipaddress.ip_network(block)
    for block in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)
"""RFC 1918, shared (RFC 6598), link-local and unique local addresses (protocol.md 8.4)."""


def is_private(address: str) -> bool:
    """
    Tell whether guests may be sent to an address.

    @return: False for anything public and for anything but a literal address.
    """
    try:
        literal = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(literal in network for network in PRIVATE if network.version == literal.version)


def neighbourhood(address: str) -> str:
    """
    Name what one party has of addresses, so that it cannot pass for many.

    @return: an IPv4 address itself, of IPv6 the network of 64 bits that each customer gets; any other text as it is.
    """
    try:
        literal = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if literal.version == 4 or literal.ipv4_mapped is not None:
        return address
    return str(ipaddress.ip_network((int(literal), 64), strict=False).network_address)
