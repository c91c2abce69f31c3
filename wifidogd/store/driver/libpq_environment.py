"""Where libpq would look for the server by itself, when the DSN does not say: its environment and service files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wifidogd.domain.errors import ConfigurationError

WHEREABOUTS = {"host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT"}
"""Parameters that say where the server is, and their variables."""

SYSTEM_SERVICES = "/etc/postgresql-common"
"""Directory of the machine's service file where nobody named another; Debian's."""


def whereabouts(given: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return the parameters that a DSN leaves out and libpq would find by itself, so that we can look up the names.

    Precedence is libpq's: the DSN, the service, the environment, each parameter by itself (PostgreSQL documentation,
    The Connection Service File).

    @param given: what the DSN says.
    @return: parameters that are not in C{given}.
    @raise ConfigurationError: if a service file cannot be read.
    """
    service = given.get("service", environment.get("PGSERVICE", ""))
    named = _service(service, environment) if service else {}
    surroundings = {key: named.get(key, environment.get(variable)) for key, variable in WHEREABOUTS.items()}
    return {key: value for key, value in surroundings.items() if value is not None and key not in given}


def _service(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Find a service in the user's file, else in the machine's; nothing if there is none, as libpq will say."""
    home = environment.get("HOME") or Path.home()
    users = Path(environment.get("PGSERVICEFILE") or Path(home, ".pg_service.conf"))
    machines = Path(environment.get("PGSYSCONFDIR") or SYSTEM_SERVICES, "pg_service.conf")
    for path in (users, machines):
        try:
            found = _section(path.read_text("utf-8"), name)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigurationError(
                f"The service file {path} cannot be read: {problem}; let wifidogd read it, or name the host in the DSN."
            ) from problem
        if found:
            return found
    return {}


def _section(text: str, name: str) -> dict[str, str]:
    """Read one section of a service file; as in libpq the first counts, and in it the first of each key."""
    found: dict[str, str] = {}
    is_inside = False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            if is_inside:
                break
            is_inside = line == f"[{name}]"
        elif is_inside and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, value)
    return found
