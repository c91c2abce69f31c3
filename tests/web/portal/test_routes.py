"""Guests on the way in, at the portal and on the way out, over real connections and a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from tests.support.builders import put
from tests.support.deadline import within
from tests.support.observing import log_lines
from tests.support.postgres import ThrowawayPostgres
from tests.support.raw_http import Reply, ask
from tests.support.site_server import GATEWAY, MAC, SiteServer, hidden, login_query, token_in
from wifidogd.domain.gateways import WaitingGateway
from wifidogd.domain.plans import Plan
from wifidogd.domain.sessions import Octets, Stage
from wifidogd.store.accounting.plans import save_plan
from wifidogd.store.driver.database import Database
from wifidogd.store.migrations import migrate

LOGOUT_ADDRESS = "http://10.0.0.1:2060/wifidog/auth?logout=1&amp;token="


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server whose one gateway has been adopted."""
    server = await SiteServer(database).open()
    yield server
    await server.close()


@pytest_twisted.async_yield_fixture(scope="module")
async def shared_server(postgres: ThrowawayPostgres) -> AsyncIterator[SiteServer]:
    """The same, for all tests that change nothing in it."""
    database = Database(clock=reactor)  # type: ignore[arg-type]
    database.start(postgres.dsn)
    await within(20, migrate(database))
    server = await SiteServer(database).open()
    yield server
    await server.close()
    await within(10, database.stop())


def is_polite(reply: Reply) -> bool:
    """Check the head that every guest page must have."""
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["referrer-policy"] == "no-referrer, same-origin"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "geolocation=()" in reply.headers["permissions-policy"]
    assert "strict-transport-security" not in reply.headers  # there is no https public URL
    assert reply.headers["x-frame-options"] == "DENY"
    assert reply.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "server" not in reply.headers
    assert "transfer-encoding" not in reply.headers
    assert not [name for name in reply.headers if name.endswith("auth")]
    assert not [value for value in reply.headers.values() if "Pong" in value or "Auth: " in value]
    return True


@ensureDeferred
async def test_a_guest_signs_in_by_one_button(server: SiteServer) -> None:
    """And is sent to the registered gateway with a token of their own, and nowhere else."""
    page = await server.login_page()
    assert page.status == 200
    assert is_polite(page)
    assert "form-action 'self' http://10.0.0.1:2060 http://portal.example:*;" in page.headers["content-security-policy"]
    reply = await server.post("login", hidden(page))
    assert reply.status == 303
    assert is_polite(reply)
    location = urlsplit(reply.headers["location"])
    assert (location.scheme, location.netloc, location.path) == ("http", "10.0.0.1:2060", "/wifidog/auth")
    assert parse_qs(location.query)["gw_id"] == ["gw1"]
    assert reply.headers["location"].replace("&", "&amp;") in reply.body
    assert len(reply.body) < 400
    assert (await server.sign_in()).headers["location"] != reply.headers["location"]


@ensureDeferred
async def test_an_address_of_version_6_is_bracketed(server: SiteServer) -> None:
    """In the redirect and in the policy."""
    await server.adopt(replace(GATEWAY, address="2001:db8::1"))
    await server.refresh()
    page = await server.login_page(gw_address="2001:DB8:0::1", is_ipv6="1")
    assert "http://[2001:db8::1]:2060" in page.headers["content-security-policy"]
    reply = await server.post("login", hidden(page))
    assert reply.headers["location"].startswith("http://[2001:db8::1]:2060/wifidog/auth?token=")


@ensureDeferred
async def test_a_gateway_with_both_versions_is_not_elsewhere(shared_server: SiteServer) -> None:
    """Its guests go to the registered address, whichever they were caught on."""
    page = await shared_server.login_page(gw_address="2001:db8::1", is_ipv6="1")
    reply = await shared_server.post("login", hidden(page))
    assert reply.headers["location"].startswith("http://10.0.0.1:2060/")


