"""An HTTP site that listens on loopback and uses a real database, for tests that act as guests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import urlencode

from twisted.internet import reactor
from twisted.internet.tcp import Port

from tests.support.deadline import within
from tests.support.raw_http import Reply, ask
from wifidogd.access.arrivals import Arrivals
from wifidogd.access.mail_access import MailAccess
from wifidogd.access.remembered_devices import RememberedDevices
from wifidogd.access.roaming import Roaming
from wifidogd.access.session_view import SessionViews
from wifidogd.access.sign_in import AccountSignIn
from wifidogd.access.voucher_sign_in import VoucherSignIn
from wifidogd.accounting.departures import Departures
from wifidogd.accounting.ledger import Ledger
from wifidogd.accounting.list_settlement import ClientLists
from wifidogd.accounts.personal_data import PersonalData
from wifidogd.domain.gateways import Gateway, WaitingGateway
from wifidogd.domain.plans import SignInMethod
from wifidogd.domain.sessions import AuthCode, Dialect, Octets, Report, Stage
from wifidogd.gateways.activity import Activity
from wifidogd.gateways.devices import Devices
from wifidogd.gateways.heartbeats import Heartbeats
from wifidogd.gateways.observations import Observations
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.accounts.accounts import add_account
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.gateways import adopt
from wifidogd.store.gateways.networks import save_network
from wifidogd.tap.routers import Routers, make_routers
from wifidogd.web.gateway.routes import GatewayPages
from wifidogd.web.portal.routes import GuestPages, MailServices
from wifidogd.web.portal.sign_in import SignInServices
from wifidogd.web.server.health import Health, ReactorLag
from wifidogd.web.server.large_bodies import LargeBodies
from wifidogd.web.server.site import WifidogdSite

GATEWAY = Gateway("gw1", "default", "10.0.0.1")
MAC = "02:00:00:00:00:01"


@dataclass
class SiteServer:
    """
    A running site, and the services behind it that tests use directly.

    @ivar waiting: gateways that sent guests and have not been adopted.
    @ivar now: the time of its wall clock.
    @ivar cookie: the C{Cookie} header of every request that the tests send.
    @ivar server: its name among those on the database.
    """

    database: Database
    path: str = "/wifidog/"
    public_url: str | None = None
    trust_new_gateways: bool = False
    now: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)
    waiting: list[WaitingGateway] = field(default_factory=list)
    cookie: str = ""
    server: str = "test 1"

    def __post_init__(self) -> None:
        self.registry = Registry(self.database, utc_now=lambda: self.now, trust_new_gateways=self.trust_new_gateways)
        self.passwords = Passwords(reactor)  # type: ignore[arg-type]
        self.views = SessionViews(self.database, self.registry, utc_now=lambda: self.now)
        self.observations = Observations(self.database, self.registry, clock=reactor)  # type: ignore[arg-type]
        self.ledger = Ledger(
            self.database,
            self.registry,
            clock=reactor,  # type: ignore[arg-type]
            utc_now=lambda: self.now,
            observations=self.observations,
        )
        self.lag = ReactorLag(reactor)  # type: ignore[arg-type]
        gateway = self._gateway_pages()
        self.routers = self._make_routers()
        self.sign_in_services = SignInServices(
            Arrivals(self.database),
            AccountSignIn(self.database, self.passwords, utc_now=lambda: self.now),
            VoucherSignIn(self.database),
            RememberedDevices(self.database),
            Roaming(self.database, self.registry, utc_now=lambda: self.now),
            MailAccess(self.database, self.routers.relay),
        )
        self.site = WifidogdSite(
            gateway.app.resource(),
            self._guest_pages().app.resource(),
            Health(self.database, self.registry, self.lag, {"ledger": self.ledger.metrics}),
            self.routers.pages,
            path=self.path,
            clock=reactor,  # type: ignore[arg-type]
            utc_now=lambda: self.now,
            large_bodies=LargeBodies(lambda *head: self._gateway.senders.standing(*head)),
        )

    def _gateway_pages(self) -> GatewayPages:
        self.heartbeats = Heartbeats(self.database, self.registry)
        self.devices = Devices(self.database, self.registry, self.heartbeats, utc_now=lambda: self.now)
        departures = Departures(self.database, clock=reactor, utc_now=lambda: self.now)  # type: ignore[arg-type]
        self.activity = Activity(self.database, self.registry, clock=reactor, utc_now=lambda: self.now)  # type: ignore[arg-type]
        self._gateway = GatewayPages(
            self.ledger,
            self.registry,
            self.heartbeats,
            self.devices,
            self.activity.note,
            Roaming(self.database, self.registry, utc_now=lambda: self.now),
            ClientLists(self.ledger, self.registry, departures, clock=reactor),  # type: ignore[arg-type]
            clock=reactor,
            utc_now=lambda: self.now,  # type: ignore[arg-type]
        )
        return self._gateway

    def _make_routers(self) -> Routers:
        return make_routers(
            self.database,
            self.registry,
            self.heartbeats,
            self.devices,
            server=self.server,
            clock=reactor,
            utc_now=lambda: self.now,
        )

    def mail(self) -> MailServices | None:
        """Return None: without a mail server nobody can sign up."""
        return None

    def _guest_pages(self) -> GuestPages:
        self._guest = GuestPages(
            self.registry,
            self.sign_in_services,
            self.views,
            PersonalData(self.database, self.passwords, utc_now=lambda: self.now),
            self.waiting.append,
            self.devices.learn_from_guest,
            self.activity.note,
            mail=self.mail(),
            path=self.path,
            public_url=self.public_url,
            utc_now=lambda: self.now,
            clock=reactor,  # type: ignore[arg-type]
        )
        return self._guest

    async def open(self, gateway: Gateway | None = GATEWAY) -> SiteServer:
        """Adopt a gateway unless it is None, refresh the registry, and listen."""
        self.passwords.start()
        if gateway is not None:
            await self.adopt(gateway)
        await self.refresh()
        return self.listen()

    def listen(self) -> SiteServer:
        """Listen without refreshing the registry."""
        self.listener: Port = reactor.listenTCP(0, self.site, interface="127.0.0.1")
        self.site.connections.watch(self.listener)
        self.port: int = self.listener.getHost().port
        return self

    async def close(self) -> None:
        """Stop listening, and stop the password threads."""
        await within(5, self.listener.stopListening())
        self.passwords.stop()

    async def refresh(self) -> None:
        """Read gateways and networks from the database into the registry."""
        await within(5, self.registry.refresh())

    async def adopt(self, gateway: Gateway) -> None:
        """Adopt a gateway, as the operator would."""
        await within(5, self.database.transaction(lambda cursor: adopt(cursor, gateway, self.now)))

    async def change_network(self, **changes: object) -> None:
        """Change settings of the default network, and refresh the registry."""
        network = replace(self.registry.network("default"), **changes)  # type: ignore[arg-type]
        await within(5, self.database.transaction(lambda cursor: save_network(cursor, network)))
        await self.refresh()

    async def ask_for_accounts(self, **passwords: str) -> None:
        """Add accounts, and let guests sign in with an account only."""
        for name, password in passwords.items():
            hashed = await within(10, self.passwords.hash(password))
            await within(
                5,
                self.database.transaction(
                    lambda cursor, name=name, hashed=hashed: add_account(cursor, name, hashed, self.now)  # type: ignore[misc]
                ),
            )
        await self.change_network(methods=(SignInMethod.ACCOUNT,))

    async def report(self, stage: Stage, token: str, octets: Octets = Octets(), mac: str = MAC) -> AuthCode:
        """Report a guest to the ledger, as the gateway would; return the answer."""
        report = Report(stage, Dialect.WIFIDOG, token, GATEWAY.gw_id, mac, "10.0.0.5", octets)
        return (await within(5, self.ledger.settle(report))).code

    async def get(self, target: str, **how: str) -> Reply:
        """Request a page below the path."""
        return await ask(self.port, self.path + target, cookie=self.cookie, **how)  # type: ignore[arg-type]

    async def post(self, target: str, fields: Mapping[str, str], **head: str) -> Reply:
        """Send a form to a page below the path; C{head} as the last of L{ask}."""
        form = urlencode(fields).encode()
        return await ask(self.port, self.path + target, method="POST", form=form, cookie=self.cookie, **head)  # type: ignore[arg-type]

    async def login_page(self, **changes: str) -> Reply:
        """Request the login page with the query of the gateway's redirect."""
        return await self.get("login/?" + login_query(**changes))

    async def sign_in(self, **typed: str) -> Reply:
        """Request the login page, fill in its form and send it."""
        page = await self.login_page()
        return await self.post("login", hidden(page) | typed)

    async def get_online(self) -> str:
        """Sign in by splash, report the login as the gateway would, and return the token."""
        token = token_in((await self.sign_in()).headers["location"])
        await self.report(Stage.LOGIN, token)
        return token

    def later(self, **length: float) -> None:
        """Advance the wall clock."""
        self.now += timedelta(**length)


def login_query(**changes: str) -> str:
    """Return the query of the reference gateway's redirect, with some values changed."""
    fields = {"gw_address": "10.0.0.1", "gw_port": "2060", "gw_id": "gw1", "ip": "10.0.0.5", "mac": MAC}
    return urlencode(fields | {"url": "http://a.example/news?x=1&y=2"} | changes)


def hidden(page: Reply) -> dict[str, str]:
    """Return the hidden fields of a page's form, without those of the language switch in the footer."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.body.partition("<footer>")[0])
    return {name: unescape(value) for name, value in found}


def token_in(location: str) -> str:
    """Return the token in a redirect to the gateway."""
    match = re.search(r"[?&]token=([0-9a-z]{32})(&|$)", location)
    assert match is not None, location
    return match[1]
