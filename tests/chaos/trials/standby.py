"""
Two PostgreSQL, the second a synchronous streaming standby that takes over, and a wifidogd that has to follow.

Whoever promotes a standby (Patroni, a managed service, an operator) sees to it that the old primary is no more; here it
is killed in any case.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from tests.chaos.load.load import TWO_HUNDRED, Scale
from tests.chaos.report.trial_result import TrialResult
from tests.chaos.trials.database_faults import Trouble, suffer
from tests.chaos.trials.database_promises import Limits, rows
from tests.support.postgres import ThrowawayPostgres, execute
from tests.support.testbed.testbed import DURABLE, Testbed

LIMITS = Limits(page=10.5, recovery=10.0)
"""What is promised: a guest's form may wait for a COMMIT twice, and recovery counts from the end of the promotion."""

IN_STEP_WITHIN = 20.0


class Standby(ThrowawayPostgres):
    """A copy of a PostgreSQL that follows it."""

    def __init__(self, home: Path, primary: ThrowawayPostgres) -> None:
        """@param primary: running."""
        self._primary = primary
        super().__init__(home, DURABLE)

    def promote(self) -> None:
        """Make it a primary and wait until it is one."""
        self._run("pg_ctl", "promote", "-w", "-D", self._home / "data")

    def _make(self) -> None:
        """Copy the primary."""
        source = f"host={self._primary.socket.parent} user=tester application_name=standby"
        self._run("pg_basebackup", "-D", self._home / "data", "-d", source, "-R", "-X", "stream", "-c", "fast")


class PrimaryAndStandby(Testbed):
    """
    A testbed with a standby: what is committed is on both disks.

    @ivar standby: beside C{postgres}, the primary at first.
    """

    def __enter__(self) -> PrimaryAndStandby:
        super().__enter__()
        data_dir = self.home / "standby"
        data_dir.mkdir()
        self.standby = Standby(data_dir, self.postgres)
        self.standby.start()
        execute(self.postgres.dsn, "ALTER SYSTEM SET synchronous_standby_names = 'standby'", "SELECT pg_reload_conf()")
        give_up = time.monotonic() + IN_STEP_WITHIN
        while execute(self.postgres.dsn, "SELECT sync_state FROM pg_stat_replication") != [("sync",)]:
            if time.monotonic() > give_up:
                raise RuntimeError("the standby does not follow")
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.standby.remove()
        super().__exit__(kind, error, traceback)

    def create_database(self) -> str:
        """
        Make an empty database.

        @return: its DSN, which names both hosts.
        """
        primary, standby = self.postgres.socket.parent, self.standby.socket.parent
        return super().create_database().replace(f"host={primary}", f"host={primary},{standby}")

    @contextmanager
    def crashed(self, primary: ThrowawayPostgres, dsn: str) -> Iterator[None]:
        """Kill the primary, and promote the standby."""
        primary.kill()
        yield
        self.standby.promote()

    @contextmanager
    def silent(self, primary: ThrowawayPostgres, dsn: str) -> Iterator[None]:
        """Silence the primary for good, as when its machine is cut off, and promote the standby."""
        primary.freeze()
        yield
        self.standby.promote()

    @contextmanager
    def alone(self, primary: ThrowawayPostgres, dsn: str) -> Iterator[None]:
        """Stop the standby, so that no COMMIT gets through, and start it."""
        self.standby.stop()
        yield
        self.standby.start()


def endure(
    trouble: Callable[[PrimaryAndStandby], Trouble], scale: Scale, *, before: float, after: float
) -> list[TrialResult]:
    """Put a wifidogd with two databases through a trouble."""
    with PrimaryAndStandby() as twins:
        return rows(suffer(twins, [trouble(twins)], scale, before=before, after=after), LIMITS)


def crash(twins: PrimaryAndStandby, seconds: float = 3) -> Trouble:
    """Lose the primary at once."""
    return Trouble("primary killed with SIGKILL, synchronous standby promoted", twins.crashed, seconds)


def silence(twins: PrimaryAndStandby) -> Trouble:
    """Lose the primary without a word."""
    return Trouble("primary silent for good (SIGSTOP), synchronous standby promoted 5 s later", twins.silent, 5)


def solitude(twins: PrimaryAndStandby) -> Trouble:
    """Lose the standby."""
    return Trouble("synchronous standby stopped for 10 s", twins.alone, 10)


def standby() -> list[TrialResult]:
    """Go through all of them, under two hundred requests a second."""
    troubles = (crash, silence, solitude)
    return [row for trouble in troubles for row in endure(trouble, TWO_HUNDRED, before=20, after=15)]


TRIALS = {"standby": standby}
