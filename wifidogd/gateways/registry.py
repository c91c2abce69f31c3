"""
Adopted gateways and networks, in memory.

Every request needs them and only operators change them, so they are read again
only when their revision in the store has grown; while the store is away, the
last known ones stay.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from twisted.logger import Logger

from wifidogd.domain.addresses import is_private
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import Network
from wifidogd.domain.sessions import LoginQuery, UtcNow
from wifidogd.domain.tokens import hash_secret, is_one_of
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.gateways.gateways import adopt, count_gateways, fetch_gateways, fetch_revision
from wifidogd.store.gateways.networks import fetch_networks
from wifidogd.store.gateways.signing_key import fetch_secret

log = Logger()

MOST_TRUSTED = 100
"""Gateways that may adopt themselves, at most, counting those adopted by hand."""

MOST_GATEWAYS_OF_DEVICE = 64
"""A device of apfree-wifidog has a gateway for each of its guest networks; more than that are not believed."""

DEFAULT_NETWORK = "default"


class _NotAdopted(Exception):
    """There are too many gateways to trust another, or it has been adopted already."""


class Registry:
    """
    Knows which gateways are adopted, and what their networks offer guests.

    @ivar loaded: False until the store has been read once; until then nobody knows which gateways are adopted.
    @ivar signing_secret: signs the state of forms; None until loaded.
    """

    def __init__(
        self,
        database: Database,
        *,
        utc_now: UtcNow,
        trust_new_gateways: bool = False,
        spread: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """
        @param trust_new_gateways: adopt an unknown gateway with the first private address its guests name; for trials.
        @param spread: waits until all workers have read of such a gateway, as any of them may get the next request;
            None for a server without workers.
        """
        self._database = database
        self._utc_now = utc_now
        self._trusting = trust_new_gateways
        self._spread = spread
        self._gateways: dict[str, Gateway] = {}
        self._networks: dict[str, Network] = {}
        self._by_device: dict[str, tuple[str, ...]] = {}
        self._key_hashes: set[bytes] = set()
        self._revision = 0
        self.signing_secret: str | None = None

    @property
    def loaded(self) -> bool:
        """Whether the store has been read at least once."""
        return self.signing_secret is not None

    def gateway(self, gw_id: str) -> Gateway | None:
        """Return an adopted gateway; None if none has this name."""
        return self._gateways.get(gw_id)

    def gateways_on(self, device_id: str) -> tuple[str, ...]:
        """Return the names of the adopted gateways that a device has named as its own."""
        return self._by_device.get(device_id, ())

    def network(self, name: str) -> Network:
        """
        Return a gateway's network.

        @raise KeyError: if none has this name; that of an adopted gateway always exists.
        """
        return self._networks[name]

    def networks(self) -> list[Network]:
        """Return all networks, in the order of their names."""
        return list(self._networks.values())

    def may_ask(self, gw_id: str, key: str | None) -> bool:
        """Return whether a gateway is adopted and C{key} is one of its keys; one without keys needs none."""
        gateway = self._gateways.get(gw_id)
        if gateway is None:
            return False
        return not gateway.key_hashes or (key is not None and is_one_of(key, gateway.key_hashes))

    def knows_key(self, key: str) -> bool:
        """
        Return whether a key is that of some adopted gateway: enough to be heard out, not to be believed.

        What is looked up is a hash, so the time that it takes says nothing of other keys.
        """
        return hash_secret(key) in self._key_hashes

    async def refresh(self) -> None:
        """
        Read everything again if anything has changed since the last time.

        @raise StoreError: as L{Database.transaction}; what was known stays.
        """
        await self._database.transaction(self._read, urgent=True)

    async def adopt_if_trusted(self, login_query: LoginQuery) -> Gateway | None:
        """
        Adopt the gateway that sent a guest, if the operator trusts new ones.

        The address in a guest's URL is used for a new gateway only; it never
        changes that of an adopted one.

        @return: the gateway; None if it is not adopted: new ones are not
            trusted, its address is not a private one, or there are too many.
        @raise StoreError: as L{Database.transaction}.
        """
        if not self._trusting or login_query.gw_address is None or login_query.gw_port is None:
            return None
        if not is_private(login_query.gw_address):
            return None
        gateway = Gateway(login_query.gw_id, DEFAULT_NETWORK, login_query.gw_address, login_query.gw_port)
        with suppress(_NotAdopted):
            await self._database.transaction(lambda cursor: self._adopt(cursor, gateway))
            log.info("gateway {gateway} adopted without a key, as new ones are trusted", gateway=gateway)
        await self.refresh()
        if self._spread is not None:
            await self._spread()
        return self.gateway(gateway.gw_id)

    async def _adopt(self, cursor: Cursor, gateway: Gateway) -> None:
        """
        Adopt a gateway in the store.

        @raise _NotAdopted: to roll back.
        """
        if await count_gateways(cursor) >= MOST_TRUSTED or not await adopt(cursor, gateway, self._utc_now()):
            raise _NotAdopted

    async def _read(self, cursor: Cursor) -> None:
        """
        Read everything, if the revision has grown.

        The revision is read first: what changes meanwhile is read again next
        time.  Networks are read last and never removed, so that a gateway's is
        always among them.
        """
        revision = await fetch_revision(cursor)
        if revision == self._revision:
            return
        gateways = {gateway.gw_id: gateway for gateway in await fetch_gateways(cursor)}
        networks = {network.name: network for network in await fetch_networks(cursor)}
        self.signing_secret = await fetch_secret(cursor)
        self._gateways, self._networks, self._revision = gateways, networks, revision
        self._by_device = _by_device(gateways.values())
        self._key_hashes = {key_hash for gateway in gateways.values() for key_hash in gateway.key_hashes}


def _by_device(gateways: Iterable[Gateway]) -> dict[str, tuple[str, ...]]:
    """Return the names of the gateways on each device."""
    found: dict[str, tuple[str, ...]] = {}
    for gateway in gateways:
        for device_id in gateway.device_ids:
            known = found.get(device_id, ())
            if len(known) < MOST_GATEWAYS_OF_DEVICE:
                found[device_id] = (*known, gateway.gw_id)
    return found
