"""The architecture: imports go down the floors, each technology is used in its rooms only, folders stay small."""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

MODULES = sorted((ROOT / "wifidogd").rglob("*.py"))

FLOORS = """
    worker
    tap
    workers
    server ctl
    settings
    web.console web.api web.portal web.gateway
    web.rendering
    web.server
    operators accounts directories
    access accounting
    telemetry
    gateways simulation
    store.accounts store.backup
    store.access store.gateways store.operators
    store.accounting store.embedded store.migrations
    store.driver
    runtime
    domain
"""
"""Rooms from the top floor down; those on one line do not import each other.  A room is a folder or a module."""

HEIGHT = {room: height for height, rooms in enumerate(reversed(FLOORS.split("\n"))) for room in rooms.split()}

ONLY_IN = {
    "psycopg2": ("store",),
    "txpostgres": ("store",),
    "twisted.web": ("web",),
    "klein": ("web",),
    "werkzeug": ("web",),
    "jinja2": ("web",),
    "twisted.internet.reactor": ("tap", "ctl", "worker"),
}
"""Which rooms may import what; everything else may be imported anywhere but in domain."""

DOMAIN_ALSO = {"idna"}
"""What domain may import beside the standard library."""

MOST_MODULES = 14

SAME_MEANING = {
    "account": "a guest's name and password",
    "activity": "what adopted gateways do",
    "allowances": "what sessions may use together",
    "arrivals": "guests who come to the login page",
    "database": "PostgreSQL, as its users reach it",
    "devices": "routers that may have several gateways",
    "expiry": "the end of sessions that nobody ended",
    "gateway": "a WiFiDog router",
    "gateways": "WiFiDog routers",
    "heartbeats": "pings of gateways",
    "kickoffs": "guests whom their routers throw off",
    "listed_client": "a guest as a gateway's list has it",
    "outbox": "mails that wait to be sent",
    "personal_data": "what is stored about a guest",
    "plans": "limits that allowances are bound by",
    "preview": "pages with made-up guests",
    "remembered_devices": "devices that come back without a form",
    "roaming": "guests who go from one gateway to another",
    "router_commands": "what routers can be told",
    "routes": "the paths of a Klein app",
    "server_address": "where guests and gateways reach the server",
    "session": "the time between a guest's sign-in and its end",
    "sessions": "the times between guests' sign-ins and their ends",
    "sign_in": "a guest proves who they are",
    "usage": "what sessions have used of an allowance",
    "voucher": "a code that signs a guest in",
    "voucher_sheet": "vouchers on paper",
}
"""Names that more than one module has, with the one meaning they have everywhere."""

STATEMENT = re.compile(r"^\s*(SELECT|INSERT\s+INTO|UPDATE|DELETE\s+FROM|WITH|CREATE|LOCK|BEGIN|COMMIT)\b")


def module_name(path: Path) -> str:
    """Return the name by which a file is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def within(name: str, package: str) -> bool:
    """Return whether a dotted name is the package or inside it."""
    return f"{name}.".startswith(f"{package}.")


def room(module: str) -> str:
    """
    Return the room of a module of ours: its folder, or itself where it stands beside rooms.

    @return: "" for packages that hold nothing but rooms.
    """
    inner = module.partition(".")[2]
    found = [room for room in HEIGHT if within(inner, room)]
    if not found:
        assert any(within(room, inner) for room in HEIGHT) or not inner, f"{module} stands on no floor"
        return ""
    return max(found, key=len)


def imported_names(path: Path) -> Iterator[str]:
    """Yield every name a file imports, also inside functions, as C{package.module.name}."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write the whole name instead of dots"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def texts(path: Path) -> Iterator[str]:
    """Yield the string constants of a file, docstrings aside."""
    tree = ast.parse(path.read_text("utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_go_down_the_floors(path: Path) -> None:
    """Modules import from their own room and from lower floors only."""
    here = room(module_name(path))
    for name in imported_names(path):
        there = room(name) if within(name, "wifidogd") and name != "wifidogd.__version__" else ""
        if there not in ("", here):
            assert here, f"{path} is imported by every room and must import none"
            assert HEIGHT[there] < HEIGHT[here], f"{path} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_technology_stays_in_its_room(path: Path) -> None:
    """Only store knows the driver, only web knows HTTP, only the composition roots name the reactor."""
    here = module_name(path).partition(".")[2]
    for name in imported_names(path):
        for package, rooms in ONLY_IN.items():
            if within(name, package):
                assert any(within(here, allowed) for allowed in rooms), f"{path} imports {name}"


@pytest.mark.parametrize("path", [path for path in MODULES if room(module_name(path)) == "domain"], ids=module_name)
def test_the_domain_needs_the_standard_library_alone(path: Path) -> None:
    """Decisions about guests stay free of the network, the database and the clock."""
    known = sys.stdlib_module_names | DOMAIN_ALSO | {"wifidogd"}
    assert {name.partition(".")[0] for name in imported_names(path)} <= known


@pytest.mark.parametrize(
    "path", [path for path in MODULES if not within(module_name(path), "wifidogd.store")], ids=module_name
)
def test_statements_stay_in_the_store(path: Path) -> None:
    """No text outside store begins like a statement of SQL."""
    assert not [text for text in texts(path) if STATEMENT.match(text)]


@pytest.mark.parametrize(
    "path", [path for path in MODULES if within(module_name(path), "wifidogd.store")], ids=module_name
)
def test_statements_are_spelled_out(path: Path) -> None:
    """No text of SQL is put together from values: a constant is written as it is sent."""
    tree = ast.parse(path.read_text("utf-8"))
    pieces = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    assert not [piece for piece in pieces if re.search(r"\b(SELECT|FROM|WHERE|SET|INTO|FOR|BY)\b", piece)]


HARNESSES = [path for place in ("benchmarks", "tests/chaos", "tests/support") for path in (ROOT / place).rglob("*.py")]


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in MODULES + HARNESSES}), ids=lambda path: str(path.relative_to(ROOT))
)
def test_folders_hold_no_more_than_one_can_see(folder: Path) -> None:
    """A larger folder should be split."""
    modules = sorted(path.name for path in folder.glob("*.py") if path.name != "__init__.py")
    assert len(modules) <= MOST_MODULES, modules


def test_a_name_that_stands_twice_means_the_same() -> None:
    """Whoever knows one of them knows what the others are about."""
    where = defaultdict(list)
    for path in MODULES:
        if path.name not in ("__init__.py", "__main__.py"):
            where[path.stem].append(str(path.relative_to(ROOT)))
    repeated = {name: paths for name, paths in where.items() if len(paths) > 1}
    assert {name: paths for name, paths in repeated.items() if name not in SAME_MEANING} == {}
    assert set(SAME_MEANING) - set(repeated) == set(), "these stand once: take them off the list"


def test_the_plan_in_the_documentation_is_the_tree() -> None:
    """docs/design.md names all rooms, and no other."""
    page = (ROOT / "docs" / "design.md").read_text("utf-8")
    named = set(re.findall(r"^\| `([a-z_.]+)/?`", page, flags=re.MULTILINE))
    assert named == {room(module_name(path)) for path in MODULES} - {""}


def test_the_plugin_names_wifidogd_without_importing_it() -> None:
    """Every C{twistd} command on the machine loads the plugin: it must be cheap and must not install a reactor."""
    names = list(imported_names(ROOT / "twisted" / "plugins" / "wifidogd_plugin.py"))
    assert names == ["twisted.application.service.ServiceMaker"]
