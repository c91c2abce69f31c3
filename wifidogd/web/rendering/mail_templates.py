"""The text of mails, from templates like those of pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wifidogd.accounts.mails import MailKind
from wifidogd.web.rendering.environments import make_environments, read_all
from wifidogd.web.rendering.pages import FOLDERS


class MailTemplates:
    """Fills the templates of mails in each language."""

    def __init__(self, folders: Sequence[Path] = FOLDERS) -> None:
        self._templates = make_environments(folders, {})
        read_all(self._templates, "txt")

    def write(self, kind: MailKind, language: str, **values: object) -> tuple[str, str]:
        """
        Return subject and text, as L{Writer.write<wifidogd.accounts.mails.Writer>}; a template's first line is the
        subject.
        """
        text = self._templates[language].get_template(f"mail_{kind.value}.txt").render(values)
        subject, _, body = text.partition("\n")
        return subject, body.strip() + "\n"
