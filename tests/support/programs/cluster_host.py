"""
Stands in for wifidogd where a test must kill it: a process with a reactor and one L{Cluster}.

C{python -m tests.support.programs.cluster_host DATA_DIR [--guarded] [--as UID GID PYTHON LAUNCH]} prints one line of
JSON, the DSN or the refusal, and runs until SIGTERM or SIGINT.  With --as it is that user, PYTHON and LAUNCH being an
interpreter and a copy of launch.py which that user can read.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred

from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.embedded import launch
from wifidogd.store.embedded.cluster import Cluster


async def run(cluster: Cluster) -> None:
    """Start and tell."""
    try:
        answer = {"dsn": await cluster.start()}
    except ConfigurationError as problem:
        answer = {"refusal": str(problem)}
    print(json.dumps(answer), flush=True)


def main(data_dir: str, *options: str) -> None:
    """Run until a signal stops the reactor."""
    if "--as" in options:
        uid, gid, python, launcher = options[options.index("--as") + 1 :]
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
        sys.executable, launch.__file__ = python, launcher
    cluster = Cluster(Path(data_dir), reactor=reactor, guarded="--guarded" in options)  # type: ignore[arg-type]

    def stop() -> Deferred[None]:
        return ensureDeferred(cluster.stop())

    reactor.addSystemEventTrigger("before", "shutdown", stop)  # type: ignore[attr-defined]
    reactor.callWhenRunning(lambda: ensureDeferred(run(cluster)))  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(*sys.argv[1:])
