"""
Reports as wifidog-gateway sends them in queries, and apfree-wifidog up to 8.02 and wifidog-ng after it; pure.

One request is about one guest, and the answer is one line.
"""

from __future__ import annotations

from collections.abc import Mapping

from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.web.gateway.counts import read_signed_count


def read_octets(query: Mapping[str, str]) -> Octets | None:
    """Return the totals, as they are printed; None for no usable data."""
    to_guest, from_guest = read_signed_count(query.get("incoming")), read_signed_count(query.get("outgoing"))
    return None if to_guest is None or from_guest is None else Octets(to_guest, from_guest)


def auth_line(code: AuthCode) -> bytes:
    """
    Return a verdict in the form that all gateways read.

    wifidog-ng 1.x wants it at the very start, wifidog-gateway the space
    (docs/protocol.md 6.4).
    """
    return b"Auth: %d\n" % code


def unsettled_line(stage: Stage) -> bytes:
    """
    Return the answer for a fault on our side, which leaves the guest as they are.

    A logout is acknowledged, else apfree-wifidog keeps the guest online and
    asks again (docs/protocol.md 6.4).
    """
    return auth_line(AuthCode.DENIED if stage is Stage.LOGOUT else AuthCode.ERROR)
