"""A headless Chromium, and a stand-in for the gateway that captures it."""

from __future__ import annotations

import base64
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from klein import Klein
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from twisted.internet import reactor
from twisted.internet.tcp import Port
from twisted.web.iweb import IRequest
from twisted.web.server import Site

from tests.support.deadline import within
from tests.support.raw_http import ask

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
PATIENCE = 15
LOOK_EVERY = 0.05
"""Seconds between two checks of a page that is awaited."""

AXE = files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
"""Finds barriers; see C{docs/dependencies.md}."""


class Browser:
    """
    Drives Chromium; every call blocks, so that a whole journey belongs into a thread.

    @ivar driver: for what is not wrapped here.
    """

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, address: str) -> None:
        """Go to a page and wait until it has loaded."""
        self.driver.get(address)

    def heading(self) -> str:
        """Return the heading of the page."""
        return self._one("h1").text

    def text(self) -> str:
        """Return the visible text of the page, in one line."""
        return re.sub(r"\s+", " ", self._one("body").text)

    def type(self, name: str, text: str) -> None:
        """Fill in an empty field."""
        self._touch(self._one(f"input[name={name}]"))
        self.driver.execute_cdp_cmd("Input.insertText", {"text": text})

    def speak(self, language: str) -> None:
        """Request all further pages in a language."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": language}})

    def resize(self, width: int, height: int = 900) -> None:
        """Take the size of another device: a telephone, or a desktop from 1000 CSS pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 1000}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def touch(self, selector: str, then: str | None = None) -> None:
        """
        Press the one element that a selector finds.

        @param then: part of the address of the page that follows; None if the page stays.
        """
        found = self._all(selector)
        assert len(found) == 1, f"{selector!r} is there {len(found)} times"
        self._touch(found[0])
        if then is not None:
            self._wait_until(lambda: self._is_at(then), f"no page at {then!r}")

    def _wait_until(self, is_so: Callable[[], bool], otherwise: str) -> None:
        """Check repeatedly; between two pages there may be no document."""
        wait = WebDriverWait(self.driver, PATIENCE, LOOK_EVERY, ignored_exceptions=[Exception])
        wait.until(lambda _: is_so(), otherwise)

    def _is_at(self, part: str) -> bool:
        return part in self.driver.current_url and bool(self.heading())

    def direction(self) -> tuple[str | None, str | None]:
        """Return the language that the page declares, and its direction."""
        page = self._one("html")
        return page.get_attribute("lang"), page.get_attribute("dir")

    def barriers(self) -> list[str]:
        """Return the accessibility problems that axe finds; scripts must be enabled."""
        self.driver.execute_script(AXE)
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run({resultTypes: ['violations']})"
            ".then(found => done(found.violations), error => done([String(error)]))"
        )
        return [f"{each['id']}: {each['nodes'][0]['html']}" if isinstance(each, dict) else each for each in found]

    def press(self, label: str, then: str) -> None:
        """Press the button or link of this label, and wait for the page with the heading C{then}."""
        found: list[WebElement] = self.driver.execute_script(
            "return [...document.querySelectorAll('button, a.button, summary')]"
            ".filter(each => each.checkVisibility() && each.innerText.trim() === arguments[0])",
            label,
        )
        assert len(found) == 1, f"{label!r} is there {len(found)} times"
        self._touch(found[0])
        self.waits_for(then)

    def unfold(self) -> None:
        """Open the terms of use."""
        self._touch(self._one("summary"))

    def waits_for(self, heading: str) -> None:
        """Wait for a page."""
        self._wait_until(lambda: self.heading() == heading, f"no page is headed {heading!r}")

    def waits_for_alert(self) -> None:
        """Wait for a page that says what was wrong."""
        self._wait_until(lambda: bool(self._one("[role=alert]").text), "nothing is said to be wrong")

    def waits_to_read(self, words: str) -> None:
        """Wait until a text is on the page."""
        self._wait_until(lambda: words in self.text(), f"nowhere is to be read {words!r}")

    def complaints(self) -> list[str]:
        """Return what the browser has logged since the last call, such as violations of policies."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def overflow(self) -> int:
        """Return by how many CSS pixels the page is wider than its window."""
        layout = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})
        return int(layout["cssContentSize"]["width"] - layout["cssLayoutViewport"]["clientWidth"])

    def targets_too_small(self) -> list[str]:
        """Return the labels of controls that are lower than 44 CSS pixels."""
        touched = "button, a.button, summary, label.check, input:not([type=hidden], [type=checkbox])"
        found: list[list[Any]] = self.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])]"
            ".map(each => [each.getBoundingClientRect().height, each.innerText || each.name])",
            touched,
        )
        return [label for height, label in found if 0 < height < 44]

    def front(self) -> None:
        """Bring this tab before the others: Chromium draws no other one, and a screenshot waits for a drawing."""
        self.driver.execute_cdp_cmd("Page.bringToFront", {})

    def keep(self, name: str) -> Path:
        """Save what the window shows, in the folder that C{WIFIDOGD_SCREENSHOTS} names."""
        folder = Path(os.environ.get("WIFIDOGD_SCREENSHOTS") or Path(tempfile.gettempdir(), "wifidogd-screenshots"))
        folder.mkdir(parents=True, exist_ok=True)
        self.front()
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        path = folder / f"{name}.png"
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    def _touch(self, element: WebElement) -> None:
        """
        Press where the middle of an element is, as a mouse does.

        WebDriver's own click waits for a script that never runs where scripts are off.
        """
        box = element.rect
        at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": kind} | at)

    def _one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def _all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)


@contextmanager
def chromium(caught_by: int | None = None, *, ignores_warnings: bool = False) -> Iterator[Chrome]:
    """
    Start a Chromium with an empty profile.

    @param caught_by: port of a gateway of this machine that catches it at C{192.0.2.1}; None for no such gateway.
    @param ignores_warnings: whether its user goes on when it warns of a certificate.
    """
    flags = [*FLAGS] if caught_by is None else [*FLAGS, f"--host-resolver-rules=MAP 192.0.2.1 127.0.0.1:{caught_by}"]
    program, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    assert program is not None, "the browser tests need Chromium: apt install chromium chromium-driver"
    assert chromedriver is not None, "the browser tests need chromedriver: apt install chromium-driver"
    with tempfile.TemporaryDirectory(prefix="wifidogd-browser-", ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        options.binary_location = program
        for flag in (*flags, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.accept_insecure_certs = ignores_warnings
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = Chrome(options, ChromeService(chromedriver))
        try:
            driver.set_page_load_timeout(PATIENCE)
            yield driver
        finally:
            driver.quit()


@contextmanager
def visiting(
    driver: Chrome, width: int, *, scripts: bool = True, dark: bool = False, height: int = 900
) -> Iterator[Browser]:
    """
    Become another device: a telephone (or, from 1000 CSS pixels, a desk) that has never been here.

    It gets a tab of its own, and with that a history; cookies of the one
    before are gone, and nothing of ours is kept in any other place.

    @param height: of the window; no page of ours may be higher, as nothing scrolls here.
    """
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    try:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        browser = Browser(driver)
        browser.complaints()
        browser.front()
        browser.resize(width, height)
        yield browser
    finally:
        driver.close()
        driver.switch_to.window(first)


@contextmanager
def browsing(
    width: int, *, caught_by: int | None = None, ignores_warnings: bool = False, **how: Any
) -> Iterator[Browser]:
    """Start a fresh Chromium for one visit; C{how} as in L{visiting}, the rest as in L{chromium}."""
    with chromium(caught_by, ignores_warnings=ignores_warnings) as driver, visiting(driver, width, **how) as browser:
        yield browser


class StandInGateway:
    """
    Behaves to browsers and to our server as wifidog-gateway 1.3.0 does (docs/protocol.md 6): no redirect has a token.

    @ivar online: tokens of guests whom it has let in.
    @ivar heard: what it was answered when it asked about them.
    """

    app = Klein()

    def __init__(self, auth_port: int, mac: str) -> None:
        """
        @param auth_port: where our server listens on this machine.
        @param mac: of the one guest it ever sees.
        """
        self._auth_port = auth_port
        self._mac = mac
        self.portal = f"http://localhost:{auth_port}/wifidog/portal/"
        self.online: set[str] = set()
        self.heard: list[str] = []

    def listen(self) -> None:
        """Open its web server."""
        self._listener: Port = reactor.listenTCP(0, Site(self.app.resource()), interface="127.0.0.1")
        self.port: int = self._listener.getHost().port

    async def close(self) -> None:
        """Close it."""
        await within(5, self._listener.stopListening())

    def redirect(self, url: str = "http://a.example/news") -> str:
        """Return the address to which a browser that opens any page is redirected."""
        query = {"gw_address": "127.0.0.1", "gw_port": self.port, "gw_id": "gw1", "ip": "10.0.0.5", "mac": self._mac}
        return f"http://localhost:{self._auth_port}/wifidog/login/?{urlencode(query | {'url': url})}"

    @app.route("/v/<code>")
    def catch(self, request: IRequest, code: str) -> bytes:
        """Redirect a browser that asks for another site."""
        request.redirect(self.redirect(f"http://{request.getHeader('host')}{request.uri.decode()}").encode())
        return b"Redirecting"

    @app.route("/wifidog/auth")
    async def auth(self, request: IRequest) -> bytes:
        """Report the token to the server and redirect the browser; abort the connection at a log-out."""
        token = request.args[b"token"][0].decode()
        if b"logout" in request.args:
            await self._report("logout", token)
            self.online.discard(token)
            request.transport.abortConnection()
            return b""
        verdict = await self._report("login", token)
        message = f"http://localhost:{self._auth_port}/wifidog/gw_message.php?message="
        where = {"Auth: 1": f"{self.portal}?gw_id=gw1", "Auth: 5": f"{message}activate"}
        if verdict.strip() in where:
            self.online.add(token)
        request.redirect(where.get(verdict.strip(), f"{message}denied").encode())
        return b"Redirecting"

    async def count(self) -> None:
        """Report the counters of all guests, as a gateway does each minute."""
        for token in self.online:
            await self._report("counters", token)

    async def throw_out(self) -> None:
        """Report a log-out of all guests, as when they walk away."""
        for token in self.online:
            await self._report("logout", token)
        self.online.clear()

    async def _report(self, stage: str, token: str) -> str:
        query = {"stage": stage, "ip": "10.0.0.5", "mac": self._mac, "token": token, "incoming": 0, "outgoing": 0}
        verdict = (await ask(self._auth_port, f"/wifidog/auth/?{urlencode(query)}&gw_id=gw1")).body
        self.heard.append(verdict.strip())
        return verdict
