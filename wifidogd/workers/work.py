"""The life of a worker, from its orders to its end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.logger import globalLogBeginner

from wifidogd.errors import ConfigurationError
from wifidogd.options import checked_endpoint
from wifidogd.service import AuthServer, Place
from wifidogd.watchdog import Watchdog
from wifidogd.workers.inherited import FIRST_SOCKET, WORDS, InheritedPorts, Leash
from wifidogd.workers.talk import ALIVE_EVERY, Kind, Orders, Word, read_orders
from wifidogd.workers.voice import Voice

Build = Callable[[Mapping[str, Any], Place, Any], AuthServer]
"""Makes the server of options, a place and a reactor."""


def work(line: bytes, build: Build, reactor: Any, watchdog: Watchdog) -> int:
    """
    Be a worker until the parent lets go, or a SIGTERM comes.

    @param line: its orders.
    @return: the exit status: 1 if it could not start.
    """
    orders = read_orders(line)
    voice = Voice(WORDS)
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


def _show_life(voice: Voice, reactor: Any) -> None:
    """Tell the parent now and then that the reactor turns."""
    voice.say(Word(Kind.ALIVE))
    reactor.callLater(ALIVE_EVERY, _show_life, voice, reactor)


def _place(orders: Orders, voice: Voice, reactor: Any, watchdog: Watchdog) -> Place:
    return Place(
        number=orders.number,
        count=orders.count,
        ports=InheritedPorts(reactor, enumerate(orders.families, FIRST_SOCKET)),
        up=lambda: voice.say(Word(Kind.UP)),
        watchdog=watchdog,
        refuse=lambda problem: voice.say(Word(Kind.REFUSED, problem)),
    )
