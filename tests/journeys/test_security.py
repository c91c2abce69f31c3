"""What attackers try on a whole server, over real connections; docs/security.md says who they are."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.logger import LogEvent, eventAsJSON, eventAsText, globalLogPublisher

from tests.support.builders import rows
from tests.support.raw_http import ask, connect, read_reply
from tests.support.site_server import GATEWAY, MAC, hidden, login_query, token_in
from tests.web.portal.test_sign_up import MailSiteServer
from wifidogd.domain.plans import SignInMethod
from wifidogd.domain.sessions import AuthCode, Stage
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.driver.database import Database

KEY = "k" * 32
KEYED = replace(GATEWAY, key_hashes=(hash_secret(KEY),))
OTHER_MAC = "02:00:00:00:00:02"
PASSWORD = "correct horse"
OTHER_TOKEN = "t" * 32

EVIL = "evil.example"
ELSEWHERE = [
    f"http://{EVIL}/",
    f"//{EVIL}/",
    f"\\\\{EVIL}/",
    f"/\\{EVIL}",
    f"https:{EVIL}",
    f"javascript:alert(1)//{EVIL}",
    f"http://10.0.0.1@{EVIL}/",
    f"http://x/\r\nLocation: http://{EVIL}/",
]
NAMES = (
    "url",
    "gw_address",
    "gw_port",
    "gw_id",
    "mac",
    "ip",
    "token",
    "lang",
    "message",
    "state",
    "page",
    "live",
    "form",
)
GETS = (
    "",
    "login",
    "portal",
    "portal.json",
    "gw_message.php",
    "sign-up",
    "forgotten",
    "account",
    "preview",
    "p/x",
    "v/x",
)
POSTS = ("login", "sign-up", "forgotten", "account", "logout", "disconnect", "forget", "my-data", "mail/x")

HEADS = {
    "date", "content-length", "content-type", "content-security-policy", "cache-control", "referrer-policy", "location",
    "x-content-type-options", "x-frame-options", "vary", "permissions-policy", "strict-transport-security",
    "content-encoding", "retry-after", "set-cookie", "allow",
    "server", "connection", "content-disposition",
}  # fmt: skip


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[MailSiteServer]:
    """A server with everything that it can have, behind a proxy that ends TLS."""
    server = MailSiteServer(database, public_url="https://wifi.example")
    await server.open()
    await server.ask_for_accounts(anna=PASSWORD)
    ways = (SignInMethod.SPLASH, SignInMethod.ACCOUNT, SignInMethod.VOUCHER)
    await server.change_network(methods=ways, sign_up=True, remember=timedelta(days=30))
    yield server
    await server.close()


@pytest.fixture
def said() -> Iterator[list[str]]:
    """All that is logged, at every level, as text with tracebacks and as JSON."""
    lines: list[str] = []

    def note(event: LogEvent) -> None:
        lines.extend((eventAsText(event, includeTraceback=True), eventAsJSON(event)))

    globalLogPublisher.addObserver(note)
    yield lines
    globalLogPublisher.removeObserver(note)


async def report(server: MailSiteServer, token: str, mac: str = MAC, key: str = "", stage: str = "login") -> str:
    """Send a report as anybody who can reach the server may; return the answer."""
    fields = {
        "stage": stage,
        "ip": "10.0.0.5",
        "mac": mac,
        "token": token,
        "gw_id": "gw1",
        "incoming": 1,
        "outgoing": 1,
    }
    return (await ask(server.port, f"/wifidog/auth/{key}?{urlencode(fields)}")).body.strip()


async def splash(server: MailSiteServer, mac: str = MAC) -> str:
    """Get a token as any guest does who opens the login page with a MAC."""
    form = hidden(await server.login_page(mac=mac))
    return token_in((await server.post("login", form | {"splash": "1"})).headers["location"])


@ensureDeferred
async def test_with_a_key_nobody_but_the_gateway_speaks_for_it(server: MailSiteServer) -> None:
    """A guest with a token of their own names a neighbour's device, without and with a guessed key."""
    await server.adopt(KEYED)
    await server.database.transaction(
        lambda cursor: cursor.execute("UPDATE gateways SET key_hashes = %(keys)s", {"keys": [hash_secret(KEY)]})
    )
    await server.refresh()
    neighbour, own = await splash(server), await splash(server)
    assert await report(server, neighbour, key=KEY) == "Auth: 1"
    for stage in ("login", "counters", "logout"):
        for token in (neighbour, own):
            for key in ("", "a" * 32, KEY[:-1]):
                assert await report(server, token, key=key, stage=stage) == "Auth: 0"
    assert await report(server, neighbour, key=KEY, stage="counters") == "Auth: 1"
    ping = await ask(server.port, "/wifidog/ping?gw_id=gw1&wifidog_uptime=1")
    assert (ping.status, "Pong" in ping.body) == (403, False)


