"""
Gateways that ask whether a device that has joined their Wi-Fi may go on without a page.

apfree-wifidog asks at C{/roam}, to which it can add no key, and lets the guest
in on the answer; its next list of clients confirms it.  wifidog-ng asks with
C{stage=roam}, and its second version reports nothing afterwards, so that the
session begins with the answer (docs/protocol.md 8).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wifidogd.access.roaming import Roamer, Roaming
from wifidogd.accounting.ledger import Ledger
from wifidogd.domain.addresses import read_mac
from wifidogd.domain.decisions import Decision
from wifidogd.domain.errors import Overloaded, StoreError
from wifidogd.domain.sessions import AuthCode, Dialect, Octets, Report, Stage
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.web.server.query import find_gw_id, read_guest_ip

log = Logger()

NO_APFREE = b'{"roam":"no"}'
NO_WIFIDOG_NG = b"deny"
"""Anything but C{token=} and letters or digits means no."""

Query = Mapping[str, str]


class RoamingAnswers:
    """Answers whether a device may go on at another gateway; trouble of our own means no."""

    def __init__(self, roaming: Roaming, ledger: Ledger, registry: Registry, limited_log: RateLimitedLog) -> None:
        self._roaming = roaming
        self._ledger = ledger
        self._registry = registry
        self._log = limited_log

    async def answer_apfree(self, query: Query) -> bytes:
        """Answer C{/roam}, which anybody can ask."""
        gw_id, mac = find_gw_id(query.get("gw_id")), read_mac(query.get("mac"))
        if gw_id is None or mac is None:
            return NO_APFREE
        roamer = await self._find(gw_id, mac, None, is_proven=False)
        return NO_APFREE if roamer is None else apfree_yes(roamer, gw_id)

    async def answer_wifidog_ng(self, query: Query, key: str | None, dialect: Dialect) -> bytes:
        """Answer C{stage=roam}, and begin the session."""
        gw_id, mac = find_gw_id(query.get("gw_id")), read_mac(query.get("mac"))
        if gw_id is None or mac is None or not self._registry.may_ask(gw_id, key):
            return NO_WIFIDOG_NG
        ip = read_guest_ip(query.get("ip"))
        roamer = await self._find(gw_id, mac, ip, is_proven=True)
        if roamer is None:
            return NO_WIFIDOG_NG
        login = Report(Stage.LOGIN, dialect, roamer.token, gw_id, mac, ip, Octets(), key)
        code = await self._settle(login)
        return b"token=" + roamer.token.encode() if code in (AuthCode.ALLOWED, AuthCode.VALIDATION) else NO_WIFIDOG_NG

    async def _find(self, gw_id: str, mac: str, ip: str | None, *, is_proven: bool) -> Roamer | None:
        try:
            roamer = await self._roaming.admit(gw_id, mac, ip=ip, is_proven=is_proven)
        except (StoreError, Overloaded) as problem:
            self._log.warn("cannot say who has come to {gw_id}: {problem}", gw_id=gw_id, problem=problem)
            return None
        if roamer is not None:
            self._log.info("token {token} is for a guest who has come to {gw_id}", token=roamer.token[:6], gw_id=gw_id)
        return roamer

    async def _settle(self, login: Report) -> AuthCode:
        settled: Deferred[Decision] = self._ledger.settle(login)
        try:
            return (await settled).code
        except (StoreError, Overloaded) as problem:
            self._log.warn("cannot let a guest go on at {gw_id}: {problem}", gw_id=login.gw_id, problem=problem)
            return AuthCode.ERROR


def apfree_yes(roamer: Roamer, gw_id: str) -> bytes:
    """Return the answer by which apfree-wifidog lets a guest in; it needs all three values, called exactly so."""
    client = {"token": roamer.token, "firstLogin": int(roamer.first_login.timestamp()), "gw_id": gw_id}
    return json.dumps({"roam": "yes", "client": client}, separators=(",", ":")).encode()
