"""
Reports as apfree-wifidog 9 sends them in queries: every C{login} and C{logout}, and C{counters} of some builds; pure.

IPv6 is counted separately.  The two directions are exchanged (docs/protocol.md 3.3).
"""

from __future__ import annotations

from collections.abc import Mapping

from wifidogd.domain.sessions import Octets
from wifidogd.web.gateway.counts import sum_counts


def is_spoken(query: Mapping[str, str]) -> bool:
    """Return whether a report names its counters in this dialect."""
    return "incoming_bytes" in query


def read_octets(query: Mapping[str, str]) -> Octets | None:
    """Return the totals of both families of addresses; None for no usable data."""
    to_guest = sum_counts(query.get("outgoing_bytes"), query.get("outgoing_bytes_v6", "0"))
    from_guest = sum_counts(query.get("incoming_bytes"), query.get("incoming_bytes_v6", "0"))
    return None if to_guest is None or from_guest is None else Octets(to_guest, from_guest)


def read_packets(query: Mapping[str, str]) -> Octets | None:
    """Return how many packets made up the totals, in the same directions; None where they are not counted."""
    to_guest = sum_counts(query.get("outgoing_packets"), query.get("outgoing_packets_v6", "0"))
    from_guest = sum_counts(query.get("incoming_packets"), query.get("incoming_packets_v6", "0"))
    return None if to_guest is None or from_guest is None else Octets(to_guest, from_guest)
