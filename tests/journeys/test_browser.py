"""A guest's journey in a real browser, from the gateway's redirect to the portal and out again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from selenium.webdriver import Chrome
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tests.support.browser import Browser, StandInGateway, visiting
from tests.support.deadline import within
from tests.support.site_server import GATEWAY, MAC, SiteServer
from wifidogd.store.driver.database import Database

TERMS = (
    "Be kind to other guests and do nothing that is against the law.\n\n"
    "We store the address of your device, when you were online and how much data you used, for one year.\n\n"
    "The connection is not encrypted between your device and our antenna.\n\n"
    "We do our best but promise nothing: the internet may be slow, or away."
)


class Site:
    """A server, a gateway in front of it, and the threads in which browsers wait for both."""

    def __init__(self, server: SiteServer, gateway: StandInGateway, driver: Chrome) -> None:
        self.server = server
        self.gateway = gateway
        self.driver = driver

    async def visit(self, journey: Callable[[Browser], None], width: int, **how: bool | int) -> None:
        """Let a browser make a journey."""

        def in_thread() -> None:
            with visiting(self.driver, width, **how) as browser:  # type: ignore[arg-type]
                journey(browser)

        await within(90, deferToThread(in_thread))


@pytest_twisted.async_yield_fixture
async def site(database: Database, driver: Chrome) -> AsyncIterator[Site]:
    """A network with terms, a time limit and a quota, behind an adopted gateway."""
    site = await SiteServer(database).open(gateway=None)
    gateway = StandInGateway(site.port, MAC)
    gateway.listen()
    await site.adopt(replace(GATEWAY, address="127.0.0.1", port=gateway.port))
    await site.refresh()
    await site.change_network(
        title="Café Bleu", terms={"en": TERMS}, time_limit=timedelta(hours=2), quota_octets=500_000_000
    )
    yield Site(site, gateway, driver)
    await gateway.close()
    await site.close()


def looks_right(browser: Browser, name: str) -> None:
    """Keep a picture; nothing sticks out, nothing is too small for a thumb, the browser does not complain."""
    browser.keep(name)
    assert browser.overflow() <= 0
    assert browser.targets_too_small() == []
    assert [text for text in browser.complaints() if "favicon" not in text] == []


@pytest.mark.parametrize(("width", "scripts"), [(320, False), (360, False), (360, True), (1280, True)])
@ensureDeferred
async def test_a_guest_signs_in_and_out_by_splash(site: Site, width: int, scripts: bool) -> None:
    """One button, whatever the width, with and without scripts; the policy lets the whole chain pass."""
    name = f"splash-{width}{'' if scripts else '-noscript'}"

    def journey(browser: Browser) -> None:
        browser.open(site.gateway.redirect())
        assert browser.heading() == "Welcome"
        looks_right(browser, f"{name}-1-login")
        browser.unfold()
        looks_right(browser, f"{name}-2-terms")
        browser.press("Accept and connect", then="You are online")
        assert "2 hours" in browser.text() or "1 hour 59 minutes" in browser.text()
        assert len(site.gateway.online) == 1
        looks_right(browser, f"{name}-3-portal")
        browser.open(site.gateway.redirect())
        assert browser.heading() == "You are online"
        looks_right(browser, f"{name}-4-online")
        browser.driver.back()
        browser.waits_for("You are online")
        browser.press("Log out", then="You are logged out")
        browser.keep(f"{name}-5-offline")
        browser.press("Sign in again", then="Welcome")

    await site.visit(journey, width, scripts=scripts)
    assert site.gateway.online == set()


@ensureDeferred
async def test_a_guest_signs_in_by_account(site: Site) -> None:
    """After a wrong password, which the page explains."""
    await site.server.ask_for_accounts(anna="correct horse")

    def journey(browser: Browser) -> None:
        browser.open(site.gateway.redirect())
        assert browser.heading() == "Sign in"
        looks_right(browser, "account-360-1-login")
        browser.type("name", "anna")
        browser.type("password", "wrong")
        browser.press("Sign in", then="Sign in")
        browser.keep("account-360-2-refused")
        assert "do not go together" in browser.text()
        browser.type("password", "correct horse")
        browser.press("Sign in", then="You are online")

    await site.visit(journey, 360, scripts=False)
    assert len(site.gateway.online) == 1


@ensureDeferred
async def test_pages_are_readable_in_the_dark(site: Site) -> None:
    """For who has set the device so."""
    await site.server.ask_for_accounts()

    def journey(browser: Browser) -> None:
        browser.open(site.gateway.redirect())
        looks_right(browser, "dark-360-1-login")
        assert browser.driver.find_element("css selector", "body").value_of_css_property("background-color") != (
            "rgba(238, 242, 241, 1)"
        )

    await site.visit(journey, 360, dark=True)


@ensureDeferred
async def test_the_gateway_may_name_our_portal_by_another_port(site: Site) -> None:
    """A policy that named only the page's own origin would stop the guest on the way."""
    other = reactor.listenTCP(0, site.server.site, interface="127.0.0.1")
    site.gateway.portal = f"http://localhost:{other.getHost().port}/wifidog/portal/"

    def journey(browser: Browser) -> None:
        browser.open(site.gateway.redirect())
        browser.press("Accept and connect", then="You are online")

    await site.visit(journey, 360)
    await within(5, other.stopListening())


@ensureDeferred
async def test_other_pages_look_right(site: Site) -> None:
    """Those for owners, for lost guests, and when something is wrong."""
    root = f"http://localhost:{site.server.port}/wifidog"
    pages = {
        "adopt": "/login/?gw_id=my-router&gw_address=192.168.1.1&gw_port=2060",
        "moved": "/login/?gw_id=gw1&gw_address=192.168.1.1&gw_port=2060",
        "no-gateway": "/login/",
        "denied": "/gw_message.php?message=denied",
        "home": "/",
        "welcome": "/portal/?gw_id=gw1",
    }

    def journey(browser: Browser) -> None:
        for name, target in pages.items():
            browser.open(root + target)
            browser.keep(f"other-320-{name}")
            assert browser.overflow() <= 0, name
            assert browser.targets_too_small() == [], name

    await site.visit(journey, 320)
