"""What the README tells operators to type is understood, and what installs routers and lets guests walk is done."""

from __future__ import annotations

import re
import shlex

import pytest
from pytest_twisted import ensureDeferred

from tests.ctl.test_ctl import Operator, operator
from tests.support.checkout import ROOT
from wifidogd.ctl import build_parser

__all__ = ["operator"]

README = (ROOT / "README.md").read_text("utf-8")
COMMAND = re.compile(r"^(?:    |\$ )(?:\.venv/bin/)?wifidogctl (.*?)(?: > \S+)?$", re.MULTILINE)


def commands_in(text: str) -> list[list[str]]:
    """Return the words of each wifidogctl command in blocks of code."""
    return [shlex.split(line, comments=True) for line in COMMAND.findall(text)]


def section(heading: str) -> str:
    """Return a section of the README, up to the next heading."""
    return re.split(r"^##+ ", README.partition(f"{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("words", commands_in(README), ids=" ".join)
def test_every_command_is_understood(words: list[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """With files of the names that it mentions."""
    monkeypatch.chdir(str(tmp_path))
    for name in ("terms.txt", "terms.de.txt", "old.sql"):
        with open(name, "w", encoding="utf-8") as file:
            file.write("Be kind.\n")
    with open("logo.svg", "w", encoding="utf-8") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg"/>')
    assert build_parser().parse_args(words).run


@pytest.mark.parametrize(
    "heading", ["### Installing the router's software on OpenWrt", "### Walking from router to router"]
)
@ensureDeferred
async def test_the_commands_of_a_section_are_done_in_their_order(operator: Operator, heading: str) -> None:
    """As somebody types them who follows it."""
    commands = commands_in(section(heading))
    assert len(commands) > 1
    for words in commands:
        server = ["--server", "https://wifi.example"] if words[0] == "gateway" else []
        assert await operator.does(*words, *server)
