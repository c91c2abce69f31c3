"""Settles lists of clients, the reports in them one by one, and gathers the answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from twisted.internet.defer import ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wifidogd.accounting.decision_log import log_decision
from wifidogd.accounting.departures import Departures
from wifidogd.accounting.ledger import Ledger
from wifidogd.domain.decisions import Decision, Refusal, refuse
from wifidogd.domain.reports.client_lists import ClientList
from wifidogd.domain.sessions import AuthCode, Report
from wifidogd.domain.tokens import hash_secret
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.rate_limited_log import RateLimitedLog

log = Logger()

Client = tuple[str, str | None, str | None]
"""What a device's gateways know one client by: token, MAC and address."""

Outcome = Decision | None
"""Of a report; None for one that could not be settled."""

_ELSEWHERE = {Refusal.GATEWAY_NOT_ADOPTED, Refusal.WRONG_GATEWAY}
"""What gateways say of a client that is not theirs."""


class ClientLists:
    """Settles the lists that gateways send, and ends the sessions of those who are on none."""

    def __init__(self, ledger: Ledger, registry: Registry, departures: Departures, *, clock: IReactorTime) -> None:
        self._ledger = ledger
        self._registry = registry
        self._departures = departures
        self._log = RateLimitedLog(log, clock)

    async def settle(self, lists: Sequence[ClientList], key: str | None, source: str) -> list[list[AuthCode | None]]:
        """
        Settle the lists of one device.

        A client without an own gateway is listed under each of them (docs/protocol.md 3.7); it belongs to that of its
        session.  One listed twice under one gateway is settled once.

        @param key: each gateway needs to have it, or none.
        @param source: the address that the lists came from.
        @return: the codes of the clients of each list, in their order: -1 where the gateway is not adopted, its key is
            wrong, or the client could not be read; None where nobody can say now.
        """
        if not self._registry.loaded:
            return [[None] * len(each.clients) for each in lists]
        heard = [each for each in lists if self._registry.may_ask(each.gw_id, key)]
        reports = list({_identity(report): report for report in _reports(heard)}.values())
        outcomes = await self._ledger.settle_list(reports)
        self._log_kicks(zip(reports, outcomes, strict=True))
        if None not in outcomes and not self._ledger.has_just_woken:
            self._compare(heard, {hash_secret(report.token) for report in _reports(lists)}, source)
        found: dict[Client, list[Outcome]] = {}
        for report, outcome in zip(reports, outcomes, strict=True):
            found.setdefault(_client(report), []).append(outcome)
        for report in _reports(each for each in lists if each not in heard):
            found.setdefault(_client(report), []).append(refuse(Refusal.GATEWAY_NOT_ADOPTED))
        return [[_code(client.report, found) for client in each.clients] for each in lists]

    def _compare(self, lists: Iterable[ClientList], token_hashes: set[bytes], source: str) -> None:
        """Have the sessions ended that complete lists leave out; the answer does not wait for it."""
        for each in lists:
            gateway = self._registry.gateway(each.gw_id)
            if each.is_complete and gateway is not None:
                proof = None if gateway.key_hashes else source
                work = ensureDeferred(self._departures.compare(each.gw_id, token_hashes, proof))
                _ = work.addErrback(lambda failure: log.failure("comparing a list of clients failed", failure))

    def _log_kicks(self, settled: Iterable[tuple[Report, Outcome]]) -> None:
        """Log why guests are kept out, and how many reports could not be settled."""
        unsettled = 0
        for report, decision in settled:
            if decision is None:
                unsettled += 1
            elif decision.refusal is not Refusal.WRONG_GATEWAY:
                log_decision(self._log, report, decision)
        if unsettled:
            self._log.warn("cannot settle {count} reports of a list, guests are left as they are", count=unsettled)


def _reports(lists: Iterable[ClientList]) -> Iterable[Report]:
    return (client.report for each in lists for client in each.clients if client.report is not None)


def _client(report: Report) -> Client:
    return report.token, report.mac, report.ip


def _identity(report: Report) -> tuple[str | None, Client]:
    return report.gw_id, _client(report)


def _code(report: Report | None, found: Mapping[Client, Sequence[Outcome]]) -> AuthCode | None:
    """
    Return what a client is answered, whichever of the lists it is in.

    The gateway of its session decides; if that one may not be asked, nobody denies the client.
    """
    if report is None:
        return AuthCode.ERROR
    outcomes = found[_client(report)]
    accepted = [each.code for each in outcomes if each is not None and each.refusal is None]
    if accepted or None in outcomes:
        return accepted[0] if accepted else None
    refusals = {each.refusal for each in outcomes if each is not None}
    may_be_elsewhere = Refusal.GATEWAY_NOT_ADOPTED in refusals and refusals <= _ELSEWHERE
    return AuthCode.ERROR if may_be_elsewhere else AuthCode.DENIED
