"""
Keeps the translations of the pages in step with the templates.

    tools/catalogues.py update    adds new texts to every catalogue, and drops the texts that no template uses any more
    tools/catalogues.py check     fails if a translation is missing, fuzzy, obsolete or damaged in any language

To add a language, create an empty file LANGUAGE/LC_MESSAGES/wifidogd.po, and add the language's name to
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
    """Run the command in C{words}, and return the exit status."""
    if list(words) == ["update"]:
        for path in catalogues():
            replace(path, updated(path))
        return report(problems())
    if list(words) == ["check"]:
        return report(problems())
    print(__doc__, file=sys.stderr)
    return 2


def report(found: Iterator[str]) -> int:
    """Print the problems, and return 1 if there were any, otherwise 0."""
    lines = list(found)
    print("\n".join([*lines, f"{len(lines)} problems"] if lines else ["Every text is translated."]))
    return 1 if lines else 0


def catalogues() -> list[Path]:
    """Return the paths of all catalogues, sorted."""
    return sorted(CATALOGUES.glob("*/LC_MESSAGES/wifidogd.po"))


def language_of(path: Path) -> str:
    """Return the language of a catalogue as gettext spells it, such as C{zh_Hans}."""
    return path.parts[-3]


def extracted() -> Catalog:
    """Return a catalogue of the texts in all templates, without translations."""
    catalog = Catalog(project="wifidogd", charset="utf-8")
    for path in sorted(path for path in TEMPLATES.rglob("*") if path.suffix in (".html", ".txt")):
        with path.open("rb") as file:
            options = {"trimmed": "true", "silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}
            for _, text, comments, context in extract(babel_extract, file, DEFAULT_KEYWORDS, ["Translators:"], options):
                catalog.add(text, None, [(str(path.relative_to(ROOT)), None)], (), comments, context=context)
    return catalog


def updated(path: Path) -> bytes:
    """Return the updated content of a catalogue; for a text that has changed, the old translation is dropped."""
    catalog = read(path)
    catalog.update(extracted(), no_fuzzy_matching=True, update_header_comment=False)
    catalog.header_comment, catalog.fuzzy = _HEAD, False
    written = BytesIO()
    write_po(written, catalog, width=120, ignore_obsolete=True, sort_output=True, include_lineno=False)
    return _DATED.sub(b"", written.getvalue())


def replace(path: Path, content: bytes) -> None:
    """Replace a file atomically, so that no reader sees half of it; its mode becomes 644."""
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
    """Return the parsed catalogue at C{path}."""
    with path.open("rb") as file:
        return read_po(file, language_of(path))


def problems() -> Iterator[str]:
    """Yield a line for each problem in any catalogue."""
    for path in catalogues():
        if path.read_bytes() != updated(path):
            yield f"{language_of(path)}: not in step with the templates: make locale"
        catalog = read(path)
        wanted = extracted()
        for message in catalog:
            if message.id and wanted.get(message.id, message.context) is not None:
                yield from (f"{language_of(path)}: {problem}: {message.id!r}" for problem in flaws(message, catalog))


def flaws(message: Message, catalog: Catalog) -> Iterator[str]:
    """Yield each problem in a translation."""
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
    Return whether a translation has the same placeholders and tags as the original.

    @param originals: the singular and, if there is one, the plural, which has all of them.
    @param optional: whether placeholders may be missing: "a minute" instead of "1 minute".
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
