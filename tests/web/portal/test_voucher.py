"""Guests with a voucher, over real connections: at the sign-in page, and at the address that its QR code holds."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from random import Random
from string import ascii_lowercase, digits

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.builders import put, rows, run
from tests.support.raw_http import Reply
from tests.support.site_server import SiteServer, hidden, login_query, token_in
from wifidogd.access.voucher_batches import make_batch
from wifidogd.domain.plans import SignInMethod
from wifidogd.domain.sessions import Stage
from wifidogd.domain.voucher_codes import mint_code, show_code
from wifidogd.store.access.vouchers import Order, revoke_vouchers
from wifidogd.store.driver.database import Database

ALL = (SignInMethod.SPLASH, SignInMethod.ACCOUNT, SignInMethod.VOUCHER)


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server whose guests may sign in by voucher only."""
    server = await SiteServer(database).open()
    await put(database, "INSERT INTO plans (name, title) VALUES ('day', 'A day')")
    await server.change_network(methods=(SignInMethod.VOUCHER,))
    yield server
    await server.close()


async def a_voucher(server: SiteServer) -> str:
    """Make a voucher; return its code in the plain form."""
    order = Order("b", "day", "default")
    [code] = await run(server.database, make_batch, order, 1, server.now, mint_code)
    return str(code)


def filled_in(page: Reply) -> str | None:
    """Read what stands in the field for the code."""
    match = re.search(r'<input id="code" name="code" value="([^"]*)"', page.body)
    return match and unescape(match[1])


@ensureDeferred
async def test_a_guest_signs_in_by_code(server: SiteServer) -> None:
    """One field and one button; the gateway confirms, and the guest is online."""
    code = await a_voucher(server)
    page = await server.login_page()
    assert page.status == 200
    assert page.body.partition("</main>")[0].count("<button") == 1
    assert filled_in(page) == ""
    reply = await server.post("login", hidden(page) | {"code": show_code(code).lower()})
    assert reply.status == 303
    token = token_in(reply.headers["location"])
    await server.report(Stage.LOGIN, token)
    assert "You are online" in (await server.get(f"portal?gw_id=gw1&token={token}")).body


@pytest.mark.parametrize("code", ["7QKM-2X4V-9RTE", "", '"><script>'])
@ensureDeferred
async def test_a_typo_is_called_one_and_can_be_mended(server: SiteServer, code: str) -> None:
    """The field keeps what was typed."""
    reply = await server.sign_in(code=code)
    assert reply.status == 401
    assert "There is a mistake in this code" in reply.body
    assert filled_in(reply) == code
    assert "<script" not in reply.body


@ensureDeferred
async def test_an_unknown_code_is_told_from_a_typo_until_there_were_too_many(server: SiteServer) -> None:
    """Then the page says how long to wait."""
    for _ in range(10):
        reply = await server.sign_in(code=mint_code())
        assert reply.status == 401
        assert "No voucher for this Wi-Fi has this code" in reply.body
    reply = await server.sign_in(code=await a_voucher(server))
    assert (reply.status, reply.headers["retry-after"]) == (429, "900")
    assert "Please wait 15 minutes" in reply.body


@ensureDeferred
async def test_a_voucher_that_was_taken_back_is_refused(server: SiteServer) -> None:
    """And the page says why."""
    code = await a_voucher(server)
    await run(server.database, revoke_vouchers, batch="b")
    reply = await server.sign_in(code=code)
    assert reply.status == 403
    assert "have taken this voucher back" in reply.body


@ensureDeferred
async def test_a_guest_whose_session_was_taken_back_goes_at_the_next_report(server: SiteServer) -> None:
    """The history says why."""
    code = await a_voucher(server)
    token = token_in((await server.sign_in(code=code)).headers["location"])
    await server.report(Stage.LOGIN, token)
    await run(server.database, revoke_vouchers, batch="b")
    await server.report(Stage.COUNTERS, token)
    assert await rows(server.database, "SELECT reason FROM past_sessions") == [("taken back by the operator",)]


@pytest.mark.parametrize(
    ("methods", "heading", "folded"),
    [
        (ALL, "Welcome", ["I have a user name", "I have a voucher"]),
        (ALL[::-1], "Use a voucher", ["I have a user name", "Connect without signing in"]),
        ((SignInMethod.ACCOUNT, SignInMethod.VOUCHER), "Sign in", ["I have a voucher"]),
        ((SignInMethod.VOUCHER,), "Use a voucher", []),
    ],
)
@ensureDeferred
async def test_all_ways_are_on_one_page_in_their_order(
    server: SiteServer, methods: tuple[SignInMethod, ...], heading: str, folded: list[str]
) -> None:
    """The first is open; each has a form and ids of its own."""
    await server.change_network(methods=methods, terms={"en": "Be kind."})
    body = (await server.login_page()).body
    assert f"<h1>{heading}</h1>" in body
    summaries = [re.sub(r"\s+", " ", each).strip() for each in re.findall(r"<summary>(.*?)</summary>", body, re.S)]
    assert summaries == [*folded, "Terms of use"]
    ids = re.findall(r' id="([^"]+)"', body)
    assert len(ids) == len(set(ids))
    assert len(body.encode()) < 14_000


