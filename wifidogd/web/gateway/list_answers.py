"""Answers to requests that report all clients of gateways at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import BAD_REQUEST, FORBIDDEN, OK, SERVICE_UNAVAILABLE

from wifidogd.accounting.list_settlement import ClientLists
from wifidogd.domain.errors import MalformedRequest
from wifidogd.domain.reports.client_lists import ClientList
from wifidogd.domain.sessions import AuthCode
from wifidogd.gateways.devices import Devices
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.web.gateway import apfree_v2, wifidog_ng_1
from wifidogd.web.server.query import find_gw_id

log = Logger()

Answer = tuple[bytes, int]
"""The body, which gateways read, and the status, which people do."""


class ListRequest(NamedTuple):
    """
    A request with lists of clients.

    @ivar gw_id: of the query; apfree-wifidog names its gateways in the body instead.
    @ivar key: from the path or the query; None for none.
    @ivar source: the address it came from.
    """

    stage: str
    gw_id: str | None
    key: str | None
    source: str
    body: bytes


class ListAnswers:
    """Settles such requests; whatever goes wrong is answered so that all guests stay as they are."""

    def __init__(
        self,
        lists: ClientLists,
        registry: Registry,
        devices: Devices,
        note: Callable[[str], None],
        *,
        clock: IReactorTime,
    ) -> None:
        """
        @param note: is told of each gateway, by gw_id, of which a list with clients was settled.
        """
        self._lists = lists
        self._registry = registry
        self._devices = devices
        self._note = note
        self._log = RateLimitedLog(log, clock)

    async def answer(self, request: ListRequest) -> Answer:
        """Return the answer in the dialect of the request."""
        is_apfree = request.stage == apfree_v2.STAGE
        try:
            return await (self._answer_apfree(request) if is_apfree else self._answer_wifidog_ng(request))
        except MalformedRequest as problem:
            self._log.warn("unreadable list from {source}: {problem}", source=request.source, problem=problem)
            status = BAD_REQUEST
        except Exception:
            self._log.failure("a list of clients could not be settled", Failure())
            status = SERVICE_UNAVAILABLE
        return apfree_v2.UNCHANGED if is_apfree else wifidog_ng_1.UNCHANGED, status

    async def _answer_apfree(self, request: ListRequest) -> Answer:
        report = apfree_v2.read_report(request.body, request.key)
        if report.device_id is not None:
            gw_ids = [each.gw_id for each in report.lists]
            self._devices.learn(report.device_id, gw_ids, request.source, request.key)
        codes = await self._lists.settle(report.lists, request.key, request.source)
        if _is_unsettled(codes):
            return apfree_v2.UNCHANGED, SERVICE_UNAVAILABLE
        return apfree_v2.write_answer(report, codes), self._settled(report.lists, request.key)

    async def _answer_wifidog_ng(self, request: ListRequest) -> Answer:
        gw_id = find_gw_id(request.gw_id)
        if gw_id is None:
            raise MalformedRequest("gw_id", "is missing, or none that a gateway can have")
        clients = wifidog_ng_1.read_list(request.body, gw_id, request.key)
        [codes] = await self._lists.settle([clients], request.key, request.source)
        if _is_unsettled([codes]):
            return wifidog_ng_1.UNCHANGED, SERVICE_UNAVAILABLE
        return wifidog_ng_1.write_answer(clients, codes), self._settled([clients], request.key)

    def _settled(self, lists: Sequence[ClientList], key: str | None) -> int:
        """Note whose lists were settled; tell people where no gateway is adopted, or the key of each is wrong."""
        heard = [each for each in lists if self._registry.may_ask(each.gw_id, key)]
        for each in heard:
            if each.clients:
                self._note(each.gw_id)
        return OK if heard or not lists else FORBIDDEN


def _is_unsettled(codes: Sequence[Sequence[AuthCode | None]]) -> bool:
    """Return whether nobody can say anything of the clients, of whom there are some."""
    given = [code for each in codes for code in each]
    return bool(given) and all(code is None for code in given)
