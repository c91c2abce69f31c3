"""An open session as its guest sees it, and how its guest ends it or disconnects other devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from wifidogd.access.arrivals import SHOW_END_FOR, good_until
from wifidogd.domain.errors import StoreUnavailable
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.guests import GuestSession, OtherDevice
from wifidogd.domain.plans import Allowance, Network
from wifidogd.domain.quotas import Limit, Use, left
from wifidogd.domain.sessions import Octets, Reason, UtcNow
from wifidogd.domain.tokens import hash_secret, is_one_of, reveal_token
from wifidogd.domain.usage import AllowanceUsage
from wifidogd.gateways.registry import Registry
from wifidogd.store.access.browsers import find_signed_in
from wifidogd.store.access.guest_sessions import ask_to_end, disconnect, fetch_session
from wifidogd.store.accounting.usage import fetch_usage
from wifidogd.store.driver.database import Cursor, Database

_NOT_LOADED = "which gateways are adopted is not known yet"


@dataclass(frozen=True, slots=True)
class SessionView:
    """
    What a guest may know of their open session.

    @ivar online: False while the gateway has not asked about the token, and once the session is ending.
    @ivar since: when the guest got online; None while pending.
    @ivar octets_left: by the tightest limit; None for no limit.
    @ivar time_left: likewise.
    @ivar url: the page the guest first wanted; None when unknown.
    @ivar allowance: what the session draws on; None when only its own limits bound it.
    @ivar used_of_allowance: by all sessions that draw on it; None for no allowance.
    @ivar octets_limit: which limit of the allowance C{octets_left} is about; None for the session's own, or none.
    @ivar time_limit: which one C{time_left} is about; likewise.
    @ivar has_account: True when the guest signed in by account, and did not come in by the MAC alone.
    @ivar other_devices: those online on the same allowance; none for a guest who came in by the MAC alone.
    @ivar remembered_until: how long this device is remembered; None if it is not.
    """

    gateway: Gateway
    network: Network
    online: bool
    mac: str | None
    ip: str | None
    since: datetime | None
    used: Octets
    octets_left: int | None
    time_left: timedelta | None
    url: str | None
    allowance: Allowance | None = None
    used_of_allowance: Use | None = None
    octets_limit: Limit | None = None
    time_limit: Limit | None = None
    has_account: bool = False
    other_devices: tuple[OtherDevice, ...] = ()
    remembered_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecognizedSession:
    """
    The session that a browser has signed in to.

    @ivar reason: why it has ended, or is about to; None while it continues.
    @ivar view: the session itself; None once it has ended.
    @ivar token: its token; empty once it has ended, and when a router has continued it, which alone knows the new one.
    @ivar token_hash: SHA-256 of its token; empty once it has ended.
    """

    gateway: Gateway
    network: Network
    reason: Reason | None
    view: SessionView | None = None
    token: str = field(default="", repr=False)
    token_hash: bytes = field(default=b"", repr=False)


class SessionViews:
    """Shows guests their sessions; a token, or the secret of a browser, shows whose they are."""

    def __init__(self, database: Database, registry: Registry, *, utc_now: UtcNow) -> None:
        self._database = database
        self._registry = registry
        self._utc_now = utc_now

    async def show(self, token: str) -> SessionView | None:
        """
        Return the open session of a token.

        @return: None if the token names none.
        @raise StoreError: as L{Database.transaction}.
        """
        return await self._database.transaction(lambda cursor: self._fetch(cursor, hash_secret(token)))

    async def recognize(self, secrets: Sequence[str]) -> RecognizedSession | None:
        """
        Return the latest session of a browser, open or ended within L{SHOW_END_FOR}.

        @param secrets: those in its cookies.
        @return: None if they name none.
        @raise StoreError: as L{Database.transaction}.
        """
        by_hash = {hash_secret(secret): secret for secret in secrets}
        if not by_hash:
            return None
        return await self._database.transaction(lambda cursor: self._recognize(cursor, by_hash))

    async def log_out(self, token: str) -> SessionView | None:
        """
        Ask for the end of a session: the gateway's next report settles its last octets and ends it.

        @return: what it was until then; None if the token names no open session.
        @raise StoreError: as L{Database.transaction}.
        """
        return await self.log_out_by_hash(hash_secret(token))

    async def log_out_by_hash(self, token_hash: bytes) -> SessionView | None:
        """Ask for the end of a session as L{log_out} does, by the SHA-256 of its token."""

        async def end(cursor: Cursor) -> SessionView | None:
            ask_to_end(cursor, token_hash, Reason.LOGOUT)
            return await self._fetch(cursor, token_hash)

        return await self._database.transaction(end)

    async def disconnect(self, token: str, session_id: int) -> bool:
        """
        Ask for the end of another session on the guest's allowance: its gateway's next report ends it.

        @return: False if it is none of theirs, or has ended.
        @raise StoreError: as L{Database.transaction}.
        """
        return await self._database.transaction(
            lambda cursor: disconnect(cursor, hash_secret(token), session_id, Reason.LOGOUT)
        )

    async def _recognize(self, cursor: Cursor, by_hash: Mapping[bytes, str]) -> RecognizedSession | None:
        if not self._registry.loaded:
            raise StoreUnavailable(_NOT_LOADED)
        found = await find_signed_in(cursor, list(by_hash), self._utc_now() - SHOW_END_FOR)
        gateway = None if found is None else self._registry.gateway(found.gw_id)
        if found is None or gateway is None or found.reason is Reason.ROAMED:
            return None
        network = self._registry.network(gateway.network)
        if found.token_hash is None or found.hidden_token is None:
            return RecognizedSession(gateway, network, found.reason)
        token = reveal_token(found.hidden_token, by_hash[found.browser_hash])
        if not is_one_of(token, [found.token_hash]):
            token = ""
        view = await self._fetch(cursor, found.token_hash)
        return RecognizedSession(gateway, network, found.reason, view, token, found.token_hash)

    async def _fetch(self, cursor: Cursor, token_hash: bytes) -> SessionView | None:
        if not self._registry.loaded:
            raise StoreUnavailable(_NOT_LOADED)
        found = await fetch_session(cursor, token_hash)
        gateway = None if found is None else self._registry.gateway(found.gw_id)
        if found is None or gateway is None:
            return None
        now = self._utc_now()
        view = _by_its_own_limits(found, gateway, self._registry.network(gateway.network), now)
        if found.allowance_id is None:
            return view
        return _by_its_allowance(view, await fetch_usage(cursor, found.allowance_id, now), now)


def _by_its_own_limits(found: GuestSession, gateway: Gateway, network: Network, now: datetime) -> SessionView:
    time_left = found.time_limit if found.expires_at is None else found.expires_at - now
    until = None if found.device is None else good_until(found.device, network)
    return SessionView(
        gateway=gateway,
        network=network,
        online=found.activated_at is not None and not found.is_ending,
        mac=found.mac,
        ip=found.ip,
        since=found.activated_at,
        used=found.used,
        octets_left=None if found.quota_octets is None else max(0, found.quota_octets - found.used.total),
        time_left=None if time_left is None else max(timedelta(), time_left),
        url=found.url,
        has_account=found.has_account,
        other_devices=found.other_devices,
        remembered_until=until if until is not None and now < until else None,
    )


def _by_its_allowance(view: SessionView, usage: AllowanceUsage, now: datetime) -> SessionView:
    """Tighten what is left of a session to what its allowance leaves."""
    rest = left(usage.allowance, usage.use, now)
    view = replace(view, allowance=usage.allowance, used_of_allowance=usage.use)
    if rest.time is not None and (view.time_left is None or rest.time <= view.time_left):
        view = replace(view, time_left=rest.time, time_limit=rest.time_limit)
    if rest.octets is not None and (view.octets_left is None or rest.octets <= view.octets_left):
        view = replace(view, octets_left=rest.octets, octets_limit=rest.octets_limit)
    return view
