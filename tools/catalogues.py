"""
Keeps the translations of the pages in step with the templates.

    tools/catalogues.py update    writes texts that are new into every catalogue, and drops those that are gone
    tools/catalogues.py check     fails if a text is missing, doubtful, gone or damaged in any language

A new language begins with an empty file LANGUAGE/LC_MESSAGES/wifidogd.po and its name in
wifidogd/web/rendering/language.py.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from gettext import c2py
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

ROOT = Path(__file__).parents[1]
TEMPLATES = ROOT / "templates"
CATALOGUES = ROOT / "wifidogd" / "web" / "rendering" / "locale"

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_TAG = re.compile(r"<[^>]*>")
_DATED = re.compile(rb'^"(?:Project|Report|POT|PO|Last|Generated)-[A-Za-z-]+: .*\n|^"Language-Team: .*\n', re.M)
_HEAD = '# Texts of wifidogd\'s pages. "make locale" keeps this file in step with the templates.'


def main(words: Sequence[str]) -> int:
    """Do as told."""
    if list(words) == ["update"]:
        for path in catalogues():
            replace(path, updated(path))
        return report(problems())
    if list(words) == ["check"]:
        return report(problems())
    print(__doc__, file=sys.stderr)
    return 2


def report(found: Iterator[str]) -> int:
    """Print problems; 1 if there were any."""
    lines = list(found)
    print("\n".join([*lines, f"{len(lines)} problems"] if lines else ["Every text is translated."]))
    return 1 if lines else 0


def catalogues() -> list[Path]:
    """List the catalogues."""
    return sorted(CATALOGUES.glob("*/LC_MESSAGES/wifidogd.po"))


def language_of(path: Path) -> str:
    """Name the language of a catalogue as gettext does, C{zh_Hans}."""
    return path.parts[-3]


def extracted() -> Catalog:
    """Collect the texts of all templates."""
    catalog = Catalog(project="wifidogd", charset="utf-8")
    for path in sorted(path for path in TEMPLATES.rglob("*") if path.suffix in (".html", ".txt")):
        with path.open("rb") as file:
            options = {"trimmed": "true", "silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}
            for _, text, comments, context in extract(babel_extract, file, DEFAULT_KEYWORDS, ["Translators:"], options):
                catalog.add(text, None, [(str(path.relative_to(ROOT)), None)], (), comments, context=context)
    return catalog


def updated(path: Path) -> bytes:
    """Bring a catalogue up to date; translations of texts that have changed are dropped, not guessed at."""
    catalog = read(path)
    catalog.update(extracted(), no_fuzzy_matching=True, update_header_comment=False)
    catalog.header_comment, catalog.fuzzy = _HEAD, False
    written = BytesIO()
    write_po(written, catalog, width=120, ignore_obsolete=True, sort_output=True, include_lineno=False)
    return _DATED.sub(b"", written.getvalue())


def replace(path: Path, content: bytes) -> None:
    """Replace a file in one step, so that nobody ever reads a half of it; with the rights that files usually have."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.close()
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def read(path: Path) -> Catalog:
    """Read a catalogue."""
    with path.open("rb") as file:
        return read_po(file, language_of(path))


def problems() -> Iterator[str]:
    """Say what is wrong with any catalogue."""
    for path in catalogues():
        if path.read_bytes() != updated(path):
            yield f"{language_of(path)}: not in step with the templates: make locale"
        catalog = read(path)
        wanted = extracted()
        for message in catalog:
            if message.id and wanted.get(message.id, message.context) is not None:
                yield from (f"{language_of(path)}: {problem}: {message.id!r}" for problem in flaws(message, catalog))


def flaws(message: Message, catalog: Catalog) -> Iterator[str]:
    """Say what is wrong with a translation."""
    originals, forms = _texts(message.id), _texts(message.string)
    if message.fuzzy:
        yield "marked as doubtful"
    if len(forms) != (catalog.num_plurals if message.pluralizable else 1) or not all(forms):
        yield "not translated"
        return
    for number, form in enumerate(forms):
        if not fits(form, originals, optional=message.pluralizable and _is_for_one_number(number, catalog)):
            yield f"other placeholders or tags in {form!r}"


def fits(form: str, originals: Sequence[str], *, optional: bool) -> bool:
    """
    Tell whether a translation has the placeholders and tags of the original.

    @param originals: singular and, if there is one, plural, which has them all.
    @param optional: whether it may do without: "a minute" instead of "1 minute".
    """
    try:
        form % dict.fromkeys(_PLACEHOLDER.findall(form), "")
    except (TypeError, ValueError):
        return False
    had, has = _PLACEHOLDER.findall(originals[-1]), _PLACEHOLDER.findall(form)
    same = set(has) <= set(had) if optional else sorted(has) == sorted(had)
    return same and sorted(_TAG.findall(form)) == sorted(_TAG.findall(originals[-1]))


def _is_for_one_number(number: int, catalog: Catalog) -> bool:
    rule = c2py(catalog.plural_expr)
    return sum(rule(count) == number for count in range(1, 300)) <= 1


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
