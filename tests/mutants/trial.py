"""All mutants of a room face its tests."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from tests.mutants import child
from tests.mutants.mutations import Mutant, mutants_of, mutated
from tests.mutants.race import Job, race
from tests.mutants.rooms import Room
from tests.mutants.selection import Selection, select
from tests.mutants.shared_postgres import SharedPostgres, drop_databases, make_template
from tests.mutants.verdicts import KilledBefore, Report, equivalents
from tests.support.checkout import ROOT
from tests.support.postgres import ThrowawayPostgres

SELECTION_WITHIN, ROOM_WITHIN = 1200.0, 24 * 3600.0
FIRST_SECONDS = 6.0
"""A mutant's deadline, to which L{child.TIMES_LONGER} times what its tests take without a change is added."""

EXAMPLES, EXAMPLES_WITH_DATABASE = 100, 25
"""Of a property, that Hypothesis tries for each mutant; a transaction for each makes a survivor take long."""

OURS = ("wifidogd", "tests")
NOT_BEFORE_PYTEST = ("pytest", "_pytest", "hypothesis", "_hypothesis", "xdist", "__main__")

Loop = Callable[[pytest.Session], None]


@dataclass
class Progress:
    """Prints how far it is, ten times a room."""

    total: int
    done: int = 0

    def step(self) -> None:
        """Count one more."""
        self.done += 1
        if self.done * 10 // self.total > (self.done - 1) * 10 // self.total:
            print(f"{self.done} of {self.total}", file=sys.stderr, flush=True)


class Plugin:
    """Replaces the loop in which pytest runs the tests that it has collected."""

    def __init__(self, loop: Loop, examples: int) -> None:
        self._loop = loop
        self._examples = examples

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        child.search_briefly(self._examples)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._loop(session)
        return True


