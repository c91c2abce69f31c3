"""Writes pages, and the policy that browsers enforce on them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from wifidogd.web.rendering.brand import Page, source_of
from wifidogd.web.rendering.environments import make_environments, read_all
from wifidogd.web.rendering.language import ENGLISH, Language, Switch

_PACKAGE = Path(__file__).parents[2]
FOLDERS = (_PACKAGE / "templates", _PACKAGE.parent / "templates")
"""Where the templates are: inside the installed package, or beside it in a checkout."""


class Pages:
    """
    Fills the templates in the language of the request.

    All pages share one style sheet; only the portal has a script.
    """

    def __init__(self, path: str, folders: Sequence[Path] = FOLDERS) -> None:
        """@param path: the path under which the server is reached, with slashes around it."""
        style, script = _tight(_read("style.css", folders)), _read("portal.js", folders)
        common = {"path": path, "style": Markup(style), "script": Markup(script)}  # noqa: S704 - ours
        self._templates = make_environments(folders, common)
        read_all(self._templates, "html", "json")
        self._style, self._script = source_of(style), source_of(script)

    def policy(self, page: Page | bytes, forms: Sequence[str] = (), images: str | None = None) -> str:
        """
        Return the Content-Security-Policy of a page.

        @param page: bytes stand for a body that shows nothing.
        @param forms: origins besides ours where forms may lead.
        @param images: origin whose images the page may load; None for none.
        """
        page = Page("", {}) if isinstance(page, bytes) else page
        sources = {
            "default-src": ("'none'",),
            "style-src": (self._style, *page.styles),
            "script-src": (self._script,) if page.has_script else (),
            "connect-src": ("'self'",) if page.has_script else (),
            "img-src": ((images,) if images else ()) + (("data:",) if page.has_data_images else ()),
            "form-action": ("'self'", *forms),
            "base-uri": ("'none'",),
            "frame-ancestors": ("'none'",),
        }
        return "; ".join(f"{name} {' '.join(allowed)}" for name, allowed in sources.items() if allowed)

    def write(self, page: Page, language: Language = ENGLISH, switch: Switch | None = None, origin: str = "") -> bytes:
        """
        Return a page in a language, as UTF-8.

        @param switch: how to ask for it in another language; None when it cannot be asked for again.
        @param origin: the origin under which the browser reached us, for addresses to be copied; empty when unknown.
        """
        template = self._templates[language.tag].get_template(page.template)
        return template.render(page.values, chosen=language.chosen, switch=switch, origin=origin).encode()


def _read(name: str, folders: Sequence[Path]) -> str:
    return next(file for folder in folders if (file := folder / name).exists()).read_text("utf-8")


def _tight(style: str) -> str:
    """Return a style sheet without white space and comments: it is sent with every page."""
    return re.sub(r"\s*([{};,])\s*|(:)\s+", r"\1\2", style)
