"""From the operator's command to a guest who is online: printed, scanned off the paper, tapped, let in."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest_twisted
import zxingcpp
from PIL import Image
from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from tests.ctl.test_ctl import Operator
from tests.support.browser import Browser, StandInGateway, browsing
from tests.support.builders import put
from tests.support.checkout import ROOT
from tests.support.deadline import within
from tests.support.site_server import GATEWAY, MAC, SiteServer
from wifidogd.store.driver.database import Database


def commands_of_the_readme() -> list[list[str]]:
    """Read what it tells an operator to type for ten vouchers; the last one writes the sheet."""
    section = (ROOT / "README.md").read_text("utf-8").partition("### Vouchers\n")[2]
    lines = [line.strip() for line in section.split("\n\n")[1].splitlines()]
    return [shlex.split(line.partition(" > ")[0], comments=True)[1:] for line in lines]


@pytest_twisted.async_yield_fixture
async def site(database: Database) -> AsyncIterator[SiteServer]:
    """A server with a plan to sell."""
    site = await SiteServer(database).open(gateway=None)
    plan = "('day', 'Day pass', '24 hours', 500000000, 2)"
    await put(database, f"INSERT INTO plans (name, title, time_limit, total_octets, devices) VALUES {plan}")
    yield site
    await site.close()


@pytest_twisted.async_yield_fixture
async def gateway(site: SiteServer) -> AsyncIterator[StandInGateway]:
    """A gateway in front of it."""
    gateway = StandInGateway(site.port, MAC)
    gateway.listen()
    await site.adopt(replace(GATEWAY, address="127.0.0.1", port=gateway.port))
    yield gateway
    await gateway.close()


async def browse(journey: Callable[[Browser], None], width: int, **how: bool | int) -> None:
    """Let a browser make a journey."""

    def in_thread() -> None:
        with browsing(width, **how) as browser:  # type: ignore[arg-type]
            journey(browser)

    await within(90, deferToThread(in_thread))


@ensureDeferred
async def test_a_printed_voucher_gets_its_guest_online(
    dsn: str, site: SiteServer, gateway: StandInGateway, tmp_path: Path
) -> None:
    """
    As the README has it, without script, cookie or a character typed.

    Scan, tap to be caught by the gateway, tap to sign in.
    """
    operator = Operator(dsn)
    for words in commands_of_the_readme():
        said = await operator.does(*(f"http://localhost:{site.port}" if "://" in word else word for word in words))
    sheet = tmp_path / "sheet.html"
    sheet.write_text(said, "utf-8")
    codes = [str(voucher["code"]) for voucher in await operator.reads("voucher", "list")]
    assert len(codes) == 10
    await site.refresh()
    addresses: list[str] = []

    def scan(browser: Browser) -> None:
        browser.open(sheet.as_uri())
        picture = Image.open(browser.keep("voucher-sheet")).convert("L")
        addresses.extend(barcode.text for barcode in zxingcpp.read_barcodes(picture))
        assert browser.complaints() == []

    await browse(scan, 1280, height=1300)
    assert {address.rpartition("/")[2] for address in addresses} == {code.replace("-", "") for code in codes}

    def sign_in(browser: Browser) -> None:
        browser.open(addresses[3])
        assert browser.heading() == "Your voucher"
        looks_right(browser, "voucher-360-1-scanned")
        browser.press("Go on", then="Use a voucher")
        looks_right(browser, "voucher-360-2-login")
        browser.press("Use this voucher", then="You are online")
        looks_right(browser, "voucher-360-3-portal")

    await browse(sign_in, 360, scripts=False, caught_by=gateway.port)
    assert len(gateway.online) == 1
    states = [voucher["state"] for voucher in await operator.reads("voucher", "list")]
    assert sorted(states) == [*9 * ["new"], "used"]


@ensureDeferred
async def test_a_code_is_typed_where_any_page_was_opened(dsn: str, site: SiteServer, gateway: StandInGateway) -> None:
    """With the typo that the page explains; on the smallest screen, with several ways to sign in."""
    operator = Operator(dsn)
    await operator.does("network", "set", "default", "--sign-in", "splash,account,voucher")
    made = await operator.reads("voucher", "create", "--plan", "day", "--count", "1")
    await site.refresh()
    code = made["codes"][0].lower().replace("-", " ")

    def sign_in(browser: Browser) -> None:
        browser.open(gateway.redirect())
        assert browser.heading() == "Welcome"
        looks_right(browser, "voucher-320-1-ways")
        browser.driver.find_elements("css selector", "summary")[1].click()
        looks_right(browser, "voucher-320-2-unfolded")
        browser.type("code", code[:-1] + ("0" if code[-1] == "1" else "1"))
        browser.press("Use this voucher", then="Use a voucher")
        assert "There is a mistake in this code" in browser.text()
        browser.keep("voucher-320-3-typo")
        browser.driver.execute_script("document.getElementById('code').value = ''")
        browser.type("code", code)
        browser.press("Use this voucher", then="You are online")

    await browse(sign_in, 320)
    assert len(gateway.online) == 1


def looks_right(browser: Browser, name: str) -> None:
    """Keep a picture; nothing sticks out, nothing is too small for a thumb, the browser does not complain."""
    browser.keep(name)
    assert browser.overflow() <= 0
    assert browser.targets_too_small() == []
    assert [text for text in browser.complaints() if "favicon" not in text] == []
