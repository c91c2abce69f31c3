"""Forms are found as a browser without scripts sends them."""

from __future__ import annotations

from wifidogd.simulation.actors.html import Html


def test_the_first_button_of_a_form_is_the_one_that_is_pressed() -> None:
    """Others, and those outside, are not sent."""
    page = """
        <main><button name="menu" value="1">Menu</button><form action="/login" method="post">
        <input type="hidden" name="state" value="s"><button name="back" value="1">Connect</button>
        <button name="mail" value="1">Mail</button></form>
        <form action="/logout" method="post"><button>Log out</button></form></main>
        """
    found = Html(page)
    assert [form.fields for form in found.forms] == [{"state": "s", "back": "1"}, {}]
