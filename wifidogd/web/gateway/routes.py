"""
C{/ping} and C{/auth}, which gateways call.

Gateways read the body and ignore the status, which is for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import BAD_REQUEST, FORBIDDEN, NOT_FOUND, NOT_IMPLEMENTED, OK, SERVICE_UNAVAILABLE
from twisted.web.iweb import IRequest
from werkzeug.exceptions import Forbidden, HTTPException

from wifidogd.accounting.ledger import Ledger
from wifidogd.domain.activity import ActivityKind, NoteActivity, clock_seen
from wifidogd.domain.decisions import Decision, Refusal
from wifidogd.domain.errors import MalformedRequest, MisnamedGateway, Overloaded, StoreError
from wifidogd.domain.gateways import WaitingGateway, is_absent
from wifidogd.domain.sessions import AuthCode, Report, Stage, UtcNow
from wifidogd.gateways.devices import Devices
from wifidogd.gateways.heartbeats import Heartbeats
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.web.gateway.classic import auth_line, unsettled_line
from wifidogd.web.gateway.dialects import Query, read_dialect, read_report
from wifidogd.web.gateway.pings import PONG, read_heartbeat, read_version
from wifidogd.web.server.cross_site import foreign_origin
from wifidogd.web.server.query import find_gw_id, read_query
from wifidogd.web.server.request import query_of, source_of

log = Logger()

UNSUPPORTED = {"counters_v2": b'{"result":[]}'}
"""Stages that are not supported, with the answer that changes nothing for their guests (docs/protocol.md 3.1)."""


class GatewayPages:
    """The pages that gateways call."""

    app = Klein()

    def __init__(
        self,
        ledger: Ledger,
        registry: Registry,
        heartbeats: Heartbeats,
        devices: Devices,
        note_activity: NoteActivity,
        *,
        clock: IReactorTime,
        utc_now: UtcNow,
    ) -> None:
        self._ledger = ledger
        self._registry = registry
        self._heartbeats = heartbeats
        self._devices = devices
        self._note_activity = note_activity
        self._utc_now = utc_now
        self._log = RateLimitedLog(log, clock)

    @app.route("/ping", strict_slashes=False, merge_slashes=False)
    @app.route("/ping/<key>", strict_slashes=False, merge_slashes=False)
    def ping(self, request: IRequest, key: str | None = None) -> bytes:
        """
        Answer C{Pong}, whatever the database does; refuse a caller without the gateway's key.

        Some gateways open the network to strangers without it (docs/protocol.md 6.3).
        """
        _refuse_other_sites(request)
        query = read_query(query_of(request))
        try:
            heartbeat = read_heartbeat(query, _user_agent(request), source_of(request), self._utc_now())
        except MisnamedGateway as problem:
            return self._answer_misnamed(request, problem, is_gateway=not is_absent(query.get("gw_id", "")))
        gw_ids = self._pinging(query, heartbeat.gw_id)
        welcome = [gw_id for gw_id in gw_ids if self._may_ping(gw_id, key or query.get("k"))]
        if gw_ids and not welcome:
            self._log.warn("ping of {gw_id} refused: its key is missing or wrong", gw_id=heartbeat.gw_id)
            return _plain(request, b"The key of this gateway is missing or wrong.\n", FORBIDDEN)
        for gw_id in welcome:
            self._heartbeats.beat(replace(heartbeat, gw_id=gw_id))
            self._note_key(gw_id)
        self._learn_device(query, key, source_of(request))
        return _plain(request, PONG)

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
            return _plain(request, PONG)
        self._heartbeats.wait(
            WaitingGateway(problem.shown, now, now, source, version=read_version(_user_agent(request)))
        )
        return _plain(request, PONG)

    @app.route("/auth", strict_slashes=False, merge_slashes=False)
    @app.route("/auth/<key>", strict_slashes=False, merge_slashes=False)
    def auth(self, request: IRequest, key: str | None = None) -> bytes | Deferred[bytes]:
        """Settle one report and answer with a verdict line."""
        _refuse_other_sites(request)
        query = read_query(query_of(request))
        if query.get("stage") in UNSUPPORTED:
            return _plain(request, UNSUPPORTED[query["stage"]], NOT_IMPLEMENTED)
        report = read_report(query, read_dialect(_user_agent(request)), key)
        self._learn_device(query, key, source_of(request))
        told = (request, report, query)
        return self._ledger.settle(report).addCallbacks(self._answer, self._answer_unsettled, told, {}, told)

    def _answer(self, decision: Decision, request: IRequest, report: Report, query: Query) -> bytes:
        self._note_report(query, report, decision)
        self._log_end(report, decision)
        is_unknown = decision.refusal is Refusal.GATEWAY_NOT_ADOPTED
        return _plain(request, auth_line(decision.code), FORBIDDEN if is_unknown else OK)

    def _answer_unsettled(self, failure: Failure, request: IRequest, report: Report, query: Query) -> bytes:
        failure.trap(StoreError, Overloaded)
        problem = failure.value
        self._log.warn("cannot settle reports, guests are left as they are: {problem}", problem=problem)
        return _plain(request, unsettled_line(report.stage), SERVICE_UNAVAILABLE)

    def _log_end(self, report: Report, decision: Decision) -> None:
        """Log why a guest is kept out; an allowed one is not logged."""
        token, gw_id = report.token[:6], report.gw_id
        if decision.refusal is not None:
            why = decision.refusal.value
            self._log.warn("token {token} refused at {gw_id}: {why}", token=token, gw_id=gw_id, why=why)
        elif decision.reason is not None:
            why = decision.reason.value
            self._log.info("session {token} at {gw_id} ended: {why}", token=token, gw_id=gw_id, why=why)

    @app.handle_errors(MalformedRequest)
    def _malformed(self, request: IRequest, failure: Failure) -> bytes:
        """Refuse in a form that gateways read; one that cannot exist counts as not adopted."""
        problem = failure.value
        source = source_of(request)
        self._log.warn("unreadable request from {source}: {problem}", source=source, problem=problem)
        if isinstance(problem, MalformedRequest) and problem.parameter == "gw_id":
            return _plain(request, auth_line(AuthCode.DENIED), FORBIDDEN)
        return _plain(request, auth_line(AuthCode.ERROR), BAD_REQUEST)

    @app.handle_errors(HTTPException)
    def _elsewhere(self, request: IRequest, failure: Failure) -> bytes:
        """Refuse paths and methods that no gateway uses."""
        code = failure.value.code if isinstance(failure.value, HTTPException) else None
        return _plain(request, auth_line(AuthCode.ERROR), code or NOT_FOUND)

    @app.handle_errors(Exception)
    def _unexpected(self, request: IRequest, failure: Failure) -> bytes:
        """Leave the guest as they are when the fault is ours."""
        self._log.failure("a gateway's request failed", failure)
        return _plain(request, auth_line(AuthCode.ERROR), SERVICE_UNAVAILABLE)


def _refuse_other_sites(request: IRequest) -> None:
    """
    Refuse what a website has a guest's browser send from the gateway's address.

    @raise Forbidden: for a form of another site; gateways send no form.
    """
    if request.method == b"POST" and foreign_origin(request) is not None:
        raise Forbidden


def _user_agent(request: IRequest) -> str:
    return (request.getHeader(b"user-agent") or b"").decode("utf-8", "replace")


def _plain(request: IRequest, body: bytes, code: int = OK) -> bytes:
    """
    Return a body in one piece: a chunk boundary could split what a gateway looks for (docs/protocol.md 6.1).

    Nothing in between may keep it: an old answer is none, and may be another guest's.
    """
    request.setResponseCode(code)
    request.setHeader(b"cache-control", b"no-store")
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return body
