"""wifidogctl voucher as operators and scripts run it."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from pytest_twisted import ensureDeferred

from tests.ctl.test_ctl import Operator, wifidogctl
from tests.support.builders import put, run
from wifidogd.ctl.cli.arguments import end_of, until
from wifidogd.domain.tokens import hash_secret
from wifidogd.domain.voucher_codes import read_code
from wifidogd.store.access.vouchers import forget_code, lock_voucher
from wifidogd.store.driver.database import Database

CREATE = ("voucher", "create", "--plan", "day", "--count")


@pytest.fixture
def operator(dsn: str, database: Database) -> Operator:
    """An operator of a migrated database."""
    return Operator(dsn)


async def a_plan(database: Database) -> None:
    """Make a plan as the operator would."""
    values = "('day', 'Day pass', '24 hours', 500000000, 2)"
    await put(database, f"INSERT INTO plans (name, title, time_limit, total_octets, devices) VALUES {values}")


@ensureDeferred
async def test_vouchers_are_made_listed_exported_and_taken_back(operator: Operator, database: Database) -> None:
    """The last value counts."""
    await a_plan(database)
    assert "wifidogctl voucher create" in await operator.does("voucher", "list")
    said = await operator.does(*CREATE, "3", "--batch", "May fair", "--valid-until", "2199-12-31", "--prefix", "h-t")
    assert said == 'Made 3 vouchers: print them with\nwifidogctl voucher sheet --batch "May fair" > sheet.html\n'
    listed = await operator.reads("voucher", "list", "--batch", "May fair")
    assert [each.pop("voucher_id") for each in listed] == [1, 2, 3]
    codes = [each.pop("code") for each in listed]
    assert all(re.fullmatch(r"HT(-[0-9A-Z]{4}){3}", code) and read_code(code) for code in codes)
    assert {each.pop("created_at") is None for each in listed} == {False}
    assert listed == 3 * [
        {
            "batch": "May fair",
            "plan": "day",
            "network": "default",
            "state": "new",
            "valid_until": "2200-01-01T00:00:00Z",
            "first_used_at": None,
        }
    ]
    assert "Revoked 1 voucher." in await operator.does("voucher", "revoke", codes[0].lower())
    assert "No voucher that is still good" in await operator.fails("voucher", "revoke", codes[0], code=1)
    rows = list(csv.DictReader((await operator.does("voucher", "export")).splitlines()))
    assert [(row["code"], row["state"]) for row in rows] == list(zip(codes, ("revoked", "new", "new"), strict=True))
    assert "Revoked 2 vouchers." in await operator.does("voucher", "revoke", "--batch", "May fair")
    assert "has no unused voucher" in await operator.fails("voucher", "sheet", "--batch", "May fair", code=1)


@ensureDeferred
async def test_scripts_get_the_codes_at_once(operator: Operator, database: Database) -> None:
    """The batch is called by date and time if nobody says how."""
    await a_plan(database)
    made = await operator.reads(*CREATE, "2")
    assert len({read_code(code) for code in made["codes"]} - {None}) == 2
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d", made["batch"])
    assert len(await operator.reads("voucher", "list", "--batch", made["batch"])) == 2


@ensureDeferred
async def test_what_cannot_be_made_is_explained(operator: Operator, database: Database) -> None:
    """In a sentence, and nothing is made."""
    await a_plan(database)
    await operator.does(*CREATE, "1", "--batch", "a")
    refused = {
        (*CREATE, "1", "--batch", "a"): "another one with --batch",
        ("voucher", "create", "--plan", "none", "--count", "1"): "wifidogctl plan list",
        (*CREATE, "1", "--network", "none"): "wifidogctl network list",
        (*CREATE, "1", "--valid-until", "2020-01-01"): "name a day to come",
        ("voucher", "sheet", "--batch", "b"): "wifidogctl voucher list",
    }
    for words, advice in refused.items():
        assert advice in await operator.fails(*words, code=1)
    misused = {
        (*CREATE, "0"): "number",
        (*CREATE, "10001"): "10000 is the most",
        (*CREATE, "1", "--batch", "=1+1"): "cannot name a batch",
        (*CREATE, "1", "--prefix", "é"): "cannot begin codes",
        (*CREATE, "1", "--valid-until", "soon"): "2027-01-31",
        ("voucher", "revoke", "0000-0000-0001"): "typo",
        ("voucher", "revoke"): "required",
        ("voucher", "sheet", "--batch", "a", "--server", "http://wifi/x"): "https://wifi.example:8443",
    }
    for words, advice in misused.items():
        assert advice in await operator.fails(*words, code=2)
    assert len(await operator.reads("voucher", "list")) == 1


@ensureDeferred
async def test_a_network_that_does_not_ask_for_vouchers_is_pointed_out(
    dsn: str, operator: Operator, database: Database
) -> None:
    """With the command to type."""
    await a_plan(database)
    words = ("--database", dsn, *CREATE, "1")
    first = await wifidogctl(*words, "--batch", "1")
    assert "`wifidogctl network set default --sign-in splash,voucher`" in first.err
    await operator.does("network", "set", "default", "--sign-in", "splash,voucher")
    assert (await wifidogctl(*words, "--batch", "2")).err == ""


class Elements(HTMLParser):
    """Checks that a page loads nothing, and collects what is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action", "data", "xlink:href")]


