"""wifidogd behind pgbouncer, set up as the documentation has it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType

from psycopg2.extensions import make_dsn, parse_dsn

from tests.chaos.faults.postgres import stopped
from tests.chaos.load.load import TWO_HUNDRED
from tests.chaos.report.trial_result import TrialResult
from tests.chaos.trials.database_faults import Trouble, suffer
from tests.chaos.trials.database_promises import Limits, rows
from tests.support.checkout import ROOT
from tests.support.postgres import ThrowawayPostgres, execute
from tests.support.testbed.server_process import accepts, free_port
from tests.support.testbed.testbed import Testbed
from wifidogd.store.driver.dsn import LIMITS

DOCUMENTED = ROOT / "docs" / "pgbouncer.ini"
"""What is tested is what operators copy."""

LIMITS_BEHIND = Limits(page=16.0, recovery=10.0)
"""What is promised: connections stay open while the database is away, so that each transaction of a page waits."""

START_WITHIN = 10.0

OWN = ("timezone", "client_min_messages")
"""Settings that need not be the role's: what comes without them is read as well."""


class Pooler:
    """
    A pgbouncer in front of one database; to be entered by C{with}.

    @ivar dsn: how to reach the database through it.
    """

    def __init__(self, postgres: ThrowawayPostgres, dsn: str, home: Path, mode: str = "transaction") -> None:
        """
        @param dsn: of the database at C{postgres}.
        @param home: a directory that others may reach.
        @param mode: C{pool_mode}.
        """
        database = parse_dsn(dsn)["dbname"]
        self._port = free_port()
        self.dsn = make_dsn(host="127.0.0.1", port=self._port, user="tester", dbname=database)
        self._owner = postgres.owner
        self._file = home / f"pgbouncer-{mode}.ini"
        users = home / "userlist.txt"
        users.write_text('"tester" ""\n')
        self._file.write_text(
            configuration(
                {
                    "wifidogd = host=10.0.0.21 port=5432": f"{database} = host={postgres.socket.parent} port=5432",
                    "listen_port = 6432": f"listen_port = {self._port}\nunix_socket_dir =",
                    "auth_type = scram-sha-256": "auth_type = trust",
                    "/etc/pgbouncer/userlist.txt": str(users),
                    "pool_mode = transaction": f"pool_mode = {mode}",
                }
            )
        )

    def __enter__(self) -> Pooler:
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            raise RuntimeError("this needs pgbouncer: apt install pgbouncer")
        log = self._file.with_suffix(".log")
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                [program, str(self._file)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                extra_groups=[] if self._owner else None,
                **self._owner,
            )
        give_up = time.monotonic() + START_WITHIN
        while not accepts(self._port):
            if time.monotonic() > give_up or self._process.poll() is not None:
                raise RuntimeError(f"pgbouncer did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(START_WITHIN)


def configuration(changes: dict[str, str]) -> str:
    """
    Take the documented configuration, with what is different here.

    @raise RuntimeError: if the documentation does not say any more what is to be changed.
    """
    text = DOCUMENTED.read_text()
    for there, here in changes.items():
        if there not in text:
            raise RuntimeError(f"{DOCUMENTED} does not say {there!r} any more")
        text = text.replace(there, here)
    return text


def limits_of_the_role(role: str) -> list[str]:
    """Write the statements that set our limits where a pooler does not pass them on."""
    return [f"ALTER ROLE {role} SET {name} = '{value}'" for name, value in LIMITS.items() if name not in OWN]


class PooledTestbed(Testbed):
    """A testbed whose servers reach PostgreSQL through pgbouncer."""

    def create_database(self) -> str:
        """Make an empty database, and a pgbouncer in front of it; return the DSN through that."""
        dsn = super().create_database()
        execute(dsn, *limits_of_the_role("tester"))
        self._pooler = Pooler(self.postgres, dsn, self.home).__enter__()
        return self._pooler.dsn

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end_servers()
        self._pooler.__exit__(kind, error, traceback)
        super().__exit__(kind, error, traceback)


def pooler() -> list[TrialResult]:
    """Stop the database behind pgbouncer, under two hundred requests a second."""
    with PooledTestbed() as testbed:
        trouble = Trouble("PostgreSQL stopped for 15 s behind pgbouncer in transaction mode", stopped, 15)
        return rows(suffer(testbed, [trouble], TWO_HUNDRED, before=20, after=15), LIMITS_BEHIND)


TRIALS = {"pooler": pooler}
