"""
Adopted gateways and networks, in memory.

They change when an operator says so and are asked for with every request, so
they are read again only when their revision in the store has grown; when the
store is away, the last known ones stay.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from twisted.logger import Logger

from wifidogd.domain.addresses import is_private
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import Network
from wifidogd.domain.sessions import LoginQuery, UtcNow
from wifidogd.domain.tokens import is_one_of
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.gateways.gateways import adopt, count_gateways, fetch_gateways, fetch_revision
from wifidogd.store.gateways.networks import fetch_networks
from wifidogd.store.gateways.signing_key import fetch_secret

log = Logger()

MOST_TRUSTED = 100
"""Gateways that may adopt themselves, at most, counting those adopted by hand."""

DEFAULT_NETWORK = "default"


class _NotAdopted(Exception):
    """There are too many gateways to trust one more, or it had been adopted already."""


class Registry:
    """
    Who is adopted, what guests are offered there.

    @ivar loaded: False until the store has been read once; nobody can say before who is adopted.
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
        @param spread: waits until all workers have read of such a gateway, as any of them may be asked next; None where
            there is but one.
        """
        self._database = database
        self._utc_now = utc_now
        self._trusting = trust_new_gateways
        self._spread = spread
        self._gateways: dict[str, Gateway] = {}
        self._networks: dict[str, Network] = {}
        self._revision = 0
        self.signing_secret: str | None = None

    @property
    def loaded(self) -> bool:
        """Tell whether the store has been read at least once."""
        return self.signing_secret is not None

    def gateway(self, gw_id: str) -> Gateway | None:
        """Look up an adopted gateway; None if there is none of that name."""
        return self._gateways.get(gw_id)

    def network(self, name: str) -> Network:
        """
        Look up a gateway's network.

        @raise KeyError: if there is none of that name; an adopted gateway always has one.
        """
        return self._networks[name]

    def networks(self) -> list[Network]:
        """List all networks, by name."""
        return list(self._networks.values())

    def may_ask(self, gw_id: str, key: str | None) -> bool:
        """Tell whether a gateway is adopted and C{key} is good for it; one without keys needs none."""
        gateway = self._gateways.get(gw_id)
        if gateway is None:
            return False
        return not gateway.key_hashes or (key is not None and is_one_of(key, gateway.key_hashes))

    async def refresh(self) -> None:
        """
        Read everything again if anything changed since the last time.

        @raise StoreError: as L{Database.transaction}; what was known stays.
        """
        await self._database.transaction(self._read, urgent=True)

    async def adopt_if_trusted(self, visitor: LoginQuery) -> Gateway | None:
        """
        Adopt the gateway that sent a guest, if the operator trusts new ones.

        What its guests' URLs say counts for a new one only, never against
        what the operator, or a guest a moment ago, has said.

        @return: the gateway; None if it stays a stranger: new ones are not
            trusted, its address is not a private one, or there are too many.
        @raise StoreError: as L{Database.transaction}.
        """
        if not self._trusting or visitor.gw_address is None or visitor.gw_port is None:
            return None
        if not is_private(visitor.gw_address):
            return None
        gateway = Gateway(visitor.gw_id, DEFAULT_NETWORK, visitor.gw_address, visitor.gw_port)
        with suppress(_NotAdopted):
            await self._database.transaction(lambda cursor: self._adopt(cursor, gateway))
            log.info("gateway {gateway} adopted, as new ones are trusted", gateway=gateway)
        await self.refresh()
        if self._spread is not None:
            await self._spread()
        return self.gateway(gateway.gw_id)

    async def _adopt(self, cursor: Cursor, gateway: Gateway) -> None:
        """@raise _NotAdopted: to roll back."""
        if await count_gateways(cursor) >= MOST_TRUSTED or not await adopt(cursor, gateway, self._utc_now()):
            raise _NotAdopted

    async def _read(self, cursor: Cursor) -> None:
        """
        Read the revision first: what changes meanwhile is then read again next time.

        Networks come last, since they are never removed: a gateway's is always among them.
        """
        revision = await fetch_revision(cursor)
        if revision == self._revision:
            return
        gateways = {gateway.gw_id: gateway for gateway in await fetch_gateways(cursor)}
        networks = {network.name: network for network in await fetch_networks(cursor)}
        self.signing_secret = await fetch_secret(cursor)
        self._gateways, self._networks, self._revision = gateways, networks, revision
