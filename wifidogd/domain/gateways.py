"""Gateways that the operator has adopted, those that wait for it, and what they say about themselves."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches

from wifidogd.domain.sessions import Counters, Dialect

GATEWAY_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""What a gateway can be called: gateways never URL-encode it (docs/protocol.md 6.7)."""

LONGEST_GATEWAY_ID = 64

_ABSENT = frozenset({"", "null", "(null)", "<null>", "nil", "(nil)", "none", "(none)", "undefined", "n/a"})
"""What software writes that has no value to write, in lower case (docs/protocol.md 3.4)."""

_LOOK_ALIKE = str.maketrans("oil", "011", ".:_-")
"""Letters that are taken for digits, and separators that are taken for each other or left out."""

_CLOSE = 0.8
"""How alike two names are, from 0 to 1, of which one is probably a typo of the other."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """
    A router that the operator has adopted.

    @ivar gw_id: as L{GATEWAY_ID} says.
    @ivar address: literal address of the gateway in the guests' network, where guests are sent.
    @ivar port: of the gateway's own web server, 2060 by default.
    @ivar interval: its CheckInterval, between two reports about a guest.
    @ivar key_hashes: SHA-256 of the keys it may use, newest first, two at most; empty for a gateway without a key.
    @ivar trust_macs: whether the operator believes the MACs that are reported for it although it has no key.
    @ivar device_ids: the devices that named it as theirs, the latest first; apfree-wifidog pings in their names.
    @ivar counters: what it calls incoming, as its operator has set it.
    @ivar counters_seen: the same as the packets of its guests show it; None while they do not tell.
    @ivar dialect: of its last report that was accepted; None before the first.
    """

    gw_id: str
    network: str
    address: str
    port: int = 2060
    interval: timedelta = timedelta(seconds=60)
    key_hashes: tuple[bytes, ...] = field(default=(), repr=False)
    trust_macs: bool = False
    device_ids: tuple[str, ...] = ()
    counters: Counters = Counters.AUTO
    counters_seen: Counters | None = None
    dialect: Dialect | None = None

    @property
    def proves_macs(self) -> bool:
        """Whether a MAC that is reported for it shows which device came: nobody else can report it, or so they say."""
        return bool(self.key_hashes) or self.trust_macs


@dataclass(frozen=True, slots=True)
class WaitingGateway:
    """
    A gateway that called, or sent a guest, without having been adopted.

    @ivar gw_id: what it calls itself; as L{show_gw_id} shows it if it cannot be adopted under that name.
    @ivar address: the C{gw_address} of its guests' redirects; None until it has sent a guest.
    @ivar source: the address from which it, or its guest, called.
    @ivar shared_at: when two gateways last seemed to use the name; None if they never did.
    @ivar device_id: the device that it is on, which may have other gateways; None where none was named.
    """

    gw_id: str
    first_seen: datetime
    last_seen: datetime
    source: str
    address: str | None = None
    port: int | None = None
    version: str | None = None
    shared_at: datetime | None = None
    device_id: str | None = None

    @property
    def is_adoptable(self) -> bool:
        """Whether a gateway can be adopted under this name."""
        return GATEWAY_ID.fullmatch(self.gw_id) is not None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """
    A gateway's ping.

    @ivar source: the address the ping came from.
    @ivar version: the User-Agent, at most 100 characters; None when absent.
    @ivar sys_uptime: of the router; None for missing or impossible values, as for all that follow.
    @ivar memory_free: octets.
    @ivar load: one-minute average.
    @ivar wifidog_uptime: of the gateway software; falls when it restarts.
    @ivar shared_at: when two gateways last seemed to use the name; None if they never did.
    @ivar by_websocket: whether it came by the WebSocket instead, which does not say all this: what it leaves out
        stays as the last ping said it.
    """

    gw_id: str
    seen_at: datetime
    source: str
    version: str | None = None
    sys_uptime: timedelta | None = None
    memory_free: int | None = None
    load: float | None = None
    wifidog_uptime: timedelta | None = None
    shared_at: datetime | None = None
    by_websocket: bool = False


def is_absent(text: str) -> bool:
    """Return whether a value is one of those by which gateways say that they have none, a name for example."""
    return text.strip().lower() in _ABSENT


def show_gw_id(text: str) -> str:
    """
    Return a name that no gateway can have in a form that is safe to store and to show.

    @return: printable, L{LONGEST_GATEWAY_ID} characters at most; still no L{GATEWAY_ID}, so that it names no other.
    """
    shown = "".join(character if character.isprintable() else "?" for character in text.strip()) or "?"
    return shown if len(shown) <= LONGEST_GATEWAY_ID else shown[: LONGEST_GATEWAY_ID - 1] + "…"


def propose_gw_id(text: str) -> str:
    """Return a name for a gateway that is as much as possible like one that it cannot have."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._:-]+", "-", plain).strip("-")[:LONGEST_GATEWAY_ID] or "my-router"


def near_misses(gw_id: str, known: Iterable[str]) -> list[str]:
    """
    Return the names that somebody may have meant who typed one that is not known.

    @param known: names of gateways.
    @return: three at most: those that differ in case, separators and look-alikes only, or else those that are close.
    """
    folded: dict[str, list[str]] = {}
    for name in known:
        folded.setdefault(_fold(name), []).append(name)
    close = [_fold(gw_id)] if _fold(gw_id) in folded else get_close_matches(_fold(gw_id), folded, 3, _CLOSE)
    return [name for fold in close for name in sorted(folded[fold])][:3]


def _fold(gw_id: str) -> str:
    return gw_id.lower().translate(_LOOK_ALIKE)