@pytest.mark.parametrize(
    "changes", [{"gw_address": "10.0.0.2"}, {"gw_port": "2061"}, {"gw_address": "203.0.113.7", "gw_port": "80"}]
)
@ensureDeferred
async def test_another_address_than_the_registered_one_gets_no_form(
    shared_server: SiteServer, changes: dict[str, str]
) -> None:
    """The owner is told, the guest goes nowhere."""
    page = await shared_server.login_page(**changes)
    assert page.status == 400
    assert is_polite(page)
    assert "post" not in page.body
    assert "wifidogctl gateway adopt gw1" in page.body


@ensureDeferred
async def test_the_redirect_follows_the_current_registry(server: SiteServer) -> None:
    """A gateway that was moved, or removed, while the form was open."""
    page = await server.login_page()
    await server.adopt(replace(GATEWAY, address="10.0.0.77"))
    await server.refresh()
    assert (await server.post("login", hidden(page))).headers["location"].startswith("http://10.0.0.77:2060/")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", 404),
        ("?gw_id=", 404),
        ("?gw_id=%20", 404),
        ("?gw_id=(null)&gw_address=10.0.0.1", 404),
        ("?gw_id=gw1&gw_address=evil.example", 400),
        ("?%ff=%fe", 404),
    ],
)
@ensureDeferred
async def test_without_a_gateway_there_is_a_friendly_page(shared_server: SiteServer, query: str, code: int) -> None:
    """And nothing is remembered."""
    waiting = list(shared_server.waiting)
    page = await shared_server.get("login" + query)
    assert page.status == code
    assert is_polite(page)
    assert "which Wi-Fi you are on" in page.body
    assert shared_server.waiting == waiting


@pytest.mark.parametrize(
    ("gw_id", "shown", "proposed"),
    [
        ("my%20lobby", "my lobby", "my-lobby"),
        ("<b>&gw_address=10.0.0.1", "&lt;b&gt;", "b"),
        ("%00", "?", "my-router"),
        ("%ff", "ÿ", "y"),
        ("a" * 70, "a" * 63 + "…", "a" * 64),
    ],
)
@ensureDeferred
async def test_the_owner_of_a_gateway_under_an_impossible_name_is_told_to_change_it(
    server: SiteServer, gw_id: str, shown: str, proposed: str
) -> None:
    """It waits, and nothing of its name is taken for markup."""
    page = await server.get(f"login?gw_id={gw_id}")
    assert page.status == 404
    assert is_polite(page)
    assert f"<code>{shown}</code>" in page.body
    assert f"<code>GatewayID {proposed}</code>" in page.body
    assert len(server.waiting) == 1


@ensureDeferred
async def test_guests_from_another_address_than_the_registered_one_are_told_of(server: SiteServer) -> None:
    """The gateway has moved, or another has its name."""
    await server.login_page(gw_address="192.168.9.1")
    assert [(one.gw_id, one.address) for one in server.waiting] == [("gw1", "192.168.9.1")]


@ensureDeferred
async def test_an_unknown_gateway_waits_and_its_owner_is_told_how(server: SiteServer) -> None:
    """With the command to paste."""
    page = await server.login_page(gw_id="new-gw", gw_address="192.168.1.1")
    assert page.status == 404
    assert is_polite(page)
    assert "wifidogctl gateway adopt new-gw --address 192.168.1.1 --port 2060" in page.body
    assert server.waiting == [WaitingGateway("new-gw", server.now, server.now, "127.0.0.1", "192.168.1.1", 2060)]


@ensureDeferred
async def test_a_trusting_server_adopts_by_itself(database: Database) -> None:
    """And shows the form at once."""
    server = await SiteServer(database, trust_new_gateways=True).open(gateway=None)
    page = await server.login_page(gw_id="new-gw", gw_address="192.168.1.1")
    assert page.status == 200
    reply = await server.post("login", hidden(page))
    assert reply.headers["location"].startswith("http://192.168.1.1:2060/wifidog/auth?token=")
    assert server.waiting == []
    await server.close()


