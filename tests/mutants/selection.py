"""Which tests enter which function, found out by one run of all tests of a room."""

from __future__ import annotations

import ast
import builtins
import os
import pickle
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.child import Functions
from tests.mutants.mutations import Mutant, read
from tests.support.checkout import ROOT

HOOK = "_a_function_is_entered"

Function = tuple[str, int]
"""File, relative to the checkout, and first line."""


@dataclass(frozen=True, slots=True)
class Selection:
    """
    What one run of all tests has shown.

    @ivar entered: by function, the tests that enter it.
    @ivar seconds: how long each test takes; its fixtures included.
    @ivar failed: tests that fail without any change.
    """

    entered: Mapping[Function, set[str]]
    seconds: Mapping[str, float]
    failed: Sequence[str]

    def tests_for(self, mutant: Mutant) -> list[str]:
        """List the tests that a mutant must face: those of its own module first, then the quick ones."""
        own = Path(mutant.file).stem
        if mutant.function:
            chosen = self.entered.get((mutant.file, mutant.first_line), set())
        else:
            chosen = {test for test in self.seconds if _imports(ROOT / test.partition("::")[0], ROOT / mutant.file)}

        def order(test: str) -> tuple[bool, float]:
            module = Path(test.partition("::")[0]).stem
            return not module.startswith(f"test_{own}"), self.seconds[test]

        return sorted(chosen, key=order)


@cache
def _imports(importer: Path, imported: Path) -> bool:
    """Return whether a module imports another, or modules that do."""
    return imported in _all_imports(importer)


@cache
def _all_imports(path: Path) -> set[Path]:
    """Return the files of ours that a module imports, with those that they import, and itself."""
    found, waiting = {path}, [path]
    while waiting:
        for node in ast.walk(read(waiting.pop())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)]
            paths = [ROOT / name.replace(".", "/") for name in names]
            files = {path.with_name(f"{path.name}.py") for path in paths} | {path / "__init__.py" for path in paths}
            new = {file for file in files - found if file.exists()}
            found |= new
            waiting += new
    return found


def select(session: pytest.Session, files: Sequence[Path], result: Path) -> None:
    """Run all tests with functions that say when they are entered; pickle a L{Selection}, and exit the process."""
    recorder = _Recorder()
    setattr(builtins, HOOK, recorder.enter)
    functions = Functions(files)
    for path in files:
        functions.change(path, _instrumented(path))
    session.config.pluginmanager.register(recorder)
    items = session.items
    for item, following in zip(items, [*items[1:], None], strict=True):
        recorder.test = item.nodeid
        functions.forget()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    result.write_bytes(pickle.dumps(Selection(dict(recorder.entered), dict(recorder.seconds), recorder.failed)))
    os._exit(0)


class _Recorder:
    """Notes which functions the test that runs enters, and how long it takes."""

    def __init__(self) -> None:
        self.test = ""
        self.entered: dict[Function, set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: list[str] = []

    def enter(self, file: str, line: int) -> None:
        self.entered[file, line].add(self.test)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed.append(report.nodeid)


def _instrumented(path: Path) -> ast.Module:
    """Return the tree of a module whose functions call L{HOOK} first."""
    tree = read(path)
    name = str(path.relative_to(ROOT))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            call: Any = ast.Expr(ast.Call(ast.Name(HOOK, ast.Load()), [ast.Constant(name), ast.Constant(first)], []))
            node.body.insert(0, ast.copy_location(call, node.body[0]))
    return ast.fix_missing_locations(tree)
