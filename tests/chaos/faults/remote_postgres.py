"""
A PostgreSQL that is reached over a network, in a namespace of its own, and the network can turn into a black hole.

Needs root, and iproute2 alone: where packets ought to go is changed in the table of neighbours at both ends, so that
each is delivered to somebody who does not take it.  Nobody is told; firewalls and unplugged cables are like that.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.postgres import ThrowawayPostgres
from tests.support.testbed.server_process import ServerProcess, expect_root
from tests.support.testbed.testbed import Testbed

NOBODY = "02:00:00:00:de:ad"
"""A hardware address that no card here has."""


class Wire:
    """
    A pair of virtual network cards, one here and one in a namespace.

    @ivar namespace: its name.
    @ivar here: address of our end; C{there} that of the other one, from RFC 2544's range for tests.
    """

    def __init__(self, number: int) -> None:
        """@param number: 0 to 16383, used by nobody else on this machine."""
        self.namespace = f"chaos-{number}"
        self._ours, self._theirs = f"chaos{number}a", f"chaos{number}b"
        beginning = f"198.18.{number // 64}"
        self.here, self.there = f"{beginning}.{number % 64 * 4 + 1}", f"{beginning}.{number % 64 * 4 + 2}"

    def lay(self) -> None:
        """Make the namespace and connect it."""
        expect_root("A network of its own")
        _ip("netns", "add", self.namespace)
        _ip("link", "add", self._ours, "type", "veth", "peer", "name", self._theirs, "netns", self.namespace)
        _ip("addr", "add", f"{self.here}/30", "dev", self._ours)
        _ip("link", "set", self._ours, "up")
        self._there("addr", "add", f"{self.there}/30", "dev", self._theirs)
        self._there("link", "set", self._theirs, "up")

    def remove(self) -> None:
        """Delete the namespace, and the cards with it."""
        _ip("netns", "delete", self.namespace)

    def lose_everything(self) -> None:
        """Swallow every packet from now on, either way."""
        _ip("neighbour", "replace", self.there, "lladdr", NOBODY, "dev", self._ours, "nud", "permanent")
        self._there("neighbour", "replace", self.here, "lladdr", NOBODY, "dev", self._theirs, "nud", "permanent")

    def mend(self) -> None:
        """Undo L{lose_everything}."""
        _ip("neighbour", "delete", self.there, "dev", self._ours)
        self._there("neighbour", "delete", self.here, "dev", self._theirs)

    def _there(self, *words: str) -> None:
        _ip("-n", self.namespace, *words)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class RemotePostgres(ThrowawayPostgres):
    """
    Runs at the far end of a wire.

    Its socket is here all the same, so that tests reach it whatever happens to the network.

    @ivar wire: to there.
    """

    def __init__(self, home: Path, settings: Mapping[str, str], wire: Wire) -> None:
        super().__init__(home, {"listen_addresses": wire.there} | settings)
        self.wire = wire
        self._owner, self._drop = self._drop, {}
        with open(home / "data" / "pg_hba.conf", "a") as rules:
            rules.write(f"host all all {wire.here}/32 trust\n")

    def distant(self, dsn: str) -> str:
        """Return the DSN of one of its databases, by the network."""
        return dsn.replace(f"host={self._home}", f"host={self.wire.there}")

    def _command(self) -> list[str | Path]:
        user, group = (str(self._owner[name]) for name in ("user", "group"))
        as_owner = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]
        return ["ip", "netns", "exec", self.wire.namespace, *as_owner, *super()._command()]


class RemoteTestbed(Testbed):
    """
    A testbed whose servers reach their database over a network.

    @ivar wire: the network.
    """

    postgres: RemotePostgres

    def __init__(self, settings: Mapping[str, str] = {}) -> None:
        self.wire = Wire(os.getpid() % 16384)
        self.wire.lay()
        super().__init__(settings, partial(RemotePostgres, wire=self.wire))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        self.wire.remove()

    def wifidogd(self, dsn: str | None, *options: str, **more: Any) -> ServerProcess:
        """As L{Testbed.wifidogd}; C{dsn} is that of the socket."""
        return super().wifidogd(dsn and self.postgres.distant(dsn), *options, **more)


@contextmanager
def cut_off(postgres: RemotePostgres, dsn: str) -> Iterator[None]:
    """Lose every packet between the servers and it, either way."""
    postgres.wire.lose_everything()
    yield
    postgres.wire.mend()
