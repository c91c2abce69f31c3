"""Where gateways and browsers find the server: every command says the same."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from typing import Any

import pytest
import segno
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import LogEvent

from tests.ctl.test_ctl import wifidogctl
from tests.support.builders import LOBBY, NOON, adopt_all, put, rows, run
from tests.support.deadline import within
from tests.support.observing import log_lines
from tests.support.running_server import RunningServer
from wifidogd.access.voucher_batches import make_batch
from wifidogd.ctl.cli.server_address import as_typed, path, server
from wifidogd.domain.plans import Plan
from wifidogd.domain.server_address import ServerAddress
from wifidogd.domain.voucher_codes import mint_code
from wifidogd.store.access.vouchers import Order
from wifidogd.store.accounting.plans import save_plan
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.server_address import record_server_address

KNOWN = ServerAddress("https://wifi.example:8443", "/guests/")
GUESS = ServerAddress("http://192.0.2.7:9000", "/wifidog/", is_guess=True)


async def said(dsn: str, address: str, *words: str, **env: str) -> list[str]:
    """Check that all commands say that the server is at an address, and return what they warn of."""
    variables = {"WIFIDOGD_DATABASE": dsn} | {f"WIFIDOGD_{name.upper()}": value for name, value in env.items()}
    config, sheet, preview, codes = [
        await wifidogctl(*command.split(), env=variables)
        for command in (
            " ".join(("gateway config lobby --json", *words)),
            " ".join(("voucher sheet --batch b", *words)),
            " ".join(("network preview default", *words)),
            "voucher list --json",
        )
    ]
    expected = ServerAddress(*re.fullmatch("(https?://[^/]+)(.*)", address).groups())  # type: ignore[union-attr]
    assert json.loads(config.out)["auth_server"] == {
        "hostname": expected.host,
        "port": expected.port,
        "tls": expected.tls,
        "path": expected.path,
    }
    [voucher] = json.loads(codes.out)
    code = segno.make(f"{address}v/{voucher['code'].replace('-', '')}", error="m", micro=False)
    assert code.svg_inline(border=4, omitsize=True, light="#fff") in sheet.out
    assert preview.out.startswith(f"{address}preview?state=")
    assert config.err == sheet.err == preview.err
    return config.err.splitlines()


async def prepare(database: Database) -> None:
    """A gateway, and a voucher to print."""
    await adopt_all(database, LOBBY)
    await run(database, save_plan, Plan("p", "P"))
    await run(database, make_batch, Order("b", "p", "default"), 1, NOON, mint_code)


async def recorded(database: Database, url: str) -> None:
    """Wait until a server has recorded its address; it is ready a moment before."""
    while await rows(database, "SELECT url FROM server_address") != [(url,)]:
        await deferLater(reactor, 0.02)


async def warned(events: list[LogEvent]) -> None:
    """Wait for the warning of a server that could not."""
    while not any("wifidogctl is not told where" in event["log_format"] for event in events):
        await deferLater(reactor, 0.02)


@ensureDeferred
async def test_every_command_says_where_the_running_server_is(dsn: str, database: Database) -> None:
    """As it was started; that of the last start, and what is typed goes before."""
    await prepare(database)
    for root, url in (("/", "http://wifi.example:8081"), ("/guests/", "https://wifi.example")):
        service = RunningServer(dsn, "--path", root, "--public-url", url)
        await within(30, service.start())
        await within(10, recorded(database, url))
        await service.stop()
        assert await said(dsn, f"{url}{root}") == []
    typed = ("--server", "192.0.2.9", "--server-port", "444", "--path", "x")
    assert await said(dsn, "https://192.0.2.9:444/x/", *typed) == []


@ensureDeferred
async def test_a_guess_is_called_a_guess(dsn: str, database: Database) -> None:
    """That of a server, until the operator says better; and ours, from what a server would be started with."""
    await prepare(database)
    [warning] = await said(dsn, "http://192.0.2.7:9000/wifidog/", listen="tcp:9000:interface=192.0.2.7")
    assert "No server has been started on this database" in warning
    assert await said(dsn, "http://wifi.example:8080/wifidog/", "--server", "wifi.example") == []
    await run(database, record_server_address, GUESS, NOON)
    [warning] = await said(dsn, "http://192.0.2.7:9000/wifidog/")
    assert "The server guesses that others reach it at http://192.0.2.7:9000" in warning
    assert await said(dsn, "http://wifi.example/", public_url="http://wifi.example", path="/") == []


@ensureDeferred
async def test_a_server_that_cannot_record_its_address_serves_on(dsn: str, database: Database) -> None:
    """Nobody but wifidogctl needs it."""
    await put(database, "DROP TABLE server_address")
    service = RunningServer(dsn)
    with log_lines("wifidogd.server") as events:
        await within(30, service.start())
        await within(10, warned(events))
    await service.stop()


@pytest.mark.parametrize(
    ("typed", "known", "found"),
    [
        ({}, KNOWN, KNOWN),
        ({}, GUESS, GUESS),
        ({"path": "/"}, GUESS, ServerAddress("http://192.0.2.7:9000", "/", is_guess=True)),
        ({"server_port": 80}, GUESS, ServerAddress("http://192.0.2.7", "/wifidog/", is_guess=True)),
        ({"server": "10.0.0.1"}, KNOWN, ServerAddress("https://10.0.0.1:8443", "/guests/")),
        ({"server": "10.0.0.1:81"}, GUESS, ServerAddress("http://10.0.0.1:81", "/wifidog/")),
        ({"server": "https://a.example"}, GUESS, ServerAddress("https://a.example", "/wifidog/")),
        ({"server": "http://a.example"}, KNOWN, ServerAddress("http://a.example", "/guests/")),
        ({"server": "http://a.example", "server_port": 8}, KNOWN, ServerAddress("http://a.example:8", "/guests/")),
    ],
)
def test_what_is_typed_goes_before_what_is_known(
    typed: dict[str, Any], known: ServerAddress, found: ServerAddress
) -> None:
    """Piece by piece; a host that was typed is no guess."""
    nothing: dict[str, Any] = {"server": None, "server_port": None, "path": None}
    assert as_typed(Namespace(**nothing | typed), known) == found


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://wifi.example", ("wifi.example", 80, False)),
        ("https://wifi.example", ("wifi.example", 443, True)),
        ("http://[fd00::1]:8080", ("fd00::1", 8080, False)),
    ],
)
def test_an_address_has_the_parts_that_a_configuration_names(url: str, parts: tuple[str, int, bool]) -> None:
    """The scheme's own port too."""
    address = ServerAddress(url, "/")
    assert (address.host, address.port, address.tls) == parts


def test_slashes_may_be_typed_or_not() -> None:
    """The path has them around it, the server none at its end."""
    assert [path(text) for text in ("/", "x", "/x/y/")] == ["/", "/x/", "/x/y/"]
    assert server("https://wifi.example/") == "https://wifi.example"
