"""Guests whom apfree-wifidog sends by https to a server that was started for plain HTTP."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from socket import create_connection

import pytest_twisted
from cryptography import x509
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.support.browser import StandInGateway, browsing
from tests.support.builders import NOON
from tests.support.deadline import within
from tests.support.raw_http import read_reply
from tests.support.running_server import RunningServer
from tests.support.site_server import GATEWAY, MAC, SiteServer, login_query
from tests.web.server.test_certificates import write
from tests.web.server.test_plain_port_tls import anybody, ready, say
from wifidogd.store.driver.database import Database

ROUTES = "/wifidog/login/?"


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server with an https address, perhaps of a proxy in front of it, and TLS at its plain port."""
    server = await SiteServer(database, public_url="https://portal.example").open()
    server.site.tls = ready()
    yield server
    await server.close()


def shown(port: int) -> x509.Certificate:
    """Return the certificate that a server shows; blocks."""
    with create_connection(("127.0.0.1", port), 10) as raw, anybody().wrap_socket(raw) as wire:
        octets = wire.getpeercert(binary_form=True)
        assert octets is not None
        return x509.load_der_x509_certificate(octets)


async def certificate_at(port: int) -> x509.Certificate:
    """Wait until a server shows a certificate."""

    async def look() -> x509.Certificate:
        while True:
            try:
                return await deferToThread(shown, port)
            except (ssl.SSLError, ConnectionError):
                await deferLater(reactor, 0.02)

    return await within(20, look())


@ensureDeferred
async def test_pages_know_by_what_they_were_asked_for(server: SiteServer) -> None:
    """Links and forms follow; the port does not say that TLS is all it speaks, however the server is reached else."""
    head = f"GET {ROUTES}{login_query()} HTTP/1.1\r\nHost: portal.example:8080\r\nConnection: close\r\n"
    secure = read_reply(await within(10, deferToThread(say, server.port, f"{head}\r\n".encode())))
    plain = await server.login_page()
    assert secure.status == plain.status == 200
    assert "strict-transport-security" not in secure.headers
    assert "strict-transport-security" in plain.headers
    post = "POST /wifidog/login HTTP/1.1\r\nHost: portal.example:8080\r\nConnection: close\r\n"
    for host, status in (("portal.example:8080", 400), ("portal.example:8081", 403), ("other.example:8080", 403)):
        said = f"{post}Origin: https://{host}\r\nContent-Length: 0\r\n\r\n".encode()
        assert read_reply(await within(10, deferToThread(say, server.port, said))).status == status


@ensureDeferred
async def test_a_server_makes_its_certificate_once(dsn: str) -> None:
    """For the name that guests use; after a restart it is the same, and HTTP is answered as ever."""
    found = []
    for _ in range(2):
        server = RunningServer(dsn, "--public-url", "http://wifi.example:8080")
        await within(30, server.start())
        found.append(await certificate_at(server.port))
        assert (await server.get("/wifidog/ping/?gw_id=x")).body == b"Pong"
        await server.stop()
    assert found[0] == found[1]
    names = found[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["wifi.example"]


@ensureDeferred
async def test_a_server_shows_the_certificate_it_is_given(dsn: str, tmp_path: Path) -> None:
    """From the first connection on."""
    certificate, key = write(tmp_path, "given.example")
    server = RunningServer(dsn, "--certificate", str(certificate), "--key", str(key))
    await within(30, server.start())
    assert "given.example" in (await within(5, deferToThread(shown, server.port))).subject.rfc4514_string()
    await server.stop()


@ensureDeferred
async def test_a_guest_of_apfree_wifidog_signs_in_and_out(database: Database) -> None:
    """The form by https, after the browser's warning; the portal by http, which the browser's cookie opens."""
    server = await SiteServer(database, now=NOON).open(gateway=None)
    server.site.tls = ready("localhost")
    gateway = StandInGateway(server.port, MAC)
    gateway.listen()
    await server.adopt(replace(GATEWAY, address="127.0.0.1", port=gateway.port))
    await server.refresh()
    await server.change_network(time_limit=timedelta(hours=2))

    def visit() -> None:
        with browsing(360, ignores_warnings=True) as browser:
            browser.open(gateway.redirect().replace("http:", "https:", 1))
            assert browser.driver.current_url.startswith(f"https://localhost:{server.port}/")
            browser.press("Connect", then="You are online")
            assert browser.driver.current_url.startswith(f"http://localhost:{server.port}/")
            assert "2 hours" in browser.text()
            browser.open(gateway.redirect().replace("http:", "https:", 1))
            browser.press("See your time and data", then="You are online")
            assert browser.driver.current_url.startswith(f"https://localhost:{server.port}/")
            browser.press("Log out", then="You are logged out")

    await within(90, deferToThread(visit))
    assert gateway.online == set()
    await gateway.close()
    await server.close()
