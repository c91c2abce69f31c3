"""From the login page over a mail server to a validated account, through the whole server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.support.builders import rows
from tests.support.deadline import within
from tests.support.mailbox import PASSWORD, USER, Mailbox
from tests.support.running_server import NOON, Answer, RunningServer
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import Network, SignInMethod
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.gateways import adopt
from wifidogd.store.gateways.networks import save_network

MAC = "02:ab:cd:ef:01:01"
ZOE = "zoe@example.org"
OFFER = Network("default", "Café Zoë", (SignInMethod.ACCOUNT,), sign_up=True, grace=timedelta(minutes=20))
LINK = re.compile(r"https?://\S+")


class Journey:
    """A guest with a phone, a gateway, a server and a mail server."""

    def __init__(self, server: RunningServer, mailbox: Mailbox, database: Database) -> None:
        self.server = server
        self.mailbox = mailbox
        self.database = database
        self.token = ""

    async def login_page(self) -> Answer:
        """Open a page, and be redirected by the gateway to the login page."""
        return await self.server.get(
            f"/wifidog/login/?gw_address=10.11.0.1&gw_port=2060&gw_id=cafe&ip=10.11.0.9&mac={MAC}&url=http://a.example/"
        )

    async def sign_up(self, email: str = ZOE, password: str = "correct horse") -> Answer:
        """Go from the login page to the sign-up page, and fill it in."""
        page = await self.login_page()
        found = re.search(r'href="(/wifidog/sign-up[^"]+)"', page.text)
        assert found is not None
        form = await self.server.get(unescape(found[1]))
        state = hidden(form)
        answer = await self.server.post(
            "/wifidog/sign-up", urlencode({"state": state, "email": email, "password": password})
        )
        self._take_token(answer)
        return answer

    async def sign_in(self, name: str, password: str) -> Answer:
        """Sign in with an account."""
        form = {"state": hidden(await self.login_page()), "name": name, "password": password}
        answer = await self.server.post("/wifidog/login", urlencode(form))
        self._take_token(answer)
        return answer

    def _take_token(self, answer: Answer) -> None:
        found = re.search(r"token=([0-9a-z]{32})", answer.headers.get("location", ""))
        self.token = found[1] if found else ""

    async def auth(self, stage: str, token: str | None = None) -> str:
        """Report the guest as the gateway would."""
        said = f"ip=10.11.0.9&mac={MAC}&token={token or self.token}&incoming=1&outgoing=1&gw_id=cafe"
        return (await self.server.get(f"/wifidog/auth/?stage={stage}&{said}")).text

    async def mail(self, number: int = 0) -> str:
        """Wait for a mail; return its text."""

        async def wait() -> str:
            while len(self.mailbox.received) <= number:
                await deferLater(reactor, 0.05)
            return str(self.mailbox.received[number][2].get_content())

        return await within(20, wait())

    async def confirm(self, text: str, password: str = "correct horse") -> Answer:
        """Open the link of a mail, and type the password."""
        target = target_in(text)
        assert 'name="password"' in (await self.server.get(target)).text
        return await self.server.post(target, urlencode({"password": password}))


def hidden(page: Answer) -> str:
    """Read the state of a form."""
    found = re.search(r'name="state" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return unescape(found[1])


def target_in(text: str) -> str:
    """Read the link of a mail; it leads to the public URL."""
    found = LINK.search(text)
    assert found is not None
    assert found[0].startswith("https://wifi.example/wifidog/mail/")
    return urlsplit(found[0]).path


@pytest_twisted.async_yield_fixture
async def journey(database: Database, dsn: str, tmp_path: Path, monkeypatch: object) -> AsyncIterator[Journey]:
    """All of it, with certificates in order."""
    mailbox = Mailbox().open()
    monkeypatch.setenv("SSL_CERT_FILE", mailbox.identity.write(tmp_path))  # type: ignore[attr-defined]
    (tmp_path / "password").write_text(PASSWORD + "\n", "utf-8")

    async def furnish(cursor) -> None:
        await save_network(cursor, OFFER)
        await adopt(cursor, Gateway("cafe", "default", "10.11.0.1"), NOON)

    await within(5, database.transaction(furnish))
    server = RunningServer(
        dsn,
        *("--mail", f"smtp+tls://{quote(USER)}@localhost:{mailbox.port}"),
        *("--mail-password-file", str(tmp_path / "password")),
        *("--mail-from", "wifi@example.org", "--public-url", "https://wifi.example"),
    )
    await within(20, server.start())
    yield Journey(server, mailbox, database)
    await server.stop()
    await mailbox.close()


@ensureDeferred
async def test_a_guest_signs_up_reads_the_mail_and_stays(journey: Journey) -> None:
    """The gateway hears 5 until the link is followed, 1 from then on; later they sign in by address and password."""
    assert (await journey.sign_up()).code == 303
    assert await journey.auth("login") == "Auth: 5\n"
    text = await journey.mail()
    sender, recipient, message = journey.mailbox.received[0]
    assert (sender, recipient) == ("wifi@example.org", ZOE)
    assert message["from"] == "Café Zoë <wifi@example.org>"
    assert message["to"] == ZOE
    assert message["auto-submitted"] == "auto-generated"
    assert message["message-id"].endswith("@example.org>")
    assert message["date"].datetime == NOON
    assert message.get_content_type() == "text/plain"
    journey.server.now += timedelta(minutes=19)
    assert await journey.auth("counters") == "Auth: 5\n"
    assert (await journey.server.get(target_in(text))).code == 200
    assert await journey.auth("counters") == "Auth: 5\n"
    page = await journey.confirm(text)
    assert page.code == 200
    assert "confirmed" in page.text
    assert await journey.auth("counters") == "Auth: 1\n"
    journey.server.now += timedelta(hours=3)
    assert await journey.auth("counters") == "Auth: 1\n"
    assert await rows(journey.database, "SELECT count(*) FROM mails") == [(0,)]
    again = await journey.server.get(target_in(text))
    assert (again.code, "done already" in again.text) == (200, True)
    await journey.auth("logout")
    assert (await journey.sign_in("ZOE@Example.org ", "correct horse")).code == 303
    assert await journey.auth("login") == "Auth: 1\n"


@ensureDeferred
async def test_a_guest_who_does_not_read_the_mail_is_out(journey: Journey) -> None:
    """At the very second the grace is over the gateway hears 6, and signing in again brings no more of it."""
    await journey.sign_up()
    assert await journey.auth("login") == "Auth: 5\n"
    journey.server.now += timedelta(minutes=20) - timedelta(seconds=1)
    assert await journey.auth("counters") == "Auth: 5\n"
    journey.server.now += timedelta(seconds=1)
    assert await journey.auth("counters") == "Auth: 6\n"
    assert await rows(journey.database, "SELECT reason FROM past_sessions") == [("address not validated in time",)]
    refused = await journey.sign_in(ZOE, "correct horse")
    assert refused.code == 403
    assert "not confirmed in time" in refused.text
    text = await journey.mail()
    assert (await journey.confirm(text)).code == 200
    assert (await journey.sign_in(ZOE, "correct horse")).code == 303
    assert await journey.auth("login") == "Auth: 1\n"


@ensureDeferred
async def test_a_dead_mail_server_loses_nothing(journey: Journey) -> None:
    """The guest is online meanwhile, and the mail arrives once the server is back."""
    await within(5, journey.mailbox.listener.stopListening())
    await journey.sign_up()
    assert await journey.auth("login") == "Auth: 5\n"

    async def tried() -> None:
        while (
            await rows(journey.database, "SELECT 1 FROM mails WHERE tries = 1 AND next_try = queued_at + interval '1m'")
            == []
        ):
            await deferLater(reactor, 0.05)

    await within(15, tried())
    journey.server.now += timedelta(minutes=1)
    journey.mailbox.open(journey.mailbox.port)
    assert (await journey.confirm(await journey.mail())).code == 200
    assert await journey.auth("counters") == "Auth: 1\n"


@ensureDeferred
async def test_a_forgotten_password_is_replaced_by_mail(journey: Journey) -> None:
    """Once, within the hour; the old one is no longer good."""
    await journey.sign_up()
    await journey.confirm(await journey.mail())
    page = await journey.server.post("/wifidog/forgotten", urlencode({"email": ZOE, "want": "recover"}))
    assert page.code == 200
    text = await journey.mail(1)
    assert ZOE in text
    target = target_in(text)
    assert 'name="password"' in (await journey.server.get(target)).text
    assert (await journey.server.post(target, "password=short")).code == 400
    assert (await journey.server.post(target, "password=battery+staple")).code == 200
    assert "done already" in (await journey.server.post(target, "password=battery+staple")).text
    assert "done already" in (await journey.server.get(target)).text
    assert (await journey.sign_in(ZOE, "correct horse")).code == 401
    assert (await journey.sign_in(ZOE, "battery staple")).code == 303
