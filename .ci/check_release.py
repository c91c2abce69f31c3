"""
Install a release as its users do, and check that its bill of materials and its checksums fit what was installed.

Usage: check_release.py DIST ENVIRONMENT, where DIST was built by C{make dist}; the virtual environment is made.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path


def install(dist: Path, environment: Path) -> None:
    """Install the locked requirements of a release, then its wheel without looking for anything else."""
    subprocess.run(["tools/make-venv", environment, "python3"], check=True)
    pip = [environment / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-build-isolation"]
    for kind in ("build", "requirements"):
        (locked,) = dist.glob(f"*-{kind}.txt")
        subprocess.run([*pip, "--require-hashes", "--requirement", locked], check=True)
    subprocess.run([*pip, "--no-index", "--find-links", dist, "wifidogd"], check=True)


def installed_in(environment: Path) -> dict[str, str]:
    """Return the version of each distribution in an environment, by its normalised name."""
    names = "from importlib.metadata import distributions as d; print(*(f'{i.name}=={i.version}' for i in d()))"
    said = subprocess.run([environment / "bin" / "python", "-c", names], check=True, capture_output=True, text=True)
    return {normal(name): version for name, version in (entry.split("==") for entry in said.stdout.split())}


def normal(name: str) -> str:
    """Return a distribution's name as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def check_checksums(dist: Path) -> None:
    """Refuse a release with a file whose checksum is missing or wrong."""
    lines = (dist / "SHA256SUMS").read_text("utf-8").splitlines()
    sums = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
    files = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in dist.iterdir()}
    files.pop("SHA256SUMS")
    assert len(files) == 4, sorted(files)
    assert sums == files


def main(dist: Path, environment: Path) -> None:
    """Check all of it."""
    check_checksums(dist)
    install(dist, environment)
    (bill,) = (json.loads(file.read_bytes()) for file in dist.glob("*.cdx.json"))
    listed = {normal(component["name"]): component["version"] for component in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert listed == installed_in(environment), "the bill of materials is not of what gets installed"
    print(f"a release of {len(listed)} packages, each of them in its bill of materials")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