@ensureDeferred
async def test_without_a_key_who_knows_a_mac_can_send_its_guest_away(server: MailSiteServer) -> None:
    """What a key is for: the page that a guest opens and the login that they forge name a neighbour's device."""
    neighbour, own = await splash(server), await splash(server)
    assert await report(server, neighbour) == "Auth: 1"
    assert await report(server, own, mac=MAC) == "Auth: 1"
    assert await report(server, neighbour, stage="counters") == "Auth: 0"


@ensureDeferred
async def test_a_token_that_a_neighbour_hears_is_of_no_use_on_another_device(server: MailSiteServer) -> None:
    """Neither before its guest has used it nor after; nor without a MAC, whatever the stage."""
    token = await splash(server)
    for stage in ("login", "counters", "logout"):
        for other in (OTHER_MAC, "00:00:00:00:00:00", "", "N/A"):
            assert await report(server, token, mac=other, stage=stage) == "Auth: 0"
    assert await report(server, token, mac="0200.0000.0001") == "Auth: 1"
    assert await report(server, token, mac=OTHER_MAC) == "Auth: 0"
    assert await report(server, token, mac=OTHER_MAC, stage="counters") == "Auth: 0"
    assert await report(server, token, mac="00:00:00:00:00:00", stage="counters") == "Auth: 1"


@pytest.mark.parametrize("named", ["", "00:00:00:00:00:00", "garbage", "null"])
@ensureDeferred
async def test_a_token_is_of_the_first_device_where_the_page_named_none(server: MailSiteServer, named: str) -> None:
    """Gateways before 1.2 name none; somebody who cuts it out of their own page loses what it is for."""
    token = await splash(server, mac=named)
    assert await report(server, token, mac="00-00-00-00-00-00") == "Auth: 1"
    assert await report(server, token, mac=MAC, stage="counters") == "Auth: 1"
    assert await report(server, token, mac=OTHER_MAC, stage="counters") == "Auth: 0"


@ensureDeferred
async def test_no_answer_leads_anywhere_but_to_our_pages_or_the_registered_gateway(server: MailSiteServer) -> None:
    """Whatever stands in a URL, a form, a path or the Host header."""
    replies = []
    for value in ELSEWHERE:
        query = urlencode(dict.fromkeys(NAMES, value))
        replies += [await server.get(f"{page}?{query}&{login_query(url=value)}", host=EVIL) for page in GETS]
        replies += [await server.get(f"{page}?{login_query(url=value)}&{query}") for page in GETS]
        form = hidden(await server.login_page(url=value)) | {"splash": "1", "back": value, "again": value}
        replies += [await server.post(page, form | {"email": value, "name": value}) for page in POSTS]
        replies += [await ask(server.port, "/" + quote(value)), await ask(server.port, f"//{EVIL}/wifidog//{EVIL}/..")]
        replies.append(await server.get("p/" + quote(value, safe="")))
    addresses = [reply.headers["location"] for reply in replies if "location" in reply.headers]
    assert len(addresses) > 10
    assert [
        address for address in addresses if not re.match(r"/wifidog/\w|http://10\.0\.0\.1:2060/wifidog/auth\?", address)
    ] == []
    assert {reply.status for reply in replies} <= {200, 303, 400, 401, 403, 404, 429, 503}
    links = {link for reply in replies for link in re.findall(r'(?:href|action|src)="([^"]*)"', reply.body)}
    assert {link for link in links if EVIL in link.partition("?")[0]} <= {f"http://{EVIL}/"}, "a page the guest wanted"


