"""
Which gateways the pings of a device are about.

apfree-wifidog pings in the name of its device, which may have several gateways, and names both in everything else
(docs/protocol.md 2.1).
"""

from __future__ import annotations

from collections.abc import Iterable

from wifidogd.domain.gateways import WaitingGateway
from wifidogd.domain.sessions import UtcNow
from wifidogd.gateways.heartbeats import Heartbeats
from wifidogd.gateways.registry import MOST_GATEWAYS_OF_DEVICE, Registry
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.devices import MOST_DEVICES, save_devices


class Devices:
    """The devices that gateways are on, as the registry and the latest requests say."""

    def __init__(self, database: Database, registry: Registry, heartbeats: Heartbeats, *, utc_now: UtcNow) -> None:
        self._database = database
        self._registry = registry
        self._heartbeats = heartbeats
        self._utc_now = utc_now
        self._learnt: dict[str, dict[str, None]] = {}

    def gw_ids(self, device_id: str) -> tuple[str, ...]:
        """Return the names of the adopted gateways on a device, also when it was learnt just now."""
        known = self._registry.gateways_on(device_id)
        fresh = (gw_id for gw_id, devices in self._learnt.items() if device_id in devices and gw_id not in known)
        return (*known, *fresh)[:MOST_GATEWAYS_OF_DEVICE]

    def learn(self, device_id: str, gw_ids: Iterable[str], source: str, key: str | None = None) -> None:
        """
        Keep what a device has said in its own name; its gateways that are not adopted wait for it.

        @param gw_ids: each a name that gateways can have; those after L{MOST_GATEWAYS_OF_DEVICE} are ignored.
        @param source: the address that the device called from.
        @param key: what it showed; a gateway with another key is not taken for its own.
        """
        for gw_id, _ in zip(gw_ids, range(MOST_GATEWAYS_OF_DEVICE), strict=False):
            gateway = self._registry.gateway(gw_id)
            if gateway is None:
                now = self._utc_now()
                self._heartbeats.wait(WaitingGateway(gw_id, now, now, source, device_id=device_id))
            elif device_id not in gateway.device_ids and self._registry.may_ask(gw_id, key):
                self._keep(gw_id, device_id)

    def learn_from_guest(self, device_id: str, gw_id: str) -> None:
        """Keep what the address of a login page says: a hint, which never displaces what a device has said itself."""
        gateway = self._registry.gateway(gw_id)
        if gateway is not None and not gateway.device_ids and gw_id not in self._learnt:
            self._keep(gw_id, device_id)

    def _keep(self, gw_id: str, device_id: str) -> None:
        devices = self._learnt.setdefault(gw_id, {})
        devices[device_id] = None
        if len(devices) > MOST_DEVICES:
            del devices[next(iter(devices))]

    async def flush(self) -> None:
        """
        Write what was learnt since the last time.

        @raise StoreError: as L{Database.transaction}; it is learnt again from the next requests.
        """
        learnt, self._learnt = self._learnt, {}
        pairs = [(gw_id, device_id) for gw_id, devices in learnt.items() for device_id in devices]
        if pairs:
            await self._database.transaction(lambda cursor: save_devices(cursor, pairs, self._utc_now()))
