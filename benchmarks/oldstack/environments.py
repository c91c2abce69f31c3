"""Virtual environments for servers of the old stack, made once and kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from platformdirs import user_cache_path

from tests.support.checkout import ROOT

REQUIREMENTS = Path(__file__).with_name("requirements")


def python_of(name: str) -> Path:
    """
    Find the interpreter of an environment, which is made if it is not there.

    @param name: of a file in C{requirements/}, without its ending.
    @raise subprocess.CalledProcessError: if pip cannot install what the file says; pip has said why.
    """
    venv = user_cache_path("wifidogd-benchmarks") / f"{name}-{fingerprint(name)}"
    complete = venv / "complete"
    if not complete.exists():
        print(f"installing {name}.txt into {venv}", file=sys.stderr, flush=True)
        venv.parent.mkdir(parents=True, exist_ok=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run(ROOT / "tools" / "make-venv", venv, sys.executable)
        run(venv / "bin" / "python", *install, "--requirement", REQUIREMENTS / f"{name}.txt")
        complete.touch()
    return venv / "bin" / "python"


def run(*command: str | Path) -> None:
    """Run a program that shall not see the packages of this process."""
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(command, check=True, stdout=sys.stderr, env=alone)


def fingerprint(name: str) -> str:
    """Return a hash of the packages of an environment and of its Python."""
    said = [(REQUIREMENTS / f"{each}.txt").read_bytes() for each in (name, "common")]
    return hashlib.sha256(b"\0".join([*said, sys.version.encode()])).hexdigest()[:12]
