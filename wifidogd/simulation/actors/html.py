"""Forms and pictures in a page, as a browser without scripts finds them; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass(slots=True)
class Form:
    """
    A form as it would be sent if its button were pressed.

    @ivar action: where to; empty for the page's own address.
    @ivar method: lower-case.
    """

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class Html(HTMLParser):
    """
    What a page is about, read: its C{main} part, or all of a page that has none.

    @ivar forms: in the order of the page.
    @ivar images: where they are.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.images: list[str] = []
        self._open: Form | None = None
        self._has_button = False
        self.feed(_main(text))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect forms and their fields."""
        if tag not in ("form", "input", "button", "img"):
            return
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(said.get("action", ""), said.get("method", "get").lower())
            self._has_button = False
            self.forms.append(self._open)
        elif tag == "img" and "src" in said:
            self.images.append(said["src"])
        elif self._open is not None and "name" in said and self._is_sent(tag):
            self._open.fields[said["name"]] = said.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """Record the end of a form."""
        if tag == "form":
            self._open = None

    def _is_sent(self, tag: str) -> bool:
        """Return whether a field is sent; of the buttons of a form, the first is the one that is pressed."""
        is_first = not self._has_button
        self._has_button |= tag == "button"
        return tag != "button" or is_first

    def form_to(self, action: str) -> Form | None:
        """Find the first form that is posted to an address; None if there is none."""
        posted = (form for form in self.forms if form.method == "post")
        return next((form for form in posted if form.action.partition("?")[0].rstrip("/") == action), None)


def _main(text: str) -> str:
    """Leaving out head and foot, which guests hardly look at either: style and languages are most of a page."""
    _, found, rest = text.partition("<main>")
    return rest.partition("</main>")[0] if found else text
