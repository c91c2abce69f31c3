"""The life of a worker, from its orders to its end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.logger import globalLogBeginner

from wifidogd.domain.errors import ConfigurationError
from wifidogd.runtime.watchdog import Watchdog
from wifidogd.server import AuthServer, WorkerIdentity
from wifidogd.settings import checked_endpoint
from wifidogd.workers.inherited_sockets import FIRST_SOCKET, WORDS, InheritedPorts, Leash
from wifidogd.workers.log_pipe import LogPipe
from wifidogd.workers.messages import ALIVE_EVERY, Kind, Message, Orders, read_orders

Build = Callable[[Mapping[str, Any], WorkerIdentity, Any], AuthServer]
"""Makes the server of options, a place and a reactor."""


def work(line: bytes, build: Build, reactor: Any, watchdog: Watchdog) -> int:
    """
    Be a worker until the parent lets go, or a SIGTERM comes.

    @param line: its orders.
    @return: the exit status: 1 if it could not start.
    """
    orders = read_orders(line)
    voice = LogPipe(WORDS)
    globalLogBeginner.beginLoggingTo([voice], redirectStandardIO=False)
    place = _place(orders, voice, reactor, watchdog)
    try:
        for text in orders.options["listen"]:
            checked_endpoint(text)
        server = build(orders.options, place, reactor)
    except ConfigurationError as problem:
        place.refuse(str(problem))
        return 1

    def stop() -> None:
        with suppress(ReactorNotRunning):
            reactor.stop()

    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(stop))
    Leash(reactor, stop).startReading()
    reactor.callWhenRunning(server.startService)
    reactor.callWhenRunning(_show_life, voice, reactor)
    reactor.addSystemEventTrigger("before", "shutdown", server.stopService)
    reactor.run(installSignalHandlers=False)
    return int(server.has_failed)


def _show_life(voice: LogPipe, reactor: Any) -> None:
    """Tell the parent now and then that the reactor turns."""
    voice.say(Message(Kind.ALIVE))
    reactor.callLater(ALIVE_EVERY, _show_life, voice, reactor)


def _place(orders: Orders, voice: LogPipe, reactor: Any, watchdog: Watchdog) -> WorkerIdentity:
    return WorkerIdentity(
        number=orders.number,
        count=orders.count,
        ports=InheritedPorts(reactor, enumerate(orders.families, FIRST_SOCKET)),
        up=lambda: voice.say(Message(Kind.UP)),
        watchdog=watchdog,
        refuse=lambda problem: voice.say(Message(Kind.REFUSED, problem)),
    )
