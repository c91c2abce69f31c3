"""What has been found out about mutants: before, by hand, and now."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutations import Mutant
from tests.support.checkout import ROOT

MEMORY = ROOT / "build" / "mutants"
EQUIVALENTS = Path(__file__).with_name("equivalents.toml")


class KilledBefore:
    """
    Mutants that tests have killed in an earlier run, as long as their module is what it was.

    Survivors are tried again each time.  Whether the tests still kill the others is tried after C{--fresh}.
    """

    def __init__(self, room: str, files: Sequence[Path], *, fresh: bool) -> None:
        self._file = MEMORY / f"{room.replace('/', '.')}.jsonl"
        self._stamps = {str(path.relative_to(ROOT)): _stamp(path) for path in files}
        self._keys: set[str] = set()
        if fresh:
            self._file.unlink(missing_ok=True)
        elif self._file.exists():
            for line in self._file.read_text("utf-8").splitlines():
                file, stamp, key = json.loads(line)
                if self._stamps.get(file) == stamp:
                    self._keys.add(key)

    def __contains__(self, mutant: Mutant) -> bool:
        return mutant.key in self._keys

    def remember(self, mutant: Mutant) -> None:
        """Write down that a mutant was killed."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with open(self._file, "a", encoding="utf-8") as file:
            print(json.dumps([mutant.file, self._stamps[mutant.file], mutant.key]), file=file)


def _stamp(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def equivalents(file: Path = EQUIVALENTS) -> dict[str, str]:
    """Return the reasons why mutants make no difference, by key."""
    found = tomllib.loads(file.read_text("utf-8"))
    return {key: group["reason"] for group in found.get("equivalent", []) for key in group["mutants"]}


@dataclass(frozen=True, slots=True)
class Report:
    """
    What came of the mutants of a room.

    @ivar survivors: those that no test notices, and that are not equivalent.
    @ivar stale: keys in the list of equivalents that name no mutant, or one that tests kill.
    """

    room: str
    goal: float
    mutants: Sequence[Mutant]
    equivalent: Sequence[Mutant]
    survivors: Sequence[Mutant]
    stale: Sequence[str]

    @property
    def score(self) -> float:
        """Percent that were killed of those that make a difference."""
        return _percent(len(self.mutants) - len(self.equivalent), len(self.survivors))

    def text(self) -> str:
        """Write it for people."""
        lines = [f"{each.file}:{each.line} in {each.function or 'module'}: {each.change}" for each in self.survivors]
        lines += [f"not an equivalent, take it off the list: {key}" for key in self.stale]
        tried = _by_file(mutant for mutant in self.mutants if mutant not in set(self.equivalent))
        survived = _by_file(self.survivors)
        lines += [f"{file}: {_percent(count, survived[file]):.1f} % of {count}" for file, count in tried.items()]
        verdict = "reached" if self.score >= self.goal else "MISSED"
        count = len(self.mutants) - len(self.equivalent)
        lines.append(
            f"{self.room}: {count - len(self.survivors)} of {count} killed, {self.score:.1f} %;"
            f" {len(self.equivalent)} equivalent; goal of {self.goal:g} % {verdict}"
        )
        return "\n".join(lines)


def _by_file(mutants: Iterable[Mutant]) -> Mapping[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for mutant in mutants:
        counts[mutant.file] += 1
    return counts


def _percent(count: int, survivors: int) -> float:
    return 100 * (count - survivors) / count if count else 100.0
