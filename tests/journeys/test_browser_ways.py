"""Every way to sign in, in a real browser: from the gateway's redirect to the portal and out again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from selenium.webdriver import Chrome
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred as ensure
from twisted.internet.threads import blockingCallFromThread, deferToThread

from tests.support.browser import Browser, StandInGateway, visiting
from tests.support.builders import put, rows, run
from tests.support.deadline import within
from tests.support.mailbox import Mailbox
from tests.support.site_server import GATEWAY, MAC, SiteServer
from wifidogd.access.voucher_batches import make_batch
from wifidogd.accounts.mailed_links import MailedLinks
from wifidogd.accounts.mails import MailComposer
from wifidogd.accounts.outbox import Outbox
from wifidogd.accounts.registration import Registration
from wifidogd.accounts.self_service import SelfService
from wifidogd.accounts.smtp import deliver
from wifidogd.accounts.smtp_server import Security
from wifidogd.domain.plans import SignInMethod
from wifidogd.domain.voucher_codes import mint_code, show_code
from wifidogd.store.access.vouchers import Order
from wifidogd.store.driver.database import Database
from wifidogd.web.portal.form_state import FormState
from wifidogd.web.portal.routes import MailServices
from wifidogd.web.rendering.mail_templates import MailTemplates

SIZES = (320, 360, 1280)
LANGUAGES = ("en", "de", "ar")
TERMS = {
    "en": "Be kind to other guests and do nothing that is against the law.\n\nWe keep records for one year.",
    "de": "Seien Sie freundlich und tun Sie nichts Verbotenes.\n\nWir bewahren Aufzeichnungen ein Jahr lang auf.",
    "ar": "كن لطيفًا مع الضيوف الآخرين ولا تفعل ما يخالف القانون.",
}
LOGO = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><circle cx="20" cy="20" r="20" fill="#1c5fb0"/></svg>'
)

EXPECTED = re.compile("favicon|logout=1|status of 401")
"""What browsers complain of as it should be: the gateway answers a log-out with nothing, wrong passwords with 401."""


class WritingSiteServer(SiteServer):
    """
    A server that writes mails.

    @ivar mailbox: where they arrive.
    """

    async def read_mail(self, number: int) -> str:
        """Send what is due; return the address in the mail of this number."""
        await within(10, self._post.send_due())
        found = re.search(r"https?://\S+", str(self.mailbox.received[number][2].get_content()))
        assert found is not None
        return found[0].replace("http://localhost/", f"http://localhost:{self.port}/")

    def mail(self) -> MailServices:
        """Wire what C{--mail} brings."""
        self.mailbox = Mailbox(Security.NONE).open()
        hand_over = partial(deliver, self.mailbox.server(), "wifi@example.org", reactor=reactor)
        self._post = Outbox(self.database, hand_over, utc_now=lambda: self.now, clock=reactor)  # type: ignore[arg-type]
        letters = MailComposer(
            MailTemplates(), sender="wifi@example.org", base="http://localhost/wifidog/mail/", utc_now=lambda: self.now
        )
        return MailServices(
            Registration(self.database, self.passwords, letters, utc_now=lambda: self.now),
            SelfService(self.database, self.passwords, letters, utc_now=lambda: self.now),
            MailedLinks(self.database, self.passwords, utc_now=lambda: self.now),
        )


class Site:
    """
    A server with an account and vouchers, and the gateway in front of it.

    @ivar codes: of vouchers, as printed.
    @ivar driver: of the browser that comes to it.
    """

    def __init__(self, server: WritingSiteServer, gateway: StandInGateway, codes: list[str], driver: Chrome) -> None:
        self.server = server
        self.gateway = gateway
        self.driver = driver
        self.codes = codes

    async def visit(self, journey: Callable[[Browser, str], None], name: str, turn: int, scripts: bool) -> None:
        """Let a browser make a journey at each size, each time in another language."""

        def in_thread() -> None:
            with visiting(self.driver, SIZES[0], scripts=scripts) as browser:
                for number, width in enumerate(SIZES):
                    language = LANGUAGES[(number + turn) % len(LANGUAGES)]
                    browser.resize(width)
                    browser.speak(language)
                    browser.driver.delete_all_cookies()
                    browser.open(self.gateway.redirect())
                    assert browser.direction() == (language, "rtl" if language == "ar" else "ltr")
                    journey(browser, f"{name}-{width}-{language}-{'script' if scripts else 'plain'}")

        await within(150, deferToThread(in_thread))


@pytest_twisted.async_yield_fixture
async def site(database: Database, driver: Chrome) -> AsyncIterator[Site]:
    """A network with a look, terms in three languages, and devices that are remembered."""
    site = await WritingSiteServer(database).open(gateway=None)
    gateway = StandInGateway(site.port, MAC)
    gateway.listen()
    await site.adopt(replace(GATEWAY, address="127.0.0.1", port=gateway.port))
    await site.refresh()
    await site.ask_for_accounts(anna="correct horse")
    await put(
        database,
        """
        INSERT INTO plans (name, title, time_limit, time_counts, total_octets, devices)
        VALUES ('hours', 'Five hours', interval '5 hours', 'used', 1000000000, 3)
        """,
    )
    codes = await run(database, make_batch, Order("b", "hours", "default"), 6, site.now, mint_code)
    await site.change_network(
        title="Café Bleu",
        terms=TERMS,
        time_limit=timedelta(hours=2),
        quota_octets=500_000_000,
        remember=timedelta(days=30),
        colour="#1c5fb0",
        logo=LOGO,
    )
    yield Site(site, gateway, [show_code(code) for code in codes], driver)
    await gateway.close()
    await site.mailbox.close()
    await site.close()


def looks_right(browser: Browser, name: str) -> None:
    """Keep a picture; nothing sticks out, is too small for a thumb, or keeps anybody from using the page."""
    browser.keep(name)
    assert browser.overflow() <= 0, name
    assert browser.targets_too_small() == [], name
    assert [text for text in browser.complaints() if not EXPECTED.search(text)] == [], name
    if "plain" not in name:
        assert browser.barriers() == [], name


def leave(browser: Browser, name: str) -> None:
    """Look at the portal and log out."""
    assert browser.heading()
    looks_right(browser, f"{name}-2-portal")
    browser.touch('form[action*="/logout"] button', then="/logout")
    looks_right(browser, f"{name}-3-offline")


SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])


@SCRIPTS
@ensureDeferred
async def test_by_splash(site: Site, scripts: bool) -> None:
    """One button."""
    await site.server.change_network(methods=(SignInMethod.SPLASH,))

    def journey(browser: Browser, name: str) -> None:
        looks_right(browser, f"{name}-1-login")
        browser.touch("main form button", then="/portal")
        leave(browser, name)

    await site.visit(journey, "splash", 0, scripts)
    assert site.gateway.online == set()


@SCRIPTS
@ensureDeferred
async def test_by_account(site: Site, scripts: bool) -> None:
    """After a mistake that the page explains."""

    def journey(browser: Browser, name: str) -> None:
        browser.type("name", "anna")
        browser.type("password", "wrong")
        browser.touch("main form button", then="/login")
        browser.waits_for_alert()
        looks_right(browser, f"{name}-1-refused")
        browser.type("password", "correct horse")
        browser.touch("main form button", then="/portal")
        leave(browser, name)

    await site.visit(journey, "account", 1, scripts)


@SCRIPTS
@ensureDeferred
async def test_by_voucher(site: Site, scripts: bool) -> None:
    """From among all ways there are."""
    await site.server.change_network(methods=(SignInMethod.VOUCHER, SignInMethod.ACCOUNT, SignInMethod.SPLASH))

    def journey(browser: Browser, name: str) -> None:
        browser.type("code", site.codes.pop())
        looks_right(browser, f"{name}-1-login")
        browser.touch("form:has(#code) button", then="/portal")
        leave(browser, name)

    await site.visit(journey, "voucher", 2, scripts)


@SCRIPTS
@ensureDeferred
async def test_by_a_remembered_device(site: Site, scripts: bool) -> None:
    """The box is ticked once; from then on it is one tap, until the guest has the device forgotten."""

    def journey(browser: Browser, name: str) -> None:
        browser.type("name", "anna")
        browser.type("password", "correct horse")
        browser.touch("label.check")
        looks_right(browser, f"{name}-0-login")
        browser.touch("main form button", then="/portal")
        browser.touch('form[action*="/logout"] button', then="/logout")
        browser.open(site.gateway.redirect())
        looks_right(browser, f"{name}-1-back")
        browser.touch("main button[name=back]", then="/portal")
        browser.touch('form[action*="/forget"] button', then="live=1")
        leave(browser, name)
        browser.open(site.gateway.redirect())
        assert browser.driver.find_elements("css selector", "#password")

    await site.visit(journey, "remembered", 0, scripts)


@SCRIPTS
@ensureDeferred
async def test_by_signing_up(site: Site, scripts: bool) -> None:
    """Online on trust until the link in the mail is followed, and for good from then on."""
    await site.server.change_network(sign_up=True)
    numbers = list(range(len(SIZES)))

    def journey(browser: Browser, name: str) -> None:
        number = numbers.pop(0)
        browser.touch('a[href*="/sign-up"]', then="/sign-up")
        browser.type("email", f"guest{number}@example.org")
        browser.type("password", "correct horse")
        looks_right(browser, f"{name}-1-sign-up")
        browser.touch("main form button", then="message=activate")
        looks_right(browser, f"{name}-2-online")
        link = blockingCallFromThread(reactor, lambda: ensure(site.server.read_mail(number)))
        blockingCallFromThread(reactor, lambda: ensure(site.gateway.count()))
        browser.open(link)
        looks_right(browser, f"{name}-3-confirm")
        browser.type("password", "correct horse")
        browser.touch("main > form button", then="/mail/")
        looks_right(browser, f"{name}-4-confirmed")
        blockingCallFromThread(reactor, lambda: ensure(site.gateway.count()))
        assert site.gateway.heard == ["Auth: 5", "Auth: 5", "Auth: 1"]
        browser.open(f"{site.gateway.portal}?gw_id=gw1")
        leave(browser, name)
        site.gateway.heard.clear()

    await site.visit(journey, "sign-up", 1, scripts)
    assert await rows(site.server.database, "SELECT count(*) FROM mails") == [(0,)]


@pytest.mark.parametrize("dark", [False, True], ids=["by day", "by night"])
@ensureDeferred
async def test_no_page_keeps_anybody_out(site: Site, dark: bool) -> None:
    """Those of a network, as its operator previews them, and those that belong to none."""
    state = FormState(site.server.registry, lambda: site.server.now).seal_preview("default")
    root = f"http://localhost:{site.server.port}/wifidog/"
    names = ("sign-in", "refused", "ended", "back", "portal", "online", "offline", "denied")
    pages = {f"preview-{name}": f"preview?state={state}&page={name}" for name in names}
    pages |= {
        "preview": f"preview?state={state}",
        "adopt": "login/?gw_id=my-router&gw_address=192.168.1.1&gw_port=2060",
        "moved": "login/?gw_id=gw1&gw_address=192.168.1.1&gw_port=2060",
        "no-gateway": "login/",
        "activate": "gw_message.php?message=activate",
        "home": "",
        "voucher": f"v/{site.codes[0]}",
        "typo": "v/AAAA-AAAA-AAAA",
        "forgotten": "forgotten",
        "account": "account",
    }

    def journey() -> None:
        with visiting(site.driver, 320, dark=dark) as browser:
            for name, target in pages.items():
                browser.open(root + target)
                browser.keep(f"{'night' if dark else 'day'}-320-{name}")
                assert browser.barriers() == [], name
                assert browser.overflow() <= 0, name
                assert browser.targets_too_small() == [], name

    await within(150, deferToThread(journey))


@ensureDeferred
async def test_the_portal_follows_its_session(site: Site) -> None:
    """New metrics in the same page, and the login page once the session has ended."""
    await site.server.change_network(methods=(SignInMethod.SPLASH,))
    look = "document.dispatchEvent(new Event('visibilitychange'))"

    def journey() -> None:
        with visiting(site.driver, 360) as browser:
            browser.open(site.gateway.redirect())
            browser.touch("main form button", then="/portal")
            site.server.later(minutes=50)
            browser.driver.execute_script(look)
            browser.waits_to_read("50 minutes")
            blockingCallFromThread(reactor, lambda: ensure(site.gateway.throw_out()))
            browser.driver.execute_script(look)
            browser.waits_for("Welcome")
            assert "/login?" in browser.driver.current_url

    await within(60, deferToThread(journey))