@ensureDeferred
async def test_nothing_that_is_sent_becomes_a_header_or_markup(server: MailSiteServer) -> None:
    """Line ends and tags in every parameter of every page, escaped and as they are."""
    for poison in (
        "\r\nX-Evil: 1\r\n\r\n<script>evil()</script>",
        "\nX-Evil: 1",
        '"><img src=x onerror=evil()>',
        "{{ 7*7 }}",
    ):
        query = urlencode(dict.fromkeys(NAMES, poison))
        form = hidden(await server.login_page(url=f"http://a/{poison}"))
        form |= {"splash": "1", "email": poison, "name": poison, "code": poison, "password": poison}
        replies = [await server.get(f"{page}?{query}") for page in GETS]
        replies += [await server.get(f"{page}?{login_query(url=poison)}&{query}") for page in GETS]
        replies += [await server.post(f"{page}?{query}", form | {"again": "1"}) for page in POSTS]
        replies += [await server.get(quote(poison, safe="")), await server.get("v/" + quote(poison, safe=""))]
        for reply in replies:
            assert set(reply.headers) <= HEADS
            assert not re.search(r"<script>evil|<img src=x|>49<", reply.body)


@ensureDeferred
async def test_no_header_of_a_request_comes_back_as_markup(server: MailSiteServer) -> None:
    """Not even where an address is shown to be copied."""
    for field in ("Host", "User-Agent", "Accept-Language", "Cookie", "Accept-Encoding", "Referer"):
        wire = await connect(server.port)
        poison = '"><script>evil()</script>'
        wire.say(f"GET /wifidog/forgotten HTTP/1.0\r\n{field}: {poison}\r\n\r\n".encode())
        reply = read_reply(await wire.ends(10))
        assert reply.status == 200
        assert "evil()" not in reply.body + str(reply.headers)


@ensureDeferred
async def test_every_page_says_what_browsers_must_not_do(server: MailSiteServer) -> None:
    """Run what is not ours, frame it, keep it, guess its type, tell others where it is; errors too."""
    replies = [await server.get(f"{page}?{login_query()}") for page in GETS]
    replies += [await server.post(page, {}) for page in POSTS]
    replies += [await server.get("nowhere"), await server.get("logout"), await ask(server.port, "/elsewhere")]
    await server.database.stop()
    replies += [await server.login_page(), await server.get("portal?token=x")]
    assert {reply.status for reply in replies} == {200, 303, 400, 404, 405, 503}
    for reply in replies:
        policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert "unsafe" not in str(policy)
        assert reply.headers["x-frame-options"] == "DENY"
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["referrer-policy"] == "no-referrer, same-origin"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["strict-transport-security"] == "max-age=15552000"
        assert reply.headers["permissions-policy"] == "camera=(), geolocation=(), microphone=()"


@ensureDeferred
async def test_no_form_is_accepted_that_another_site_could_have_made(server: MailSiteServer) -> None:
    """What acts for a guest who is in needs what only their own pages hold; a stranger's own state is of no use."""
    token = await splash(server)
    assert await report(server, token) == "Auth: 1"
    strangers = hidden(await server.login_page(mac=OTHER_MAC))
    for page in ("logout", "disconnect", "my-data"):
        for form in ({}, strangers, {"state": token}, {"token": token}):
            assert (await server.post(page, form | {"erase": "sure"})).status == 400
    assert await report(server, token, stage="counters") == "Auth: 1"


@pytest.mark.parametrize(
    "head",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Origin": "https://portal.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://wifi.example"},
        {"Origin": "null"},
    ],
)
@ensureDeferred
async def test_no_form_of_another_site_is_even_looked_at(server: MailSiteServer, head: dict[str, str]) -> None:
    """Whatever it holds and wherever it leads: nothing is counted, nothing sent; a person can read why."""
    form = hidden(await server.login_page()) | {"name": "anna", "password": PASSWORD, "email": "zoe@example.org"}
    before = await rows(server.database, TRACES)
    for page in (*POSTS, "nowhere", "portal"):
        for _ in range(15):
            reply = await server.post(page, form, **head)
            assert reply.status in (403, 404, 405)
        assert reply.status != 403 or "This form came from another website" in reply.body
        assert "location" not in reply.headers
    for target in ("auth/?stage=logout&gw_id=gw1&token=x", "ping/?gw_id=other"):
        reply = await server.post(target, {}, **head)
        assert (reply.status, reply.body) == (403, "Auth: -1\n")
    assert await rows(server.database, TRACES) == before
    assert (await server.post("login", form)).status == 303


