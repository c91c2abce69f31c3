"""Lists in which a gateway reports all its clients at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from wifidogd.domain.sessions import Report


class ListedClient(NamedTuple):
    """
    A client in a list.

    @ivar name: by which the answer names it: a number, or a MAC as it was sent.
    @ivar report: None for a client of which too little can be read; the answer must leave it as it is.
    """

    name: int | str
    report: Report | None


class ClientList(NamedTuple):
    """
    What a gateway reports of all its clients.

    @ivar is_complete: whether it names every client: not if one cannot be read, or if there are too many.
    """

    gw_id: str
    clients: Sequence[ListedClient]
    is_complete: bool
