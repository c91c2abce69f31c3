"""
C{/ping} and C{/auth}, which gateways call.

Gateways read the body and ignore the status, which is for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from klein import Klein
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import BAD_REQUEST, FORBIDDEN, NOT_FOUND, OK, SERVICE_UNAVAILABLE
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException

from wifidogd.access.roaming import Roaming
from wifidogd.accounting.decision_log import log_decision
from wifidogd.accounting.ledger import Ledger
from wifidogd.accounting.list_settlement import ClientLists
from wifidogd.domain.decisions import Decision, Refusal
from wifidogd.domain.errors import MalformedRequest, MisnamedGateway, Overloaded, StoreError
from wifidogd.domain.gateways import WaitingGateway, is_absent
from wifidogd.domain.reports.activity import ActivityKind, NoteActivity, clock_seen
from wifidogd.domain.sessions import AuthCode, Report, Stage, UtcNow
from wifidogd.gateways.devices import Devices
from wifidogd.gateways.heartbeats import Heartbeats
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.web.gateway import apfree_v2, wifidog_ng_1
from wifidogd.web.gateway.classic import auth_line, unsettled_line
from wifidogd.web.gateway.dialects import Query, read_dialect, read_report
from wifidogd.web.gateway.http_exchange import body_of, plain, refuse_other_sites, user_agent
from wifidogd.web.gateway.list_answers import ListAnswers, ListRequest
from wifidogd.web.gateway.list_senders import ListSenders
from wifidogd.web.gateway.pings import PONG, read_heartbeat, read_version
from wifidogd.web.gateway.roaming import RoamingAnswers
from wifidogd.web.server.query import find_gw_id, read_query
from wifidogd.web.server.request import query_of, source_of

log = Logger()


class GatewayPages:
    """
    The pages that gateways call.

    @ivar senders: who may send long lists.
    """

    app = Klein()

    def __init__(
        self,
        ledger: Ledger,
        registry: Registry,
        heartbeats: Heartbeats,
        devices: Devices,
        note_activity: NoteActivity,
        roaming: Roaming,
        lists: ClientLists,
        *,
        clock: IReactorTime,
        utc_now: UtcNow,
    ) -> None:
        self._ledger = ledger
        self._registry = registry
        self._heartbeats = heartbeats
        self._devices = devices
        self.senders = ListSenders(registry, clock=clock)
        self._lists = ListAnswers(lists, registry, devices, self._note_list, clock=clock)
        self._note_activity = note_activity
        self._utc_now = utc_now
        self._log = RateLimitedLog(log, clock)
        self._roaming = RoamingAnswers(roaming, ledger, registry, self._log)

    @app.route("/ping", strict_slashes=False, merge_slashes=False)
    @app.route("/ping/<key>", strict_slashes=False, merge_slashes=False)
    def ping(self, request: IRequest, key: str | None = None) -> bytes:
        """
        Answer C{Pong}, whatever the database does; refuse a caller without the gateway's key.

        Some gateways open the network to strangers without it (docs/protocol.md 6.3).
        """
        refuse_other_sites(request)
        query = read_query(query_of(request))
        try:
            heartbeat = read_heartbeat(query, user_agent(request), source_of(request), self._utc_now())
        except MisnamedGateway as problem:
            return self._answer_misnamed(request, problem, is_gateway=not is_absent(query.get("gw_id", "")))
        gw_ids = self._pinging(query, heartbeat.gw_id)
        welcome = [gw_id for gw_id in gw_ids if self._may_ping(gw_id, key or query.get("k"))]
        if gw_ids and not welcome:
            self._log.warn("ping of {gw_id} refused: its key is missing or wrong", gw_id=heartbeat.gw_id)
            return plain(request, b"The key of this gateway is missing or wrong.\n", FORBIDDEN)
        for gw_id in welcome:
            self._heartbeats.beat(replace(heartbeat, gw_id=gw_id))
            self._note_key(gw_id)
        if any(self._registry.gateway(gw_id) is not None for gw_id in welcome):
            self.senders.hear(source_of(request))
        self._learn_device(query, key, source_of(request))
        return plain(request, PONG)

    def _pinging(self, query: Query, name: str) -> Sequence[str]:
        """
        Return the names of the gateways that a ping is about: the one it names, or those on its device.

        @param name: of the gateway, or of the device where it names no gateway.
        """
        if find_gw_id(query.get("gw_id")) is not None or self._registry.gateway(name) is not None:
            return [name]
        return self._devices.gw_ids(name)

    def _may_ping(self, gw_id: str, key: str | None) -> bool:
        return self._registry.gateway(gw_id) is None or self._registry.may_ask(gw_id, key)

    def _note_key(self, gw_id: str) -> None:
        """Note that a gateway was let in that has to show a key."""
        gateway = self._registry.gateway(gw_id)
        if gateway is not None and gateway.key_hashes:
            self._note_activity(gw_id, ActivityKind.KEY)

    def _note_report(self, query: Query, report: Report, decision: Decision) -> None:
        """Note what a gateway has done whose report about a guest was accepted."""
        if decision.session is None:
            return
        gw_id = decision.session.gw_id
        self._note_key(gw_id)
        if report.stage is Stage.LOGIN and decision.reason is None:
            self._note_activity(gw_id, ActivityKind.LOGIN)
            clock = clock_seen(query.get("first_login"), self._utc_now())
            if clock is not None:
                self._note_activity(gw_id, clock)
        elif report.stage is Stage.COUNTERS and report.octets is not None:
            self._note_activity(gw_id, ActivityKind.COUNTERS)

    def _note_list(self, gw_id: str) -> None:
        """Note that a list of a gateway's clients was settled."""
        self._note_key(gw_id)
        self._note_activity(gw_id, ActivityKind.COUNTERS_LIST)

    def _learn_device(self, query: Query, key: str | None, source: str) -> None:
        """Keep which device a gateway is on, if a request names both."""
        device_id, gw_id = find_gw_id(query.get("device_id")), find_gw_id(query.get("gw_id"))
        if device_id is not None and gw_id is not None:
            self._devices.learn(device_id, [gw_id], source, key or query.get("k"))

    def _answer_misnamed(self, request: IRequest, problem: MisnamedGateway, *, is_gateway: bool) -> bytes:
        """
        Answer a ping under a name that cannot be adopted; the gateway waits for its owner to change it.

        @param is_gateway: False if only its device is named, under which guests do not come.
        """
        source, now = source_of(request), self._utc_now()
        self._log.warn("a gateway at {source} cannot be adopted: {problem}", source=source, problem=problem)
        if not is_gateway:
            return plain(request, PONG)
        self._heartbeats.wait(
            WaitingGateway(problem.shown, now, now, source, version=read_version(user_agent(request)))
        )
        return plain(request, PONG)

    @app.route("/auth", strict_slashes=False, merge_slashes=False)
    @app.route("/auth/<key>", strict_slashes=False, merge_slashes=False)
    def auth(self, request: IRequest, key: str | None = None) -> bytes | Deferred[bytes]:
        """Settle one report and answer with a verdict line, or a list of clients and answer in its dialect."""
        refuse_other_sites(request)
        query = read_query(query_of(request))
        stage, body = query.get("stage", ""), body_of(request)
        if stage == apfree_v2.STAGE or wifidog_ng_1.is_spoken(request.method, stage, body):
            listed = ListRequest(stage, query.get("gw_id"), key or query.get("k"), source_of(request), body)
            return ensureDeferred(self._lists.answer(listed)).addCallback(lambda answer: plain(request, *answer))
        if query.get("stage") == "roam":
            return ensureDeferred(self._roam_wifidog_ng(request, query, key or query.get("k")))
        report = read_report(query, read_dialect(user_agent(request)), key)
        self._learn_device(query, key, source_of(request))
        told = (request, report, query)
        return self._ledger.settle(report).addCallbacks(self._answer, self._answer_unsettled, told, {}, told)

    async def _roam_wifidog_ng(self, request: IRequest, query: Query, key: str | None) -> bytes:
        dialect = read_dialect(user_agent(request))
        return plain(request, await self._roaming.answer_wifidog_ng(query, key, dialect))

    @app.route("/roam", strict_slashes=False, merge_slashes=False)
    async def roam(self, request: IRequest) -> bytes:
        """Answer whether a device may go on that has joined another router with apfree-wifidog."""
        refuse_other_sites(request)
        return plain(request, await self._roaming.answer_apfree(read_query(query_of(request))))

    def _answer(self, decision: Decision, request: IRequest, report: Report, query: Query) -> bytes:
        self._note_report(query, report, decision)
        log_decision(self._log, report, decision)
        if decision.session is not None:
            self.senders.hear(source_of(request))
        is_unknown = decision.refusal is Refusal.GATEWAY_NOT_ADOPTED
        return plain(request, auth_line(decision.code), FORBIDDEN if is_unknown else OK)

    def _answer_unsettled(self, failure: Failure, request: IRequest, report: Report, query: Query) -> bytes:
        failure.trap(StoreError, Overloaded)
        problem = failure.value
        self._log.warn("cannot settle reports, guests are left as they are: {problem}", problem=problem)
        return plain(request, unsettled_line(report.stage), SERVICE_UNAVAILABLE)

    @app.handle_errors(MalformedRequest)
    def _malformed(self, request: IRequest, failure: Failure) -> bytes:
        """Refuse in a form that gateways read; one that cannot exist counts as not adopted."""
        problem = failure.value
        source = source_of(request)
        self._log.warn("unreadable request from {source}: {problem}", source=source, problem=problem)
        if isinstance(problem, MalformedRequest) and problem.parameter == "gw_id":
            return plain(request, auth_line(AuthCode.DENIED), FORBIDDEN)
        return plain(request, auth_line(AuthCode.ERROR), BAD_REQUEST)

    @app.handle_errors(HTTPException)
    def _elsewhere(self, request: IRequest, failure: Failure) -> bytes:
        """Refuse paths and methods that no gateway uses."""
        code = failure.value.code if isinstance(failure.value, HTTPException) else None
        return plain(request, auth_line(AuthCode.ERROR), code or NOT_FOUND)

    @app.handle_errors(Exception)
    def _unexpected(self, request: IRequest, failure: Failure) -> bytes:
        """Leave the guest as they are when the fault is ours."""
        self._log.failure("a gateway's request failed", failure)
        return plain(request, auth_line(AuthCode.ERROR), SERVICE_UNAVAILABLE)