@ensureDeferred
async def test_before_the_registry_is_known_guests_are_asked_for_patience(database: Database) -> None:
    """Until then no gateway can be called unknown."""
    server = SiteServer(database).listen()
    for page in (await server.login_page(), await server.post("login", {"state": "x"})):
        assert page.status == 503
        assert is_polite(page)
        assert int(page.headers["retry-after"]) > 0
    assert server.waiting == []
    await server.close()


@ensureDeferred
async def test_an_online_guest_is_not_sent_through_the_gateway_again(server: SiteServer) -> None:
    """Neither from the redirect nor from a form that was still open; only if they insist."""
    form = hidden(await server.login_page())
    await server.get_online()
    page = await server.login_page()
    assert page.status == 200
    assert "You are online" in page.body
    assert "Go on to a.example" in page.body
    late = await server.post("login", form)
    assert late.status == 200
    assert "You are online" in late.body
    again = await server.post("login", hidden(page))
    assert again.status == 303


@ensureDeferred
async def test_another_device_is_not_online(server: SiteServer) -> None:
    """Nor is the same one at another gateway."""
    await server.get_online()
    assert "<form" in (await server.login_page(mac="02:00:00:00:00:02")).body
    assert "Welcome" in (await server.login_page(mac="02:00:00:00:00:02")).body
    await server.adopt(replace(GATEWAY, gw_id="gw2"))
    await server.refresh()
    assert "Welcome" in (await server.login_page(gw_id="gw2")).body


@ensureDeferred
async def test_an_old_form_leads_back_to_a_fresh_one(server: SiteServer) -> None:
    """With all that the gateway had said."""
    form = hidden(await server.login_page())
    server.later(minutes=31)
    page = await server.post("login", form)
    assert page.status == 400
    assert is_polite(page)
    link = page.body.partition('href="')[2].partition('"')[0].replace("&amp;", "&")
    assert parse_qs(urlsplit(link).query) == parse_qs(login_query())
    assert (await ask(server.port, link)).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"state": ""},
        {"state": "x.y"},
        {"state": "é\x00"},
        {"gw_id": "gw1", "gw_address": "10.0.0.1", "mac": MAC},
        {"state": "x" * 20_000},
        {f"field{number}": "x" for number in range(100)},
    ],
)
@ensureDeferred
async def test_a_form_of_strangers_does_nothing(shared_server: SiteServer, fields: dict[str, str]) -> None:
    """It gets a page that says how to start again."""
    for target in ("login", "logout", "login?" + login_query()):
        page = await shared_server.post(target, fields)
        assert page.status == 400
        assert is_polite(page)
        assert "Please start again" in page.body


@ensureDeferred
async def test_a_form_is_read_from_the_body_only(shared_server: SiteServer) -> None:
    """A link with a signed state in its query signs nobody in."""
    state = hidden(await shared_server.login_page())["state"]
    page = await ask(shared_server.port, f"/wifidog/login?state={state}", method="POST", form=b"")
    assert page.status == 400


@ensureDeferred
async def test_a_guest_signs_in_by_name_and_password(server: SiteServer) -> None:
    """After a typing error, whatever the case of the name."""
    await server.ask_for_accounts(anna="correct horse")
    page = await server.login_page()
    assert 'type="password"' in page.body
    wrong = await server.post("login", hidden(page) | {"name": "Anna", "password": "wrong"})
    assert wrong.status == 401
    assert is_polite(wrong)
    assert "do not go together" in wrong.body
    assert 'value="Anna"' in wrong.body
    assert "wrong" not in wrong.body.partition("<main>")[2]
    right = await server.post("login", hidden(wrong) | {"name": "Anna", "password": "correct horse"})
    assert right.status == 303
    assert token_in(right.headers["location"])


