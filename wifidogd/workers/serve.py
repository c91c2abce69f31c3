"""The life of a worker, from its orders to its end."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.logger import globalLogBeginner

from wifidogd.domain.errors import ConfigurationError
from wifidogd.runtime.watchdog import Watchdog
from wifidogd.server import AuthServer, WorkerIdentity
from wifidogd.settings import Settings, checked_endpoint
from wifidogd.workers.inherited_sockets import FIRST_SOCKET, MESSAGES, InheritedPorts, ParentWatch
from wifidogd.workers.log_pipe import LogPipe
from wifidogd.workers.messages import ALIVE_EVERY, Kind, Message, Orders, read_orders

Build = Callable[[Settings, WorkerIdentity, Any], AuthServer]
"""Makes the server from its settings, its identity and a reactor."""


def work(line: bytes, build: Build, reactor: Any, watchdog: Watchdog) -> int:
    """
    Serve until the parent closes its pipe, or a SIGTERM comes.

    @param line: the orders.
    @return: the exit status: 1 if the server could not start.
    """
    orders = read_orders(line)
    parent = LogPipe(MESSAGES)
    globalLogBeginner.beginLoggingTo([parent], redirectStandardIO=False)
    identity = _identity(orders, parent, reactor, watchdog)
    try:
        for text in orders.settings.listen:
            checked_endpoint(text)  # files of certificates may have gone since the parent looked
        server = build(orders.settings, identity, reactor)
    except ConfigurationError as problem:
        identity.refuse(str(problem))
        return 1

    def stop() -> None:
        with suppress(ReactorNotRunning):
            reactor.stop()

    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(stop))
    ParentWatch(reactor, stop).startReading()
    reactor.callWhenRunning(server.startService)
    reactor.callWhenRunning(_show_life, parent, reactor)
    reactor.addSystemEventTrigger("before", "shutdown", server.stopService)
    reactor.run(installSignalHandlers=False)
    return int(server.has_failed)


def _show_life(parent: LogPipe, reactor: Any) -> None:
    """Tell the parent every L{ALIVE_EVERY} seconds that the reactor turns."""
    parent.send(Message(Kind.ALIVE))
    reactor.callLater(ALIVE_EVERY, _show_life, parent, reactor)


def _identity(orders: Orders, parent: LogPipe, reactor: Any, watchdog: Watchdog) -> WorkerIdentity:
    return WorkerIdentity(
        number=orders.number,
        count=orders.count,
        ports=InheritedPorts(reactor, enumerate(orders.families, FIRST_SOCKET)),
        on_ready=lambda: parent.send(Message(Kind.UP)),
        watchdog=watchdog,
        refuse=lambda problem: parent.send(Message(Kind.REFUSED, problem)),
    )
