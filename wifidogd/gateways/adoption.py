"""
Gateways that are adopted together.

Those on one device of apfree-wifidog are told one C{Path} and so have one key (docs/protocol.md 2.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wifidogd.domain.addresses import is_private
from wifidogd.domain.gateways import Gateway, WaitingGateway


@dataclass(frozen=True, slots=True)
class Companions:
    """
    Gateways on the device of one that is being adopted.

    @ivar device_id: None for a gateway that named no device.
    @ivar ready: those that wait and have said where their guests find them.
    @ivar addressless: those that wait and have not.
    @ivar key_hashes: of the keys of one that has been adopted; empty if none has, or has a key.
    """

    device_id: str | None = None
    ready: Sequence[WaitingGateway] = ()
    addressless: Sequence[WaitingGateway] = ()
    key_hashes: tuple[bytes, ...] = ()


def find_companions(gw_id: str, waiting: Iterable[WaitingGateway], adopted: Iterable[Gateway]) -> Companions:
    """Return the gateways on the device that a waiting gateway has named."""
    waiting = list(waiting)
    device_id = next((one.device_id for one in waiting if one.gw_id == gw_id), None)
    if device_id is None:
        return Companions()
    others = [one for one in waiting if one.device_id == device_id and one.gw_id != gw_id and one.is_adoptable]
    keys = (one.key_hashes for one in adopted if device_id in one.device_ids and one.key_hashes)
    return Companions(
        device_id,
        [one for one in others if has_address(one)],
        [one for one in others if not has_address(one)],
        next(keys, ()),
    )


def on_device(name: str, waiting: Iterable[WaitingGateway]) -> str | None:
    """
    Return the gateway to adopt for somebody who named a device.

    @return: one with an address if there is one; the others are its companions.  None if no gateway waits on it.
    """
    there = [one for one in waiting if one.device_id == name and one.is_adoptable]
    return max(there, key=has_address).gw_id if there else None


def has_address(waiting: WaitingGateway) -> bool:
    """Return whether a gateway has said where its guests find it, and can be believed: a private address."""
    return waiting.address is not None and is_private(waiting.address)


def with_same_key(gateway: Gateway, adopted: Iterable[Gateway]) -> list[Gateway]:
    """Return the gateways that have a key in common with one, itself included if it has any."""
    return [one for one in adopted if set(one.key_hashes) & set(gateway.key_hashes)]