@ensureDeferred
async def test_too_many_tries_say_how_long_to_wait(server: SiteServer) -> None:
    """And when to come back, for browsers."""
    await server.ask_for_accounts(anna="correct horse")
    for _ in range(30):
        page = await server.sign_in(name="anna", password="wrong")
        if page.status != 401:
            break
    assert page.status == 429
    assert int(page.headers["retry-after"]) > 0
    assert "Too many tries" in page.body


@ensureDeferred
async def test_an_online_guest_with_an_account_gets_the_form_again_first(server: SiteServer) -> None:
    """Who insists on connecting again must still say who they are."""
    await server.get_online()
    await server.ask_for_accounts(anna="correct horse")
    page = await server.login_page()
    assert "You are online" in page.body
    form = await server.post("login", hidden(page))
    assert form.status == 200
    assert 'role="alert"' not in form.body
    reply = await server.post("login", hidden(form) | {"name": "anna", "password": "correct horse"})
    assert reply.status == 303


@ensureDeferred
async def test_the_portal_shows_what_is_used_and_left(server: SiteServer) -> None:
    """To the guest whose token it is."""
    await server.change_network(time_limit=timedelta(hours=2), quota_octets=100_000_000)
    token = await server.get_online()
    server.later(minutes=50)
    await server.report(Stage.COUNTERS, token, Octets(12_000_000, 345_678))
    page = await server.get(f"portal/?gw_id=gw1&token={token}")
    assert page.status == 200
    assert is_polite(page)
    for text in ("50 minutes", "1 hour 10 minutes", "12.3 MB", "87.6 MB", "Go on to a.example", "Log out"):
        assert text in page.body
    assert 'href="http://a.example/news?x=1&amp;y=2"' in page.body


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?gw_id=gw1",
        "?gw_id=gw1&token=" + "a" * 32,
        "?token=<b>&gw_id=<b>",
        "?gw_id=gw1&mac=N/A&name=*",
        "?token=%00",
    ],
)
@ensureDeferred
async def test_the_portal_welcomes_anybody(shared_server: SiteServer, query: str) -> None:
    """Of whom it knows nothing."""
    page = await shared_server.get("portal" + query)
    assert page.status == 200
    assert is_polite(page)
    assert "Welcome" in page.body
    assert "post" not in page.body
    assert "<b>" not in page.body


@ensureDeferred
async def test_logging_out_ends_the_session_through_the_gateway(server: SiteServer) -> None:
    """The page calls the gateway; its report then ends the session."""
    token = await server.get_online()
    portal = await server.get(f"portal/?gw_id=gw1&token={token}")
    page = await server.post("logout", hidden(portal))
    assert page.status == 200
    assert is_polite(page)
    assert LOGOUT_ADDRESS + token in page.body
    assert "img-src http://10.0.0.1:2060;" in page.headers["content-security-policy"]
    assert "Log out" not in (await server.get(f"portal/?gw_id=gw1&token={token}")).body
    await server.report(Stage.LOGOUT, token)
    again = await server.post("logout", hidden(portal))
    assert again.status == 200
    assert "already ended" in again.body
    assert "img-src" not in again.headers["content-security-policy"]


@ensureDeferred
async def test_after_logging_out_the_way_in_is_open(server: SiteServer) -> None:
    """By the link of the page, without the gateway's redirect."""
    token = await server.get_online()
    page = await server.post("logout", hidden(await server.get(f"portal/?token={token}")))
    link = page.body.partition('quiet" href="')[2].partition('"')[0].replace("&amp;", "&")
    await server.report(Stage.LOGOUT, token)
    login = await ask(server.port, link)
    assert login.status == 200
    assert (await server.post("login", hidden(login))).status == 303


