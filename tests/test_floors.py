"""The house keeps its shape: imports point down, and each technology stays in its room."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "wifidogd").rglob("*.py"))

FLOORS = (
    {
        "model",
        "gateways",
        "errors",
        "addresses",
        "collector",
        "steady",
        "systemd",
        "watchdog",
        "deadlines",
        "sparing",
        "mail_address",
        "pg_values",
        "voucher_codes",
    },
    {"offers", "hours", "mail_server", "attention", "activation"},
    {"limits"},
    {"tally"},
    {"rules", "smtp", "pg_dump", "credentials", "periodic", "slow_start", "store", "wifidog_conf"},
    {
        "directory",
        "lane",
        "settlement",
        "welcome",
        "reach",
        "importing",
        "correspondence",
        "opening",
        "voucher_batch",
        "simulation",
    },
    {"books", "password_check"},
    {"batch"},
    {
        "ledger",
        "admission",
        "vouchers",
        "remembered",
        "companions",
        "post",
        "registration",
        "account_care",
        "my_data",
        "heartbeat",
        "upkeep",
    },
    {"web"},
    {"service", "options"},
    {"workers"},
    {"tap", "ctl"},
    {"worker"},
)
"""Rooms from the ground up; a package is one room."""

ONLY_IN = {
    "psycopg2": {"store"},
    "txpostgres": {"store"},
    "twisted.web": {"web"},
    "klein": {"web"},
    "werkzeug": {"web"},
    "jinja2": {"web"},
    "twisted.internet.reactor": {"tap", "ctl", "worker"},
}
"""Which rooms may import what; everything else may be imported anywhere."""

STATEMENT = re.compile(r"^\s*(SELECT|INSERT\s+INTO|UPDATE|DELETE\s+FROM|WITH|CREATE|LOCK|BEGIN|COMMIT)\b")


def module_name(path: Path) -> str:
    """Name a file as an import would."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room(module: str) -> str:
    """Name the room of a module of ours; empty for the package itself, which holds nothing."""
    return module.partition(".")[2].partition(".")[0]


def floor(room: str) -> int:
    """Count from the ground."""
    for number, rooms in enumerate(FLOORS):
        if room in rooms:
            return number
    raise AssertionError(f"give {room} a floor in {Path(__file__).name}")


def imported_names(path: Path) -> Iterator[str]:
    """List every name a file imports, also inside functions, as C{package.module.name}."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write the whole name instead of dots"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, package: str) -> bool:
    """Tell whether a dotted name is the package or inside it."""
    return f"{name}.".startswith(f"{package}.")


def spoken_text(path: Path) -> Iterator[str]:
    """List the string constants of a file, docstrings aside."""
    tree = ast.parse(path.read_text("utf-8"))
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.value


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_down(path: Path) -> None:
    """Same room or a lower floor, never above and never next door."""
    here = room(module_name(path))
    for name in imported_names(path):
        there = room(name) if within(name, "wifidogd") else ""
        if there in ("", "__version__", here):
            continue
        assert here, f"{path} is imported by every room and must import none"
        assert floor(there) < floor(here), f"{path} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_technology_stays_in_its_room(path: Path) -> None:
    """Only store knows the driver, only web knows HTTP, only the composition roots name the reactor."""
    for name in imported_names(path):
        for package, rooms in ONLY_IN.items():
            if within(name, package):
                assert room(module_name(path)) in rooms, f"{path} imports {name}"


@pytest.mark.parametrize("path", [path for path in MODULES if room(module_name(path)) != "store"], ids=module_name)
def test_statements_stay_in_the_store(path: Path) -> None:
    """No text outside store begins like a statement of SQL."""
    assert not [text for text in spoken_text(path) if STATEMENT.match(text)]


@pytest.mark.parametrize("path", [path for path in MODULES if room(module_name(path)) == "store"], ids=module_name)
def test_statements_are_spelled_out(path: Path) -> None:
    """No text of SQL is put together from values: a constant is written as it is sent."""
    tree = ast.parse(path.read_text("utf-8"))
    pieces = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    assert not [piece for piece in pieces if re.search(r"\b(SELECT|FROM|WHERE|SET|INTO|FOR|BY)\b", piece)]


def test_the_plugin_names_wifidogd_without_importing_it() -> None:
    """Every C{twistd} command on the machine loads the plugin: it must be cheap and must not install a reactor."""
    names = list(imported_names(ROOT / "twisted" / "plugins" / "wifidogd_plugin.py"))
    assert names == ["twisted.application.service.ServiceMaker"]
