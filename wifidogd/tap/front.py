"""Makes everything that speaks HTTP, and what signs guests in."""

from __future__ import annotations

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
from wifidogd.gateways.command_relay import CommandRelay
from wifidogd.gateways.devices import Devices
from wifidogd.gateways.heartbeats import Heartbeats
from wifidogd.tap.common import Common
from wifidogd.tap.routers import Routers
from wifidogd.web.gateway.routes import GatewayPages
from wifidogd.web.portal.routes import GuestPages, MailServices
from wifidogd.web.portal.sign_in import SignInServices
from wifidogd.web.server.health import Health, ReactorLag
from wifidogd.web.server.large_bodies import LargeBodies
from wifidogd.web.server.site import WifidogdSite
from wifidogd.web.server.tls import PlainPortTls


def make_site(
    common: Common,
    ledger: Ledger,
    heartbeats: Heartbeats,
    devices: Devices,
    routers: Routers,
    mail: MailServices | None,
    lag: ReactorLag,
    tls: PlainPortTls,
) -> WifidogdSite:
    """Make everything that speaks HTTP."""
    clock, utc_now, note_activity = common.reactor, common.utc_now, common.activity.note
    roaming = Roaming(common.database, common.registry, utc_now=utc_now, mint=common.mint)
    metrics = {"ledger": ledger.metrics, "websocket": routers.sockets.metrics, **common.identity.metrics}
    departures = Departures(common.database, clock=clock, utc_now=utc_now)
    lists = ClientLists(ledger, common.registry, departures, clock=clock)
    gateway_pages = GatewayPages(
        ledger, common.registry, heartbeats, devices, note_activity, roaming, lists, clock=clock, utc_now=utc_now
    )
    return WifidogdSite(
        gateway_pages.app.resource(),
        make_guest_pages(common, heartbeats, devices, routers.relay, mail).app.resource(),
        Health(common.database, common.registry, lag, metrics, shows_details=common.settings.health_details),
        routers.pages,
        path=common.settings.path,
        clock=clock,
        utc_now=utc_now,
        large_bodies=LargeBodies(gateway_pages.senders.standing),
        tls=tls,
    )


def make_guest_pages(
    common: Common, heartbeats: Heartbeats, devices: Devices, relay: CommandRelay, mail: MailServices | None
) -> GuestPages:
    """Make the pages that guests see, and what signs them in."""
    database, registry, utc_now, mint = common.database, common.registry, common.utc_now, common.mint
    services = SignInServices(
        Arrivals(database),
        AccountSignIn(database, common.passwords, utc_now=utc_now, mint=mint),
        VoucherSignIn(database, mint=mint),
        RememberedDevices(database, mint=mint),
        Roaming(database, registry, utc_now=utc_now, mint=mint),
        MailAccess(database, relay),
    )
    return GuestPages(
        registry,
        services,
        SessionViews(database, registry, utc_now=utc_now),
        PersonalData(database, common.passwords, utc_now=utc_now),
        heartbeats.wait,
        devices.learn_from_guest,
        common.activity.note,
        mail=mail,
        path=common.settings.path,
        public_url=common.settings.public_url,
        utc_now=utc_now,
        clock=common.reactor,
    )