@pytest.mark.parametrize("page", ["login/index.php", "login.php", "login/index.php/", "/login//index.php"])
@ensureDeferred
async def test_the_login_page_has_the_names_that_it_had_in_php(server: SiteServer, page: str) -> None:
    """Its form is sent to the name it has here, and the old one takes it, too."""
    form = hidden(await server.get(f"{page}?{login_query()}"))
    for target in ("login", page):
        reply = await server.post(target, form | {"splash": "1"})
        assert reply.headers["location"].startswith("http://10.0.0.1:2060/wifidog/auth?token=")


@pytest.mark.parametrize("page", ["portal/index.php", "portal.php"])
@ensureDeferred
async def test_so_has_the_portal(server: SiteServer, page: str) -> None:
    """With the token in the query, as wifidog-gateway since 2016 says it."""
    token = await server.get_online()
    assert "You are online" in (await server.get(f"{page}?gw_id=gw1&token={token}")).body


@pytest.mark.parametrize(
    ("page", "status"),
    [
        ("index.php", 200),
        ("ping.php/x/y", 404),
        ("x.php", 404),
        (".php", 404),
        ("v/index.php", 404),
    ],
)
@ensureDeferred
async def test_other_names_in_php_lead_nowhere_new(shared_server: SiteServer, page: str, status: int) -> None:
    """The home page alone is where the old server had one, too."""
    assert (await shared_server.get(page)).status == status


@pytest.mark.parametrize(
    "name",
    [
        "gw_message.php",
        "gw_message",
        "messages",
        "gw_message.php/",
        "messages/",
        "gw_message/index.php",
        "messages.php",
    ],
)
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?message=denied&token=x", "You are not signed in"),
        ("?message=activate", "confirm your e-mail"),
        ("?message=failed_validation", "not confirmed in time"),
        ("?message=logged-out", "You are logged out"),
        ("?gw_id=gw1&mac=" + MAC, "A message from your Wi-Fi"),
        ("?message=%3Cb%3Efree%3C/b%3E", "A message from your Wi-Fi"),
        ("", "A message from your Wi-Fi"),
    ],
)
@ensureDeferred
async def test_every_message_is_explained(shared_server: SiteServer, name: str, query: str, sentence: str) -> None:
    """At every address that gateways use."""
    page = await shared_server.get(name + query)
    assert page.status == 200
    assert is_polite(page)
    assert sentence in page.body
    assert "free" not in page.body.partition("<main>")[2]


@ensureDeferred
async def test_a_message_of_a_known_gateway_leads_back_to_its_login(shared_server: SiteServer) -> None:
    """wifidog-ng says which gateway it is."""
    page = await shared_server.get(f"messages?gw_id=gw1&mac={MAC}")
    assert "/wifidog/login?gw_address=10.0.0.1&amp;gw_port=2060&amp;gw_id=gw1" in page.body


@pytest.mark.parametrize("target", ["login?" + login_query(), "portal", "messages", "", "nowhere"])
@ensureDeferred
async def test_head_is_get_without_the_page(shared_server: SiteServer, target: str) -> None:
    """With the same head."""
    get, head = await shared_server.get(target), await shared_server.get(target, method="HEAD")
    assert (head.status, head.body) == (get.status, "")
    assert head.headers.keys() == get.headers.keys()
    assert abs(int(head.headers["content-length"]) - int(get.headers["content-length"])) < 20


@pytest.mark.parametrize("name", ["login", "portal", "gw_message.php", "gw_message", "messages"])
@ensureDeferred
async def test_a_slash_at_the_end_changes_nothing(shared_server: SiteServer, name: str) -> None:
    """Nor do two, nor one too many in front; never a redirect."""
    codes = {(await shared_server.get(target)).status for target in (name, name + "/", name + "//", "/" + name)}
    assert len(codes) == 1
    assert codes & {200, 404}