@ensureDeferred
async def test_a_sheet_has_what_is_unused_and_needs_no_connection(operator: Operator, database: Database) -> None:
    """Ten to a page, each with a picture and its code."""
    await a_plan(database)
    made = await operator.reads(*CREATE, "12", "--batch", "b")
    used = await run(database, lock_voucher, hash_secret(str(read_code(made["codes"][0]))))
    assert used is not None
    await run(database, forget_code, used.voucher_id)
    page = await operator.does("voucher", "sheet", "--batch", "b", "--server", "https://wifi.example/", "--path", "/")
    elements = Elements()
    elements.feed(page)
    assert elements.addresses == []
    assert not {"script", "img", "link", "iframe", "object"} & set(elements.tags)
    assert "url(" not in page
    assert "@import" not in page
    assert elements.tags.count("svg") == elements.tags.count("article") == 11
    assert [code in page for code in made["codes"]] == [False, *11 * [True]]
    assert {"Day pass", "1 day from the first use on", "500 MB of data", "2 devices at a time"} <= {
        text.strip() for text in re.split("<[^>]*>", page)
    }


@ensureDeferred
async def test_a_sheet_is_in_the_language_that_is_asked_for(operator: Operator, database: Database) -> None:
    """Arabic is written from right to left, codes never are."""
    await a_plan(database)
    await operator.does(*CREATE, "1", "--batch", "b", "--valid-until", "2199-12-31")
    page = await operator.does("voucher", "sheet", "--batch", "b", "--language", "ar", "--server", "http://w.example")
    assert '<html lang="ar" dir="rtl">' in page
    assert '<p class="code" dir="ltr">' in page


@pytest.mark.parametrize(
    ("text", "zone", "end"),
    [
        ("2027-01-31", "UTC", datetime(2027, 2, 1, tzinfo=UTC)),
        ("2027-01-31", "Europe/Paris", datetime(2027, 1, 31, 23, tzinfo=UTC)),
        ("2027-03-27", "Europe/Paris", datetime(2027, 3, 27, 23, tzinfo=UTC)),
        ("2027-03-28", "Europe/Paris", datetime(2027, 3, 28, 22, tzinfo=UTC)),
        ("2027-01-31T18:00+01:00", "Asia/Tokyo", datetime(2027, 1, 31, 17, tzinfo=UTC)),
    ],
)
def test_a_day_ends_with_its_night(text: str, zone: str, end: datetime) -> None:
    """In the time zone of the network, also when the clocks change."""
    assert end_of(until(text), zone) == end
    assert end_of(until(text), zone).utcoffset() == timedelta()