class Trial:
    """The mutants of one room, in forks of a process that has imported all libraries."""

    def __init__(self, room: Room, *, fresh: bool) -> None:
        self._room = room
        self._fresh = fresh
        self._server: ThrowawayPostgres | None = None
        self._template = ""

    def run(self) -> Report:
        """Try every mutant that is not known to be killed, or to make no difference."""
        everything = [mutant for path in self._room.files for mutant in mutants_of(path)]
        reasons = equivalents()
        equal = [mutant for mutant in everything if mutant.key in reasons]
        killed_before = KilledBefore(self._room.name, self._room.files, fresh=self._fresh)
        tried = [mutant for mutant in everything if mutant.key not in reasons and mutant not in killed_before]
        survivors = self._survivors(tried, killed_before) if tried else []
        stale = [
            key
            for key in reasons
            if key.startswith(f"wifidogd/{self._room.name}/") and key not in {mutant.key for mutant in equal}
        ]
        return Report(self._room.name, self._room.goal, everything, equal, survivors, stale)

    def _survivors(self, mutants: Sequence[Mutant], killed: KilledBefore) -> list[Mutant]:
        survivors = []
        with tempfile.TemporaryDirectory(prefix="wifidogd-mutants-") as scratch, self._postgres():
            os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = scratch
            self._import_libraries(Path(scratch))
            selection = self._select(Path(scratch))
            progress = Progress(len(mutants))
            for mutant, status in self._statuses(mutants, selection, Path(scratch)):
                progress.step()
                if status == child.SURVIVED:
                    survivors.append(mutant)
                else:
                    killed.remember(mutant)
        return sorted(survivors, key=lambda mutant: (mutant.file, mutant.line))

    def _statuses(self, mutants: Sequence[Mutant], selection: Selection, scratch: Path) -> Iterator[tuple[Mutant, int]]:
        """Try changes within functions in forks that have collected the tests, the others from the import on."""
        at_import = [number for number, mutant in enumerate(mutants) if not mutant.function]
        within = [number for number, mutant in enumerate(mutants) if mutant.function]
        results = scratch / "results"
        results.touch()
        if within:

            def loop(session: pytest.Session) -> None:
                self._change_functions(session, mutants, within, selection, results)

            job = Job(None, lambda: self._pytest(self._room.tests, loop), ROOM_WITHIN)
            for number, status in self._follow(job, results):
                if status == child.UNPATCHABLE:
                    at_import.append(number)
                else:
                    yield mutants[number], status
        jobs = [
            Job(number, lambda number=number: self._imported(mutants[number], number, selection), seconds)
            for number in at_import
            if (seconds := self._deadline(selection, mutants[number]))
        ]
        for number, status in self._race(jobs):
            yield mutants[number], status

    def _follow(self, job: Job[None], results: Path) -> Iterator[tuple[int, int]]:
        """Run the process that changes functions, and read its results while it runs."""
        pid = os.fork()
        if pid == 0:
            os._exit(job.body())
        try:
            yield from self._read(pid, results)
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    @staticmethod
    def _read(pid: int, results: Path) -> Iterator[tuple[int, int]]:
        """Yield the lines of a file until the process that writes it has ended."""
        with open(results, encoding="utf-8") as lines:
            ended = False
            while True:
                line = lines.readline()
                if line.endswith("\n"):
                    number, status = map(int, line.split())
                    yield number, status
                elif ended:
                    return
                else:
                    ended = os.waitpid(pid, os.WNOHANG)[0] != 0
                    time.sleep(0.05)

    def _change_functions(
        self,
        session: pytest.Session,
        mutants: Sequence[Mutant],
        numbers: Sequence[int],
        selection: Selection,
        results: Path,
    ) -> None:
        functions = child.Functions(self._room.files)
        items = {item.nodeid: item for item in session.items}

        def attempt(number: int) -> int:
            mutant = mutants[number]
            try:
                if not functions.change(ROOT / mutant.file, mutated(ROOT / mutant.file, mutant)):
                    return child.UNPATCHABLE
            except (ValueError, KeyError):
                return child.UNPATCHABLE
            self._begin(number)
            child.run_until_one_fails(session, [items[test] for test in selection.tests_for(mutant)], selection.seconds)
            return child.BROKEN

        jobs = [
            Job(number, lambda number=number: attempt(number), self._deadline(selection, mutants[number]))
            for number in numbers
        ]
        with open(results, "a", encoding="utf-8") as file:
            for number, status in self._race(jobs):
                print(number, status, file=file, flush=True)
        os._exit(0)

    def _imported(self, mutant: Mutant, number: int, selection: Selection) -> int:
        """Import the module with the change in it, and run the tests."""
        child.be_quiet()
        child.import_mutated(mutant)
        chosen = selection.tests_for(mutant)

        def loop(session: pytest.Session) -> None:
            self._begin(number)
            items = {item.nodeid: item for item in session.items}
            if not set(chosen) <= set(items):
                os._exit(child.KILLED)  # another set of parameters: a test has noticed
            child.run_until_one_fails(session, [items[test] for test in chosen], selection.seconds)

        files = list(dict.fromkeys(test.partition("::")[0] for test in chosen))
        return self._pytest(files or self._room.tests, loop) or child.BROKEN

    def _race(self, jobs: Sequence[Job[int]]) -> Iterator[tuple[int, int]]:
        for number, status in race(jobs):
            if self._server is not None:
                drop_databases(self._server, number)
            yield number, status

    def _begin(self, number: int) -> None:
        """Prepare a process that is about to run tests."""
        child.be_quiet()
        child.own_reactor()
        if self._server is not None:
            shared = SharedPostgres(self._server, self._template, number)
            import_module("tests.conftest").ThrowawayPostgres = lambda: shared

    def _deadline(self, selection: Selection, mutant: Mutant) -> float:
        return FIRST_SECONDS + child.TIMES_LONGER * sum(selection.seconds[test] for test in selection.tests_for(mutant))

    def _select(self, scratch: Path) -> Selection:
        """
        Run all tests of the room once, without a change.

        @raise RuntimeError: if a test fails.
        """
        result = scratch / "selection"

        def loop(session: pytest.Session) -> None:
            self._begin(10**6)
            select(session, self._room.files, result)

        self._apart(lambda: self._pytest(self._room.tests, loop))
        found: Selection = pickle.loads(result.read_bytes())
        if found.failed:
            raise RuntimeError(f"these fail without any change: {', '.join(found.failed)}")
        return found

    def _import_libraries(self, scratch: Path) -> None:
        """Import what the tests of the room import, but for what is ours: all forks have it then."""
        names = scratch / "modules"

        def loop(session: pytest.Session) -> None:
            names.write_text("\n".join(sys.modules))
            os._exit(0)

        self._apart(lambda: self._pytest(self._room.tests, loop))
        for name in names.read_text().splitlines():
            root = name.partition(".")[0]
            if root not in (*OURS, *NOT_BEFORE_PYTEST) and not root.startswith("pytest"):
                try:
                    import_module(name)
                except Exception:  # what cannot be imported by itself is imported later
                    continue

    @staticmethod
    def _apart(body: Callable[[], int]) -> None:
        for _ in race([Job(None, body, SELECTION_WITHIN)]):
            pass

    def _pytest(self, words: Sequence[str], loop: Loop) -> int:
        child.be_quiet()
        child.own_reactor()
        examples = EXAMPLES_WITH_DATABASE if self._room.needs_database else EXAMPLES
        return int(pytest.main([*child.PYTEST, *words], plugins=[Plugin(loop, examples)]))

    @contextmanager
    def _postgres(self) -> Iterator[None]:
        """Run the server that all mutants share, if the tests of the room need one."""
        if not self._room.needs_database:
            yield
            return
        self._server = ThrowawayPostgres()
        try:
            self._server.start()
            self._template = make_template(self._server)
            yield
        finally:
            self._server.remove()
            self._server = None
