"""The templates in each language: one environment per catalogue, all made at the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.bccache import Bucket
from jinja2.runtime import Context

from wifidogd.web.rendering.formatting import Size, size, span, write_hours, write_moment, write_size
from wifidogd.web.rendering.language import FALLBACK, NAMES, Language, locale_of, text_in

CATALOGUES = Path(__file__).parent / "locale"
"""One folder per language, as gettext lays them out; the templates' own language needs none."""


class SharedCode(BytecodeCache):
    """A bytecode cache for all environments: a template compiles to the same program in every language."""

    def __init__(self) -> None:
        self._code: dict[str, Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Use what another environment compiled."""
        bucket.code = self._code.get(bucket.key + bucket.checksum)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code for the other environments."""
        self._code[bucket.key + bucket.checksum] = bucket.code


def make_environments(folders: Sequence[Path], common: Mapping[str, Any]) -> dict[str, Environment]:
    """
    Return an environment for each language of L{NAMES}, so that no request waits for a catalogue.

    @param common: what templates of all languages see.
    """
    return {tag: _environment(tag, folders, common, shared_code()) for tag in NAMES}


def read_all(environments: Mapping[str, Environment], *kinds: str) -> None:
    """
    Read all templates now, so that no request waits for one or opens a file that only root may read.

    @param kinds: suffixes of their names.
    """
    for environment in environments.values():
        for name in environment.list_templates(kinds):
            environment.get_template(name)


@cache
def shared_code() -> SharedCode:
    """Return the bytecode cache of this process."""
    return SharedCode()


@cache
def read_catalogue(tag: str) -> NullTranslations:
    """Return the translations of a language."""
    if tag == FALLBACK:
        return NullTranslations()
    with path_of(tag).open("rb") as file:
        catalogue = read_po(file, tag.replace("-", "_"))
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def path_of(tag: str) -> Path:
    """Return the path of a language's catalogue."""
    return CATALOGUES / tag.replace("-", "_") / "LC_MESSAGES" / "wifidogd.po"


def _environment(tag: str, folders: Sequence[Path], common: Mapping[str, Any], code: SharedCode) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=code,
    )
    environment.install_gettext_translations(read_catalogue(tag), newstyle=True)  # type: ignore[attr-defined]
    environment.policies["ext.i18n.trimmed"] = True
    environment.globals.update(common, language=tag, dir=locale_of(tag).text_direction, languages=NAMES)
    environment.filters.update(_filters(tag))
    return environment


def _filters(tag: str) -> dict[str, Any]:
    """
    Return the filters with which templates of a language write values.

    C{amount|size} takes octets or a L{Size}; C{length|span} returns what the
    macro of that name in C{words.html} takes; C{at|moment(zone, now)} writes an
    instant, C{text|hours} opening hours; C{texts|mine} returns language and text of
    one of an operator's texts, or None; C{address|kept} keeps the language the
    guest has picked.
    """
    locale = locale_of(tag)

    def write(amount: Size | int) -> str:
        return write_size(size(amount) if isinstance(amount, int) else amount, locale)

    def moment(at: datetime, zone: str, now: datetime) -> str:
        return write_moment(at, zone, now, locale)

    def mine(texts: Mapping[str, str]) -> tuple[str, str] | None:
        return text_in(texts, tag)

    def hours(text: str) -> str:
        return write_hours(text, locale)

    @pass_context
    def kept(context: Context, address: str) -> str:
        return Language(tag, context.resolve("chosen") is True).kept(address)

    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    write(0), moment(noon, "UTC", noon)  # reads Babel's data on the language now
    return {"size": write, "span": span, "moment": moment, "hours": hours, "mine": mine, "kept": kept}
