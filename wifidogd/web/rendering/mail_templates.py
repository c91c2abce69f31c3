"""The words of letters: templates like those of pages, but plain text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wifidogd.accounts.mails import MailKind
from wifidogd.web.rendering.environments import make_environments, read_all
from wifidogd.web.rendering.pages import FOLDERS


class MailTemplates:
    """Fills the templates of letters, in each language."""

    def __init__(self, folders: Sequence[Path] = FOLDERS) -> None:
        self._templates = make_environments(folders, {})
        read_all(self._templates, "txt")

    def write(self, letter: MailKind, language: str, **values: object) -> tuple[str, str]:
        """As L{Writer.write<wifidogd.accounts.mails.Writer>}; the first line of a template is the subject."""
        text = self._templates[language].get_template(f"mail_{letter.value}.txt").render(values)
        subject, _, body = text.partition("\n")
        return subject, body.strip() + "\n"
