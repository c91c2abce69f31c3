"""Bounds what clients may have this server hold that send more than a form: how much, how many, and who."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from enum import Enum

from wifidogd.domain.addresses import delegation_of

MOST_OCTETS = 512 * 1024
"""Of such a body: a list of 2,000 clients."""

MOST_BODIES = 32
"""Held at the same time, of senders of each standing: so those without proof never take the place of others."""

MOST_OF_ONE = 2
"""Held at the same time for one party that has not proved who it is."""


class Standing(Enum):
    """What is known of a sender before its body is read."""

    PROVEN = "it has shown a secret"
    KNOWN = "it calls from where one of ours has called"


FindStanding = Callable[[list[bytes], bytes, str], Standing | None]
"""
Returns the standing of a sender; None for one who may send no more than a form.

It is given the parts of the path, without the server's own, the query and the
address of the connection.
"""


def nobody(_path: list[bytes], _query: bytes, _source: str) -> None:
    """Return None: nobody may send more than a form."""


class LargeBodies:
    """The large bodies that are being received or answered."""

    def __init__(self, find_standing: FindStanding = nobody) -> None:
        self.find_standing = find_standing
        self._held: dict[Hashable, tuple[Standing, str]] = {}

    def admit(self, request: Hashable, standing: Standing | None, source: str) -> bool:
        """
        Return whether there is room for the body of a request; if so, it is kept until L{release}.

        @param source: the address of the connection.
        """
        if standing is None:
            return False
        party = delegation_of(source)
        held = Counter(self._held.values())
        if standing is Standing.KNOWN and held[standing, party] >= MOST_OF_ONE:
            return False
        if sum(count for (other, _), count in held.items() if other is standing) >= MOST_BODIES:
            return False
        self._held[request] = standing, party
        return True

    def release(self, request: Hashable) -> None:
        """Forget a request that is over, if it was admitted."""
        self._held.pop(request, None)