@pytest.mark.parametrize(
    ("method", "target", "code"),
    [
        ("POST", "portal", 405),
        ("PUT", "login", 405),
        ("DELETE", "", 405),
        ("GET", "logout", 405),
        ("OPTIONS", "login", 405),
        ("GET", "nowhere", 404),
        ("GET", "portal/more", 404),
        ("GET", "%ff%fe", 404),
        ("GET", "%2e%2e/%2e%2e/etc/passwd", 404),
        ("GET", "a%2f%2fb", 404),
        ("GET", "login%00", 404),
        ("GET", "../login", 404),
    ],
)
@ensureDeferred
async def test_wrong_turns_get_a_page_too(shared_server: SiteServer, method: str, target: str, code: int) -> None:
    """Not a traceback, not a bare line, nothing in the log."""
    with log_lines("") as lines:
        page = await shared_server.get(target, method=method)
    assert page.status == code
    assert is_polite(page)
    assert "<h1>" in page.body
    assert not [line for line in lines if "log_failure" in line]


@pytest.mark.parametrize("host", ["\xff", "a..b", "a" * 300, "[::1", "x y", "<b>", "", "portal.example:99999999", "-"])
@ensureDeferred
async def test_a_host_that_cannot_be_true_changes_nothing(shared_server: SiteServer, host: str) -> None:
    """Neither the page nor its policy."""
    page = await shared_server.get("login?" + login_query(), host=host)
    assert page.status == 200
    assert "<b>" not in page.headers["content-security-policy"]


@ensureDeferred
async def test_a_store_that_goes_away_asks_guests_for_patience(server: SiteServer) -> None:
    """The form stays usable, the other pages say when to come back."""
    form = hidden(await server.login_page())
    token = await server.get_online()
    await within(10, server.database.stop())
    sent = await server.post("login", form)
    assert sent.status == 503
    assert "press the button again" in sent.body
    assert hidden(sent)["state"]
    for page in (sent, await server.login_page(), await server.get(f"portal?token={token}")):
        assert page.status == 503
        assert is_polite(page)
        assert int(page.headers["retry-after"]) > 0
    assert (await server.get("messages")).status == 200
    assert (await server.get("")).status == 200


@ensureDeferred
async def test_our_own_mistakes_are_logged_sparingly(server: SiteServer) -> None:
    """The guest gets a page, the log one traceback for many guests."""
    server.registry._networks.clear()
    with log_lines("wifidogd") as lines:
        pages = [await server.login_page() for _ in range(3)]
    assert {page.status for page in pages} == {500}
    assert all(is_polite(page) for page in pages)
    assert "Something went wrong on our side" in pages[0].body
    assert len([line for line in lines if "log_failure" in line]) == 1


@ensureDeferred
async def test_a_limit_that_ended_the_session_is_named_on_the_next_page(server: SiteServer) -> None:
    """With when the guest may come back; no longer once that is long ago, nor on the page of a neighbour."""
    await server.change_network(time_limit=timedelta(minutes=10))
    token = await server.get_online()
    server.later(minutes=10)
    await server.report(Stage.COUNTERS, token)
    page = await server.login_page()
    assert "Your last stay has ended. Your time is used up." in page.body
    assert "You may sign in again now." in page.body
    assert "Your last stay" not in (await server.login_page(mac="02:00:00:00:00:99")).body
    server.later(hours=1)
    assert "Your last stay" not in (await server.login_page()).body


@ensureDeferred
async def test_a_plan_is_of_a_device_that_the_gateway_named(server: SiteServer) -> None:
    """Without one nobody gets in, or leaving out the MAC would leave out the limits."""
    await within(5, server.database.transaction(lambda cursor: save_plan(cursor, Plan("p", "P", total_octets=100))))
    await put(server.database, "UPDATE gateways SET trust_macs = true")
    await server.change_network(plan="p")
    page = await server.login_page(mac="")
    refused = await server.post("login", hidden(page))
    assert refused.status == 403
    assert "did not tell us which device this is" in refused.body
    token = await server.get_online()
    await server.report(Stage.COUNTERS, token, Octets(60, 40))
    refused = await server.sign_in()
    assert refused.status == 403
    assert "Your data is used up." in refused.body
