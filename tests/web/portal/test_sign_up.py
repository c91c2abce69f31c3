"""The pages of accounts that guests make themselves, over real connections and a real database."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from urllib.parse import urlencode

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from tests.support.builders import rows
from tests.support.raw_http import Reply, ask
from tests.support.site_server import GATEWAY, MAC, SiteServer, hidden, token_in
from wifidogd.accounts.mailed_links import MailedLinks
from wifidogd.accounts.mails import MailComposer
from wifidogd.accounts.registration import Registration
from wifidogd.accounts.self_service import SelfService
from wifidogd.domain.plans import SignInMethod
from wifidogd.domain.sessions import Stage
from wifidogd.store.driver.database import Database
from wifidogd.web.portal.routes import MailServices
from wifidogd.web.rendering.mail_templates import MailTemplates

ZOE = "zoe@example.org"
GOOD = "correct horse"
PAGES = ["sign-up", "forgotten", "account", "mail/" + "a" * 32]


class MailSiteServer(SiteServer):
    """A server that can send mail, which its queue keeps."""

    def mail(self) -> MailServices:
        correspondence = MailComposer(
            MailTemplates(),
            sender="wifi@example.org",
            base=f"https://wifi.example{self.path}mail/",
            utc_now=lambda: self.now,
        )
        registration = Registration(self.database, self.passwords, correspondence, utc_now=lambda: self.now)
        care = SelfService(self.database, self.passwords, correspondence, utc_now=lambda: self.now)
        links = MailedLinks(self.database, self.passwords, utc_now=lambda: self.now)
        return MailServices(registration, care, links)

    async def sign_up_page(self) -> Reply:
        """Open the sign-up page as guests do."""
        return await self.get(link_in(await self.login_page(), "sign-up"))

    async def sign_up(self, email: str = ZOE, password: str = GOOD, **also: str) -> Reply:
        """Fill the page in."""
        return await self.post(
            "sign-up", hidden(await self.sign_up_page()) | {"email": email, "password": password} | also
        )

    async def letters(self) -> list[str]:
        """Read the queue."""
        return [message for (message,) in await rows(self.database, "SELECT message FROM mails ORDER BY mail_id")]

    async def links(self) -> list[str]:
        """Read the links in it, as addresses below the path."""
        texts = [letter.replace("=\n", "") for letter in await self.letters()]
        return [found for text in texts for found in re.findall(r"https://wifi\.example/wifidog/(mail/\w+)", text)]


def link_in(page: Reply, name: str) -> str:
    """Find a link to a page of ours, as an address below the path."""
    found = re.search(rf'href="/wifidog/({name}[^"]*)"', page.body)
    assert found is not None, page.body
    return unescape(found[1])


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[MailSiteServer]:
    server = MailSiteServer(database)
    await server.open()
    await server.change_network(methods=(SignInMethod.ACCOUNT, SignInMethod.SPLASH), sign_up=True, title="Café Zoë")
    yield server
    await server.close()


@pytest_twisted.async_yield_fixture
async def mute(database: Database) -> AsyncIterator[SiteServer]:
    """A server without mail, whose operator wanted sign-up all the same."""
    server = await SiteServer(database).open()
    await server.change_network(methods=(SignInMethod.ACCOUNT,), sign_up=True)
    yield server
    await server.close()


@ensureDeferred
async def test_without_a_mail_server_nothing_is_offered(mute: SiteServer) -> None:
    """No link leads there, and nothing is there."""
    page = await mute.login_page()
    state = hidden(page)
    for name in PAGES:
        assert f"/wifidog/{name}" not in page.body
        assert (await mute.get(name)).status in (400, 404)
        assert (await mute.post(name, state | {"email": ZOE, "password": GOOD})).status == 404
    assert await rows(mute.database, "SELECT count(*) FROM accounts") == [(0,)]


@pytest.mark.parametrize("changes", [{"sign_up": False}, {"methods": (SignInMethod.SPLASH,)}])
@ensureDeferred
async def test_a_network_may_offer_no_sign_up(server: MailSiteServer, changes: dict[str, object]) -> None:
    """Then also a form that was open is of no use."""
    form = hidden(await server.sign_up_page())
    await server.change_network(**changes)
    assert "sign-up" not in (await server.login_page()).body
    assert (await server.post("sign-up", form | {"email": ZOE, "password": GOOD})).status == 404
    assert await rows(server.database, "SELECT count(*) FROM accounts") == [(0,)]


@ensureDeferred
async def test_signing_up_leads_to_the_gateway(server: MailSiteServer) -> None:
    """As every other way to sign in does, with the policy to match."""
    page = await server.sign_up_page()
    assert page.status == 200
    assert f"form-action 'self' http://{GATEWAY.address}:2060" in page.headers["content-security-policy"]
    assert "20 minutes" in page.body
    reply = await server.sign_up()
    assert reply.status == 303
    assert reply.headers["location"].startswith(f"http://{GATEWAY.address}:2060/wifidog/auth?token=")


@ensureDeferred
async def test_the_terms_stand_on_the_page(server: MailSiteServer) -> None:
    """And which were accepted is noted."""
    await server.change_network(terms={"en": "Be nice."}, terms_version=3)
    assert "Be nice." in (await server.sign_up_page()).body
    await server.sign_up()
    assert await rows(server.database, "SELECT terms_version FROM sessions") == [(3,)]


@pytest.mark.parametrize(
    ("typed", "status", "says"),
    [
        ({"email": "zoe"}, 400, "not an e-mail address"),
        ({"email": ""}, 400, "not an e-mail address"),
        ({"password": "short"}, 400, "at least 8 characters"),
        ({"password": "x" * 1001}, 400, "at most 1,000 characters"),
        ({"password": " correct horse"}, 400, "begins or ends with a blank"),
        ({"password": "correct horse\xa0"}, 400, "begins or ends with a blank"),
        ({"password": "correct\xa0horse"}, 400, "no-break space"),
        ({"email": "<script>@x"}, 400, "&lt;script&gt;@x"),
    ],
)
@ensureDeferred
async def test_a_mistake_is_said_beside_what_was_typed(
    server: MailSiteServer, typed: dict[str, str], status: int, says: str
) -> None:
    """Never the password."""
    reply = await server.sign_up(**typed)
    assert reply.status == status
    assert says in reply.body
    assert GOOD not in reply.body
    assert 'role="alert"' in reply.body
    assert hidden(reply)["state"]


@ensureDeferred
async def test_a_known_address_looks_like_any_other(server: MailSiteServer) -> None:
    """Status, head and body of the answer have the same form."""
    new = await server.sign_up()
    known = await server.sign_up(password="another password")

    def anonymous(reply: Reply) -> tuple[int, set[str], str]:
        token = token_in(reply.headers["location"])
        return reply.status, set(reply.headers), reply.body.replace(token, "")

    assert anonymous(new) == anonymous(known)
    unknown = [await server.post("forgotten", {"email": who, "want": "recover"}) for who in (ZOE, "eve@example.org")]
    assert unknown[0].body.replace(ZOE, "") == unknown[1].body.replace("eve@example.org", "")
    assert unknown[0].status == unknown[1].status == 200


@ensureDeferred
async def test_a_storm_is_told_to_wait(server: MailSiteServer) -> None:
    """With how long."""
    for _ in range(5):
        await server.sign_up()
    reply = await server.sign_up()
    assert (reply.status, reply.headers["retry-after"]) == (429, "900")
    for _ in range(5):
        assert (await server.post("forgotten", {"email": ZOE})).status == 200
    await server.post((await server.links())[0], {"password": GOOD})
    form = {"name": ZOE, "password": GOOD, "change": "address"}
    for number in range(3):
        assert (await server.post("account", form | {"email": f"zoe@{number}.example"})).status == 200
    reply = await server.post("account", form | {"email": "zoe@4.example"})
    assert (reply.status, reply.headers["retry-after"]) == (429, "3600")


@ensureDeferred
async def test_an_address_is_confirmed_before_it_is_changed(server: MailSiteServer) -> None:
    """The page says so."""
    await server.sign_up()
    form = {"name": ZOE, "password": GOOD, "change": "address", "email": "zoe@new.example"}
    reply = await server.post("account", form)
    assert (reply.status, "not confirmed yet" in reply.body) == (403, True)
    assert len(await server.letters()) == 1


@pytest.mark.parametrize("state", ["", "forged", "x" * 10000])
@ensureDeferred
async def test_a_forged_state_opens_nothing(server: MailSiteServer, state: str) -> None:
    """Where a gateway matters; help is for everybody."""
    assert (await server.post("sign-up", {"state": state, "email": ZOE, "password": GOOD})).status == 400
    assert (await server.get(f"sign-up?state={state[:500]}")).status == 400
    assert (await server.post("forgotten", {"state": state, "email": ZOE})).status == 200
    assert await rows(server.database, "SELECT count(*) FROM accounts") == [(0,)]


@ensureDeferred
async def test_an_old_form_leads_back(server: MailSiteServer) -> None:
    """To a fresh login page."""
    form = hidden(await server.sign_up_page())
    server.later(minutes=30)
    reply = await server.post("sign-up", form | {"email": ZOE, "password": GOOD})
    assert reply.status == 400
    assert "/wifidog/login?" in reply.body


@ensureDeferred
async def test_who_is_online_already_is_not_signed_up(server: MailSiteServer) -> None:
    """They are shown so."""
    form = hidden(await server.sign_up_page())
    token = token_in((await server.sign_up()).headers["location"])
    await server.report(Stage.LOGIN, token)
    reply = await server.post("sign-up", form | {"email": "eve@example.org", "password": GOOD})
    assert reply.status == 303
    assert reply.headers["location"].startswith("/wifidog/login?")
    assert MAC.replace(":", "%3A") in reply.headers["location"]


@ensureDeferred
async def test_a_link_works_once(server: MailSiteServer) -> None:
    """Then it says so kindly; with a slash behind it, too, as mail programs like."""
    await server.sign_up()
    [link] = await server.links()
    assert 'autocomplete="current-password"' in (await server.get(link + "/")).body
    reply = await server.post(link + "/", {"password": "wrong one"})
    assert (reply.status, "not the password of the account" in reply.body) == (401, True)
    reply = await server.post(link + "/", {"password": GOOD})
    assert (reply.status, "Thank you" in reply.body) == (200, True)
    for reply in (await server.get(link), await server.post(link, {"password": GOOD})):
        assert (reply.status, "This is done already" in reply.body) == (200, True)
    reply = await server.get(link[:-1])
    assert reply.status == 404
    assert link_in(reply, "forgotten")


@ensureDeferred
async def test_links_lead_to_the_public_address_only(server: MailSiteServer) -> None:
    """Whatever host the browser says it asked."""
    form = hidden(await server.sign_up_page())
    body = urlencode(form | {"email": ZOE, "password": GOOD}).encode()
    await ask(server.port, "/wifidog/sign-up", method="POST", form=body, host="evil.example")
    [letter] = await server.letters()
    assert "evil.example" not in letter
    assert await server.links()


@ensureDeferred
async def test_a_forgotten_password_is_chosen_anew(server: MailSiteServer) -> None:
    """From the login page to the mail, from the mail to the form."""
    await server.sign_up()
    page = await server.get(link_in(await server.login_page(), "forgotten"))
    reply = await server.post("forgotten", hidden(page) | {"email": ZOE, "want": "recover"})
    assert ZOE in reply.body
    assert link_in(reply, "login")
    link = (await server.links())[1]
    assert 'autocomplete="new-password"' in (await server.get(link)).body
    reply = await server.post(link, {"password": "short"})
    assert (reply.status, "at least 8 characters" in reply.body) == (400, True)
    assert "password is changed" in (await server.post(link, {"password": "battery staple"})).body
    assert "This is done already" in (await server.post(link, {"password": "battery staple"})).body
    assert (await server.sign_in(name=ZOE, password="battery staple")).status == 303


@ensureDeferred
async def test_the_link_can_be_asked_for_again(server: MailSiteServer) -> None:
    """The second works as well as the first."""
    await server.sign_up()
    await server.post("forgotten", {"email": f" {ZOE.upper()} ", "want": "validate"})
    links = await server.links()
    assert len(links) == 2
    assert "Thank you" in (await server.post(links[1], {"password": GOOD})).body
    assert "This is done already" in (await server.post(links[0], {"password": GOOD})).body


@ensureDeferred
async def test_password_and_address_are_changed_by_who_knows_the_password(server: MailSiteServer) -> None:
    """And by nobody else."""
    await server.sign_up()
    await server.post((await server.links())[0], {"password": GOOD})
    known = {"name": ZOE, "password": GOOD}
    page = await server.get("account")
    assert page.status == 200
    wrong = await server.post("account", known | {"password": "wrong", "new_password": GOOD, "change": "password"})
    assert (wrong.status, "do not go together" in wrong.body, ZOE in wrong.body) == (401, True, True)
    reply = await server.post("account", known | {"email": "zoe@new.example", "change": "address"})
    assert (reply.status, "zoe@new.example" in reply.body) == (200, True)
    link = (await server.links())[1]
    assert "is to have this address" in (await server.get(link)).body
    assert "new address is confirmed" in (await server.post(link, {"password": GOOD})).body
    known["name"] = "zoe@new.example"
    reply = await server.post("account", known | {"new_password": "battery staple", "change": "password"})
    assert (reply.status, "password is changed" in reply.body) == (200, True)
    assert (await server.sign_in(name="zoe@new.example", password="battery staple")).status == 303


@pytest.mark.parametrize(
    ("accepted", "subject"), [("de", "de"), ("ar;q=0.9, en;q=0.1", "ar"), ("tlh", "en"), ("", "en")]
)
@ensureDeferred
async def test_the_mail_is_in_the_language_of_the_page(server: MailSiteServer, accepted: str, subject: str) -> None:
    """As far as we speak it."""
    form = hidden(await server.sign_up_page())
    body = urlencode(form | {"email": ZOE, "password": GOOD}).encode()
    await ask(server.port, "/wifidog/sign-up", method="POST", form=body, language=accepted)
    [letter] = await server.letters()
    assert f"\nContent-Language: {subject}\n" in letter


async def link_for(server: MailSiteServer, purpose: str) -> str:
    """Have a link sent for a purpose."""
    await server.sign_up()
    if purpose == "address":
        await server.post((await server.links())[0], {"password": GOOD})
        form = {"name": ZOE, "password": GOOD, "email": "zoe@new.example", "change": "address"}
        await server.post("account", form)
        return (await server.links())[1]
    await server.post("forgotten", {"email": ZOE, "want": purpose})
    return (await server.links())[1]


@pytest.mark.parametrize("purpose", ["validate", "recover", "address"])
@ensureDeferred
async def test_opening_a_link_does_nothing(server: MailSiteServer, purpose: str) -> None:
    """Programs that scan mails open links before people do, with GET and with HEAD, and again and again."""
    target = await link_for(server, purpose)
    stored = (
        "SELECT name, accounts.email, password_hash, validated_at, used_at"
        " FROM accounts JOIN email_links USING (account_id)"
    )
    before = await rows(server.database, stored)
    page = await server.get(target)
    for _ in range(2):
        head = await ask(server.port, server.path + target, method="HEAD")
        assert (head.status, head.body) == (200, "")
        assert (await server.get(target)).body == page.body
    assert await rows(server.database, stored) == before
    assert '<form method="post"' in page.body


@ensureDeferred
async def test_who_did_not_sign_up_may_choose_a_password(server: MailSiteServer) -> None:
    """On the page of the link, which locks out whoever did."""
    await server.sign_up(password="the stranger's")
    [link] = await server.links()
    reply = await server.post(link, {"new_password": "short"})
    assert (reply.status, "at least 8 characters" in reply.body) == (400, True)
    assert "password is changed" in (await server.post(link, {"new_password": GOOD})).body
    assert (await server.sign_in(name=ZOE, password=GOOD)).status == 303
    assert (await server.sign_in(name=ZOE, password="the stranger's")).status == 401


@ensureDeferred
async def test_the_portal_leads_who_has_an_account_to_its_page(server: MailSiteServer) -> None:
    """And from there nobody who has none; the page knows whose guest they are."""
    token = await server.get_online()
    assert "/account" not in (await server.get(f"portal?gw_id=gw1&token={token}")).body
    server.later(hours=1)
    own = token_in((await server.sign_up()).headers["location"])
    await server.report(Stage.LOGIN, own)
    portal = await server.get(f"portal?gw_id=gw1&token={own}")
    account = await server.get(link_in(portal, "account"))
    assert "Your account" in account.body
    assert "Café Zoë" in account.body


@pytest.mark.parametrize(
    ("password", "says"),
    [
        (GOOD + " ", "begins or ends with a blank"),
        ("correct\u200bhorse", "begins or ends with a blank"),
        ("x" * 1001, "longer than 1,000 characters"),
        ("wrong one", "Check both"),
    ],
)
@ensureDeferred
async def test_what_is_odd_about_a_wrong_password_is_said(server: MailSiteServer, password: str, says: str) -> None:
    """On the page that it was typed on, whether there is such an account or not."""
    await server.sign_up()
    for name in (ZOE, "eve@example.org"):
        reply = await server.sign_in(name=name, password=password)
        assert (reply.status, says in reply.body) == (401, True)
    reply = await server.post((await server.links())[0], {"password": password})
    assert (reply.status, says in reply.body.replace("Check it", "Check both")) == (401, True)