@ensureDeferred
async def test_a_page_of_several_ways_stays_small_whatever_page_was_wanted(server: SiteServer) -> None:
    """
    The address of that page is in each form, unless it is too long.

    The longest is as long as a gateway's redirect of 968 bytes can hold; the terms are long too.
    """
    for methods, length, goes_on in ((ALL, 800, False), (ALL, 200, True), ((SignInMethod.VOUCHER,), 200, True)):
        url = "http://a.example/?" + "".join(Random(1).choices(ascii_lowercase + digits, k=length))
        await server.change_network(methods=methods, terms={"en": "x" * 3000})
        page = await server.login_page(url=url)
        assert len(page.body.encode()) < 14_000
        reply = await server.post("login", hidden(page) | {"code": await a_voucher(server)})
        token = token_in(reply.headers["location"])
        assert await rows(server.database, "SELECT url IS NOT NULL FROM sessions ORDER BY session_id DESC LIMIT 1") == [
            (goes_on,)
        ], token


@pytest.mark.parametrize(
    ("typed", "heading"), [({"code": "x"}, "Use a voucher"), ({"name": "a", "password": "b"}, "Sign in")]
)
@ensureDeferred
async def test_the_way_that_failed_comes_first(server: SiteServer, typed: dict[str, str], heading: str) -> None:
    """With the reason above it, whichever was first before."""
    await server.change_network(methods=ALL)
    reply = await server.sign_in(**typed)
    assert reply.status == 401
    assert f"<h1>{heading}</h1>" in reply.body


@ensureDeferred
async def test_each_way_of_several_works(server: SiteServer) -> None:
    """A form says by its fields which it is of."""
    await server.ask_for_accounts(anna="correct horse")
    await server.change_network(methods=ALL)
    for typed in ({}, {"name": "anna", "password": "correct horse"}, {"code": await a_voucher(server)}):
        assert (await server.sign_in(**typed)).status == 303, typed


@pytest.mark.parametrize("typed", [{}, {"splash": "1"}, {"name": "anna", "password": "x"}])
@ensureDeferred
async def test_nobody_comes_in_a_way_that_is_not_offered(server: SiteServer, typed: dict[str, str]) -> None:
    """They get the form of what is."""
    reply = await server.sign_in(**typed)
    assert reply.status == 200
    assert filled_in(reply) == ""


@ensureDeferred
async def test_who_scans_a_voucher_is_shown_the_way(server: SiteServer) -> None:
    """Nobody is guessed to be anywhere; the code is there to be typed, and the link carries it to the gateway."""
    code = await a_voucher(server)
    page = await server.get(f"v/{code}")
    assert page.status == 200
    assert f'<p class="code" dir="ltr">{show_code(code)}</p>' in page.body
    assert f'href="http://192.0.2.1/v/{code}"' in page.body
    assert "<script" not in page.body
    caught = await server.login_page(url=f"http://192.0.2.1/v/{code}")
    assert filled_in(caught) == show_code(code)
    reply = await server.post("login", hidden(caught) | {"code": show_code(code)})
    token = token_in(reply.headers["location"])
    await server.report(Stage.LOGIN, token)
    assert "192.0.2.1" not in (await server.get(f"portal?gw_id=gw1&token={token}")).body


@pytest.mark.parametrize("methods", [(SignInMethod.VOUCHER,), (SignInMethod.SPLASH, SignInMethod.VOUCHER)])
@ensureDeferred
async def test_a_voucher_whose_gateway_is_known_takes_one_tap(
    server: SiteServer, methods: tuple[SignInMethod, ...]
) -> None:
    """Never none: programs open addresses too."""
    await server.change_network(methods=methods)
    code = await a_voucher(server)
    page = await server.get(f"v/{show_code(code).lower()}/?{login_query()}")
    assert page.status == 200
    assert "<h1>Use a voucher</h1>" in page.body
    assert filled_in(page) == show_code(code)
    assert await rows(server.database, "SELECT 1 FROM sessions") == []
    assert (await server.post("login", hidden(page) | {"code": show_code(code)})).status == 303


@pytest.mark.parametrize(
    "path", ["v/0000-0000-0001", "v/%22%3E%3Cscript%3E", "v/" + "0" * 3000, f"v/x?{login_query()}"]
)
@ensureDeferred
async def test_an_address_with_a_typo_says_so(server: SiteServer, path: str) -> None:
    """And repeats nothing of it."""
    page = await server.get(path)
    assert page.status == 404
    assert "<h1>This is no voucher</h1>" in page.body
    assert "<script" not in page.body


@pytest.mark.parametrize("path", ["v", "v/", "v/a/b"])
@ensureDeferred
async def test_an_address_without_a_code_is_none(server: SiteServer, path: str) -> None:
    """Like any other that does not exist."""
    assert (await server.get(path)).status == 404


@ensureDeferred
async def test_a_code_is_filled_in_only_where_vouchers_are_offered(server: SiteServer) -> None:
    """Elsewhere the page is as always."""
    await server.change_network(methods=(SignInMethod.SPLASH,))
    page = await server.get(f"v/{mint_code()}?{login_query()}")
    assert page.status == 200
    assert filled_in(page) is None
