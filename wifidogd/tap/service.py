"""What C{twistd wifidogd} calls: one process that serves, or the parent of several workers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from twisted.logger import Logger

from wifidogd.domain.server_address import ServerAddress
from wifidogd.domain.sessions import UtcNow
from wifidogd.domain.tokens import mint_token
from wifidogd.gateways.router_config import first_steps
from wifidogd.runtime.endpoints import ctl_command
from wifidogd.runtime.process import take_charge
from wifidogd.runtime.systemd import Systemd, described
from wifidogd.server import AuthServer, WorkerIdentity
from wifidogd.settings import Options, Settings, default_data_dir
from wifidogd.tap.assembly import auth_server, endpoints, private_cluster, server_address, utc_now
from wifidogd.workers.supervisor import Workers

log = Logger()


def makeService(
    options: Options, reactor: Any = None, *, utc_now: UtcNow = utc_now, mint: Callable[[], str] = mint_token
) -> AuthServer | Workers:
    """
    Make the server; nothing connects or listens until it is started.

    @param reactor: for tests; the global reactor otherwise, named here only.
    @param utc_now: for tests, as is C{mint}, which makes tokens; workers use the wall clock and chance.
    """
    settings = options.settings
    watchdog, systemd = None, Systemd({})
    if reactor is None:
        from twisted.internet import reactor as running

        reactor, watchdog, systemd = running, take_charge(running), Systemd(os.environ)
        systemd.attend(reactor)
    on_ready = partial(announce, settings, server_address(settings), systemd)
    if settings.workers == 1:
        identity = WorkerIdentity(1, 1, reactor, on_ready, watchdog)
        return auth_server(settings, identity, reactor, utc_now=utc_now, mint=mint)
    cluster, ports = private_cluster(settings, reactor), endpoints(settings, reactor)
    inherited = replace(settings, listen=tuple(described(text) for text in settings.listen))
    return Workers(inherited, cluster, ports, on_ready=on_ready, reactor=reactor)


def announce(settings: Settings, address: ServerAddress, systemd: Systemd) -> None:
    """Tell the operator, and systemd, that guests can be served."""
    ctl = ctl_command(None if settings.data_dir == default_data_dir() else settings.data_dir)
    log.info("{text}", text=first_steps(address.url, address.path, ctl))
    if os.geteuid() == 0:
        log.warn("wifidogd runs as root and need not: use twistd --uid USER, or the unit in docs/wifidogd.service.")
    systemd.notify("READY=1", f"STATUS=serving guests at {address.url}")