TRACES = """
    SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM mails), (SELECT count(*) FROM email_links),
           (SELECT count(*) FROM accounts), (SELECT coalesce(sum(tries), 0) FROM attempts)
"""


@pytest.mark.parametrize(
    "head",
    [
        {},
        {"Sec_Fetch_Site": "same-origin", "Origin": "http://portal.example"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": "http://portal.example"},
        {"Origin": "https://wifi.example"},
        {"Origin": "http://10.0.0.1:8080", "host": "10.0.0.1:8080"},
        {"Origin": "http://[fd00::1]", "host": "[fd00:0::1]"},
    ],
)
@ensureDeferred
async def test_a_form_of_our_own_is_taken(server: MailSiteServer, head: dict[str, str]) -> None:
    """By any of the server's names; browsers that do not say where it comes from are believed."""
    form = hidden(await server.login_page()) | {"name": "anna", "password": PASSWORD}
    assert (await server.post("login", form, **head)).status == 303


@ensureDeferred
async def test_the_operator_learns_of_a_name_that_this_server_does_not_know(
    server: MailSiteServer, said: list[str]
) -> None:
    """A proxy that asks for another host makes our own forms look like another site's."""
    for _ in range(20):
        await server.post("login", {}, Origin="https://\x1b[2Jwlan.example" + "x" * 300)
    lines = [line for line in said if "--public-url" in line and not line.startswith("{")]
    assert len(lines) == 1
    assert "for portal.example" in lines[0]
    assert "\x1b" not in lines[0]
    assert len(lines[0]) < 500


@ensureDeferred
async def test_the_cookie_of_a_device_stays_with_tls_behind_a_proxy(server: MailSiteServer) -> None:
    """The proxy ends TLS, so that the request itself comes without; scripts and other sites never get it."""
    form = hidden(await server.login_page()) | {"name": "anna", "password": PASSWORD, "remember": "1"}
    cookie = (await server.post("login", form)).headers["set-cookie"]
    assert cookie.startswith("__Host-device-default=")
    assert {part.strip() for part in cookie.split(";")[2:]} == {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"}


@ensureDeferred
async def test_a_device_that_was_remembered_under_another_name_is_remembered_still(server: MailSiteServer) -> None:
    """By the cookie from before; it gets the name of TLS when it is used, and keeps its key."""
    form = hidden(await server.login_page()) | {"name": "anna", "password": PASSWORD, "remember": "1"}
    reply = await server.post("login", form)
    key = reply.headers["set-cookie"].partition(";")[0].partition("=")[2]
    token = token_in(reply.headers["location"])
    await report(server, token)
    await report(server, token, stage="logout")
    for cookie, moves in ((f"device-default={key}", True), (f"__Host-device-default={key}", False)):
        server.cookie = cookie
        page = await server.login_page()
        assert "Welcome back" in page.body
        reply = await server.post("login", hidden(page) | {"back": "1"})
        assert reply.status == 303
        moved = reply.headers.get("set-cookie", "").startswith(
            f"__Host-device-default={key}; Max-Age=34560000; Path=/;"
        )
        assert moved is moves


async def live(server: MailSiteServer) -> list[str]:
    """Do what guests, their gateway and strangers do; return the secrets of it."""
    await server.sign_up("zoe@example.org", "another horse")
    [link] = await server.links()
    await server.get(link)
    await server.post(link, {"password": "another horse"})
    form = hidden(await server.login_page()) | {"name": "anna", "remember": "1"}
    wrong = "wrong password"
    await server.post("login", form | {"password": wrong})
    reply = await server.post("login", form | {"password": PASSWORD})
    token, cookie = token_in(reply.headers["location"]), reply.headers["set-cookie"].partition(";")[0].partition("=")[2]
    await server.adopt(KEYED)
    await report(server, token, key=KEY)
    await server.get(f"portal?token={token}")
    for stage in ("counters", "logout"):
        await report(server, OTHER_TOKEN, key=KEY, stage=stage)
    await server.get(f"v/{KEY}?{login_query()}")
    return [token, cookie, KEY, PASSWORD, wrong, "another horse", OTHER_TOKEN, link.partition("/")[2]]


@pytest.mark.impatient
@ensureDeferred
async def test_no_secret_reaches_the_log(
    server: MailSiteServer, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At no level, nor in a traceback, nor while the database is away; of a token the first six characters."""
    secrets = await live(server)
    monkeypatch.setattr("wifidogd.runtime.rate_limited_log.PAUSE", 0.0)

    async def mistake(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(server.views, "show", mistake)
    monkeypatch.setattr(server.sign_in_services.account_sign_in, "account", mistake)
    form = hidden(await server.login_page()) | {"name": "anna", "password": PASSWORD}
    assert "mistake" not in (await server.post("login", form)).body
    assert "mistake" not in (await server.get(f"portal?token={secrets[0]}")).body
    await server.database.stop()
    for stage in ("login", "counters"):
        assert await report(server, secrets[0], key=KEY, stage=stage) == "Auth: -1"
    logged = "\n".join(said)
    assert "a mistake of ours" in logged
    assert OTHER_TOKEN[:6] in logged
    assert [secret for secret in secrets if secret in logged] == []


@ensureDeferred
async def test_no_secret_is_stored_as_it_is(server: MailSiteServer) -> None:
    """Who reads the tables cannot come in as anybody; only a mail that waits for its server has its link in it."""
    secrets = await live(server)
    tables = await rows(server.database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    stored = ""
    for (table,) in tables:
        if table != "mails":
            stored += str(await rows(server.database, f"SELECT t::text FROM {table} AS t"))
    assert "anna" in stored
    assert [secret for secret in secrets if secret in stored] == []
    columns = await rows(
        server.database,
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND column_name ~ 'token|key|secret|password|code|link'",
    )
    not_hashed = {f"{table}.{column}" for table, column in columns if not re.search("_hash(es)?$", column)}
    assert not_hashed == {
        "vouchers.code",
        "signing_keys.secret",
        "server_certificates.private_key",
        "sessions.hidden_token",  # only the browser's cookie can uncover it
        "router_commands.token",  # for seconds, where a router is connected to another process
    }


@ensureDeferred
async def test_a_line_of_the_log_is_one_line(server: MailSiteServer, said: list[str]) -> None:
    """Whatever a stranger sends to the addresses of gateways."""
    for poison in ("\r\n2026", "\x1b[2J\x1b]0;x", "\u202e\u2028x"):
        for query in (
            {"stage": "counters", "token": poison, "gw_id": "gw1"},
            {"stage": poison, "gw_id": poison},
            {"stage": "login", "token": poison, "mac": poison, "ip": poison},
        ):
            await ask(server.port, f"/wifidog/auth?{urlencode(query)}")
            await ask(server.port, f"/wifidog/ping?{urlencode({'gw_id': poison, 'sys_load': poison})}")
    assert any("refused" in line for line in said)
    assert [line for line in said if not line.isprintable() and "Traceback" not in line] == []


@ensureDeferred
async def test_a_token_is_good_for_nothing_once_its_session_has_ended(server: MailSiteServer) -> None:
    """Neither at the gateway nor on our pages, nor with the state that was signed for it."""
    token = await splash(server)
    assert await report(server, token) == "Auth: 1"
    state = hidden(await server.get(f"portal?token={token}"))
    assert await server.report(Stage.LOGOUT, token) is AuthCode.DENIED
    assert await report(server, token) == await report(server, token, stage="counters") == "Auth: 0"
    assert "Data used" not in (await server.get(f"portal?token={token}")).body
    assert (await server.get(f"portal.json?token={token}")).body.strip() == '{"online": false}'
    assert "had already ended" in (await server.post("logout", state)).body
    assert MAC not in (await server.post("my-data", state)).body


@ensureDeferred
async def test_a_stranger_who_names_a_device_learns_at_most_that_it_is_online(server: MailSiteServer) -> None:
    """Neither its token nor anything of who it is: no page but its own portal has them."""
    form = hidden(await server.login_page()) | {"name": "anna", "password": PASSWORD}
    token = token_in((await server.post("login", form)).headers["location"])
    assert await report(server, token) == "Auth: 1"
    pages = [await server.login_page(), await server.get(f"portal?gw_id=gw1&mac={MAC}"), await server.get("p/" + MAC)]
    assert "You are online" in pages[0].body
    for page in pages:
        assert not re.search(f"anna|{token}|Data used", str(page))
