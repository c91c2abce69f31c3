"""What the code or a page cites exists: sections of docs/protocol.md, pages, modules and tests."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.checkout import ROOT

TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
CITING = [name for name in TRACKED if name.endswith((".py", ".sql", ".md", ".html", ".tac"))]
SECTIONS = set(re.findall(r"^#+ (\d+(?:\.\d+)?) ", (ROOT / "docs" / "protocol.md").read_text("utf-8"), re.MULTILINE))

CITATION = re.compile(r"docs/protocol\.md\s+(\d+(?:\.\d+)?)(?:(?:,| and|, and)\s+(\d+(?:\.\d+)?))*")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
UNFOUNDED = re.compile(
    r"(?<!docs/)\bprotocol\.md\s+(?:section\s+)?\d|\bprotocol: (?:section )?\d|"
    r"design\.md,? section|section \d+ of the design"
)


def cited(text: str) -> list[str]:
    """Return every section of docs/protocol.md that a text cites."""
    return [number for match in CITATION.finditer(text) for number in NUMBER.findall(match[0].partition(".md")[2])]


def test_the_protocol_is_cited_at_all() -> None:
    """Otherwise the pattern below has gone blind."""
    assert sum(len(cited((ROOT / name).read_text("utf-8"))) for name in CITING) > 20


@pytest.mark.parametrize("name", CITING)
def test_every_cited_section_exists(name: str) -> None:
    """A reader who follows a citation finds the fact."""
    text = (ROOT / name).read_text("utf-8")
    assert set(cited(text)) <= SECTIONS
    if name != "tests/project/test_citations.py":
        assert UNFOUNDED.findall(text) == []


@pytest.mark.parametrize("name", CITING)
def test_every_cited_page_exists(name: str) -> None:
    """Pages are cited as docs/NAME."""
    pages = set(
        re.findall(r"\bdocs/[\w.-]+\.(?:md|cfg|ini|service|socket|json|svg|png)\b", (ROOT / name).read_text("utf-8"))
    )
    assert {page for page in pages if not (ROOT / page).exists()} == set()


PAGES = [name for name in TRACKED if name.endswith(".md") and name != "NEWS.md"]
ROOMS = "access|accounting|accounts|ctl|domain|gateways|operators|runtime|simulation|store|telemetry|web|workers"


@pytest.mark.parametrize("name", PAGES)
def test_every_module_that_a_page_names_exists(name: str) -> None:
    """Pages name a module by its room, as C{accounting/ledger}."""
    text = (ROOT / name).read_text("utf-8")
    modules = set(re.findall(rf"`((?:{ROOMS})/[a-z_/]+[a-z_])(?:\.[A-Za-z_.]+)?`", text))
    missing = {
        module
        for module in modules
        if not any(
            (ROOT / folder / f"{module}{ending}").exists() for folder in ("wifidogd", "tests") for ending in ("", ".py")
        )
    }
    assert missing == set()


@pytest.mark.parametrize("name", PAGES)
def test_every_test_that_a_page_names_exists(name: str) -> None:
    """A claim whose test was renamed is none."""
    text = (ROOT / name).read_text("utf-8")
    for file, tests in re.findall(r"`(?:tests/)?([\w/]+\.py)`?((?:(?:::|`?: |, )`?test_\w+`?)*)", text):
        if "/test_" not in file:
            continue
        source = (ROOT / "tests" / file).read_text("utf-8")
        for test in re.findall(r"test_\w+", tests):
            assert f"def {test}(" in source, f"{file} has no {test}"
