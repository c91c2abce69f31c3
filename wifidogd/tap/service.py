"""What C{twistd wifidogd} calls: one process that serves, or the parent of several workers."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from wifidogd.domain.errors import ConfigurationError
from wifidogd.domain.server_address import ServerAddress
from wifidogd.domain.sessions import UtcNow
from wifidogd.domain.tokens import mint_token
from wifidogd.gateways.router_config import first_steps
from wifidogd.runtime.process import take_charge
from wifidogd.runtime.systemd import Systemd, described
from wifidogd.server import AuthServer, WorkerIdentity
from wifidogd.settings import Options, Settings, ctl_command
from wifidogd.store.embedded.data_directory import CLUSTER
from wifidogd.store.embedded.ownership import choose_owner, hand_over, owner_of
from wifidogd.tap.assembly import auth_server, endpoints, server_address, utc_now
from wifidogd.tap.common import private_cluster
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
    watchdog, systemd, is_the_process = None, Systemd({}), reactor is None
    if reactor is None:
        make_way_for(options.next_user, settings)
        from twisted.internet import reactor as running

        reactor, watchdog, systemd = running, take_charge(running), Systemd(os.environ)
        systemd.attend(reactor)
    on_ready = partial(announce, settings, server_address(settings), systemd)
    service: AuthServer | Workers
    if settings.workers == 1:
        identity = WorkerIdentity(1, 1, reactor, on_ready, watchdog)
        service = auth_server(settings, identity, reactor, utc_now=utc_now, mint=mint)
    else:
        cluster, ports = private_cluster(settings, reactor), endpoints(settings, reactor)
        inherited = replace(settings, listen=tuple(described(text) for text in settings.listen))
        service = Workers(inherited, cluster, ports, on_ready=on_ready, reactor=reactor)
    if is_the_process:
        atexit.register(service.exit_with_status)
    return service


def make_way_for(user: tuple[int, int | None] | None, settings: Settings) -> None:
    """
    Prepare, while still root, what a user needs whom twistd is about to become (C{--uid}).

    @param user: number, and that of the group or None for the user's own; None if nobody becomes anybody.
    @raise SystemExit: with a sentence, if this user cannot run the server.
    """
    if user is None or os.geteuid() != 0:
        return
    try:
        owner, python = owner_of(*user), Path(sys.executable)
        if (settings.database is None or settings.workers > 1) and not owner.can_execute(python):
            raise ConfigurationError(
                f"{owner.name} may not run {python}, which PostgreSQL and workers are started with: install wifidogd "
                "where every user may read it, such as /opt/wifidogd, or use --database and one process."
            )
        if settings.database is None:
            hand_over(settings.data_dir, owner)
    except (ConfigurationError, KeyError, OSError) as problem:
        why = f"there is no user {user[0]}" if isinstance(problem, KeyError) else problem
        sys.exit(f"wifidogd cannot start: {why}")


def announce(settings: Settings, address: ServerAddress, systemd: Systemd) -> None:
    """Tell the operator, and systemd, that guests can be served."""
    ctl = ctl_command(settings.data_dir, settings.database)
    log.info("{text}", text=first_steps(address.url, address.path, ctl))
    if os.geteuid() == 0:
        user = "USER" if settings.database else choose_owner(settings.data_dir / CLUSTER).name
        log.warn(
            "wifidogd runs as root and need not: use twistd --uid {user}, or the unit in docs/wifidogd.service.",
            user=user,
        )
    systemd.notify("READY=1", f"STATUS=serving guests at {address.url}")
