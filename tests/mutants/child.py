"""A forked process in which one change is made and tests are run until one fails."""

from __future__ import annotations

import ast
import gc
import importlib.util
import os
import select
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import _lru_cache_wrapper
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

from tests.mutants.mutations import Mutant, mutated
from tests.support.checkout import ROOT

SURVIVED, KILLED, UNPATCHABLE, BROKEN = 0, 1, 3, 4
"""Exit statuses of the process."""

FIRST_CPU_SECONDS, TIMES_LONGER = 3.0, 5.0
"""A test's limit: seconds of CPU, to which so many times the seconds that it takes without a change are added."""

PYTEST = (
    *("-q", "-s", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
"""Options of every run: quick, and the same each time."""


def be_quiet() -> None:
    """Drop what tests and the server print."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def own_reactor() -> None:
    """
    Give this process an epoll and a waker of its own.

    Those of the parent are shared by all its children; the reactor has not run there, so nothing else is registered.
    """
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    if reactor is None:
        return
    reactor._poller = select.epoll()
    for each in (reactor._reads, reactor._writes, reactor._selectables, reactor._internalReaders):
        each.clear()
    reactor.waker = None
    reactor.installWaker()


def search_briefly(examples: int) -> None:
    """Let Hypothesis try so many examples and stop at the first that fails: to find a smaller one takes minutes."""
    hypothesis: Any = import_module("hypothesis")
    phases = [phase for phase in hypothesis.settings.default.phases if phase.name not in ("shrink", "explain")]
    hypothesis.settings.register_profile("mutants", hypothesis.settings.default, phases=phases, max_examples=examples)
    hypothesis.settings.load_profile("mutants")


def run_until_one_fails(session: pytest.Session, items: Sequence[pytest.Item], seconds: Mapping[str, float]) -> None:
    """
    Run tests, and exit the process with what came of it.

    @param seconds: by test, how long it takes without a change.
    """
    session.config.pluginmanager.register(_Quitter())
    for item, following in zip(items, [*items[1:], None], strict=True):
        # A loop that does not end leaves the test no chance to fail: the signal ends the process.
        signal.setitimer(signal.ITIMER_PROF, FIRST_CPU_SECONDS + TIMES_LONGER * seconds.get(item.nodeid, 0.0))
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    os._exit(SURVIVED)


class _Quitter:
    """Ends the process at the first failure."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os._exit(KILLED)


class Functions:
    """All functions of the modules of a room that are loaded in this process, and how to change them."""

    def __init__(self, files: Sequence[Path]) -> None:
        names = {str(path) for path in files}
        functions = [each for each in gc.get_objects() if isinstance(each, FunctionType)]
        self._found = [each for each in functions if each.__code__.co_filename in names]
        cached = [each for each in gc.get_objects() if isinstance(each, _lru_cache_wrapper)]
        self._cached = [each for each in cached if _file_of(each) in names]

    def forget(self) -> None:
        """Clear the caches of functions that remember their results: a remembered one is not entered."""
        for each in self._cached:
            each.cache_clear()

    def change(self, path: Path, tree: ast.Module) -> int:
        """
        Give every loaded function of a file the code it has in another tree.

        @return: how many have other code now.
        @raise ValueError: if a function refers to other variables around it than before.
        """
        codes = {(code.co_qualname, code.co_firstlineno): code for code in _codes(compile(tree, str(path), "exec"))}
        changed = 0
        for function in self._found:
            code = function.__code__
            if code.co_filename == str(path):
                new = codes[code.co_qualname, code.co_firstlineno]
                changed += new != code
                function.__code__ = new
        return changed


def _file_of(cached: Any) -> str:
    code = getattr(cached.__wrapped__, "__code__", None)
    return "" if code is None else str(code.co_filename)


def _codes(code: CodeType) -> list[CodeType]:
    """List a code object and all that are nested in it."""
    return [code, *(inner for each in code.co_consts if isinstance(each, CodeType) for inner in _codes(each))]


def import_mutated(mutant: Mutant) -> None:
    """Let the next import of the module find the change in it."""
    path = ROOT / mutant.file
    name = mutant.file.removesuffix(".py").replace("/", ".")
    sys.meta_path.insert(0, _Finder(name, path, mutated(path, mutant)))


class _Finder(MetaPathFinder):
    """Finds one module, which is compiled from a tree."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self._name = name
        self._path = path
        self._tree = tree

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        loader = _Loader(fullname, str(self._path))
        loader.tree = self._tree
        return importlib.util.spec_from_file_location(fullname, self._path, loader=loader)


class _Loader(SourceFileLoader):
    """Compiles a tree instead of the file."""

    tree: ast.Module

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.tree, self.path, "exec")
