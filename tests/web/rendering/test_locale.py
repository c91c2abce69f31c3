"""Every text of the pages is said in every language, and the tool that sees to it notices when not."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from tests.support.checkout import ROOT
from wifidogd.web.rendering.environments import path_of, read_catalogue
from wifidogd.web.rendering.language import FALLBACK, NAMES

TRANSLATED = sorted(set(NAMES) - {FALLBACK})


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """The program behind C{make locale}."""
    spec = spec_from_file_location("catalogues", ROOT / "tools" / "catalogues.py")
    assert spec is not None
    assert spec.loader is not None
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def test_every_text_is_translated_in_every_language(tool: ModuleType) -> None:
    """As C{make locale} leaves it."""
    assert list(tool.problems()) == []


def test_there_is_a_catalogue_for_each_language(tool: ModuleType) -> None:
    """And none that no page is written in."""
    assert sorted(tool.catalogues()) == sorted(path_of(tag) for tag in TRANSLATED)


@pytest.mark.parametrize(
    ("tag", "counts", "said"),
    [
        ("en", (1, 2), ("%(days)s day", "%(days)s days")),
        ("pl", (1, 2, 5, 22), ("%(days)s dzień", "%(days)s dni", "%(days)s dni", "%(days)s dni")),
        ("fr", (0, 1, 2), ("%(days)s jour", "%(days)s jour", "%(days)s jours")),
        ("ja", (1, 2), ("%(days)s 日", "%(days)s 日")),
        ("ar", (1, 2, 3, 11, 100), ("يوم واحد", "يومان", "%(days)s أيام", "%(days)s يومًا", "%(days)s يوم")),
    ],
)
def test_plural_forms_are_those_of_the_language(tag: str, counts: tuple[int, ...], said: tuple[str, ...]) -> None:
    """One for Japanese, two for most, three for Polish, six for Arabic."""
    catalogue = read_catalogue(tag)
    assert tuple(catalogue.ungettext("%(days)s day", "%(days)s days", count) for count in counts) == said


def message(**values: object) -> Message:
    """A German translation, right unless told otherwise."""
    return Message(**{"id": "Go to %(host)s", "string": "Weiter zu %(host)s", **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (message(), None),
        (message(string=""), "not translated"),
        (message(flags=["fuzzy"]), "doubtful"),
        (message(string="Weiter zu %(hots)s"), "placeholders"),
        (message(string="Weiter"), "placeholders"),
        (message(string="Weiter zu %(host)s %(host)s"), "placeholders"),
        (message(string="100 % zu %(host)s"), "placeholders"),
        (message(string="Weiter zu <b>%(host)s</b>"), "tags"),
        (message(id=("a day", "%(n)s days"), string=("ein Tag", "%(n)s Tage")), None),
        (message(id=("a day", "%(n)s days"), string=("%(n)s Tag", "%(n)s Tage")), None),
        (message(id=("a day", "%(n)s days"), string=("ein Tag", "Tage")), "placeholders"),
        (message(id=("a day", "%(n)s days"), string=("ein Tag", "")), "not translated"),
        (message(id=("a day", "%(n)s days"), string=("%(n)s Tage",)), "not translated"),
    ],
)
def test_a_bad_translation_is_noticed(tool: ModuleType, wrong: Message, problem: str | None) -> None:
    """Before a guest reads it, or a page fails."""
    found = list(tool.flaws(wrong, Catalog("de")))
    assert (problem in found[0]) if problem else not found


def test_a_catalogue_out_of_step_is_noticed(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A text that is gone, one that is new; C{update} mends what a program can mend."""
    templates, catalogue = tmp_path / "templates", tmp_path / "locale" / "de" / "LC_MESSAGES" / "wifidogd.po"
    templates.mkdir()
    catalogue.parent.mkdir(parents=True)
    (templates / "a.html").write_text("{% trans %}New{% endtrans %}")
    catalogue.write_text('msgid "Old"\nmsgstr "Alt"\n')
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "TEMPLATES", templates)
    monkeypatch.setattr(tool, "CATALOGUES", tmp_path / "locale")
    assert tool.main(["check"]) == 1
    assert "not in step" in capsys.readouterr().out
    assert tool.main(["update"]) == 1
    assert "de: not translated: 'New'" in capsys.readouterr().out
    catalogue.write_text(catalogue.read_text().replace('msgid "New"\nmsgstr ""', 'msgid "New"\nmsgstr "Neu"'))
    assert tool.main(["check"]) == 0
    with catalogue.open("rb") as file:
        assert [message.id for message in read_po(file) if message.id] == ["New"]


def test_a_catalogue_is_replaced_whole(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads it meanwhile has the old one or the new one, and a write that fails leaves the old one alone."""
    catalogue = tmp_path / "wifidogd.po"
    catalogue.write_text("old")
    with catalogue.open() as reader:
        tool.replace(catalogue, b"new")
        assert reader.read() == "old"
    assert catalogue.read_text() == "new"
    assert list(tmp_path.iterdir()) == [catalogue]
    assert catalogue.stat().st_mode & 0o777 == 0o644

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(tool.os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        tool.replace(catalogue, b"newer")
    assert catalogue.read_text() == "new"
    assert list(tmp_path.iterdir()) == [catalogue]


def test_the_tool_explains_itself(tool: ModuleType) -> None:
    """Whoever calls it wrong."""
    assert tool.main([]) == 2
