"""A person with a phone: is caught by a gateway, signs in as the page asks, uses the internet, leaves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus

from wifidogd.domain.sessions import Octets
from wifidogd.simulation.actors.behaviour import Leaving
from wifidogd.simulation.actors.gateway import SimulatedGateway
from wifidogd.simulation.actors.html import Form, Html
from wifidogd.simulation.context import Context
from wifidogd.simulation.oracle.scenarios import ListedDevice
from wifidogd.simulation.statistics import Kind
from wifidogd.simulation.transport import wire
from wifidogd.simulation.transport.client import NoAnswer

WANTED = "http://example.org/news?page=1&of=2"

_ADMITTING = re.compile(r"/wifidog/auth\?token=([0-9a-z]{32})(?:&|\Z)")


class Guest:
    """
    One person and their device.

    @ivar mac: made up from a number, locally administered.
    """

    def __init__(self, number: int, gateways: Sequence[SimulatedGateway], context: Context) -> None:
        """@param number: 1 to 16 million; no two guests have the same."""
        tail = f"{number:06x}"
        self.mac = f"02:51:4d:{tail[:2]}:{tail[2:4]}:{tail[4:]}"
        self.ip = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        self._gateways = gateways
        self._context = context
        self._at: SimulatedGateway | None = None
        self._traffic_rate = context.behaviour.traffic_rate()
        self._token = ""
        self._button: Form | None = None
        self._cookies: dict[str, str] = {}

    def uses(self, gateway: object, seconds: float) -> Octets | None:
        """Use the internet where the guest is; as L{Device<wifidogd.simulation.actors.listed_client.Device>}."""
        return self._context.behaviour.used(self._traffic_rate, seconds) if self._at is gateway else None

    async def live(self) -> None:
        """Come and go until closing time."""
        behaviour, clock = self._context.behaviour, self._context.clock
        await clock.sleep(behaviour.first_arrival())
        while True:
            await self._visit(self._gateways[behaviour.gateway(len(self._gateways))])
            if not behaviour.roams():
                await clock.sleep(behaviour.away())

    async def _visit(self, gateway: SimulatedGateway) -> None:
        """Stay at one gateway for a while, and sign in whenever no page opens."""
        behaviour, clock = self._context.behaviour, self._context.clock
        self._at, self._button = gateway, None
        token = await gateway.welcome(self)
        self._token = token or self._token
        leaves_at = clock.now + behaviour.time_online()
        while clock.now < leaves_at:
            if not gateway.lets_through(self):
                await self._sign_in(gateway)
            await clock.sleep(min(behaviour.glance(), max(0.0, leaves_at - clock.now)))
        if gateway.lets_through(self):
            if token is not None and token == self._token:
                await self._find_button(gateway)
            await self._leave(gateway)
        self._at = None

    async def _sign_in(self, gateway: SimulatedGateway) -> None:
        """Follow the pages from the gateway's redirect to the portal."""
        target = gateway.catch(self, WANTED)
        if target is None:
            return
        history, place = self._context.history, self._place(gateway)
        before = history.origins(place)
        page = await self._browse(Kind.PAGE, self._get(target), HTTPStatus.OK)
        form = None if isinstance(page, NoAnswer) else self._form(Kind.PAGE, page, "login")
        if form is None:
            return
        if "back" not in form.fields and before.is_due and history.origins(place).is_due:
            self._context.statistics.fault(
                Kind.PAGE, f"{self.mac} is online elsewhere and is asked to sign in at {place.gw_id}"
            )
        await self._context.clock.sleep(self._context.behaviour.hesitation())
        token = await self._submit(gateway, form)
        if token is None:
            return
        self._token, self._button = token, None
        target = await gateway.admit(self, token)
        if target is not None:
            await self._look_at_portal(gateway, target)

    async def _submit(self, gateway: SimulatedGateway, form: Form) -> str | None:
        """Send the form, a second time if it turns out that the server thinks the guest is online already."""
        expected = (HTTPStatus.SEE_OTHER,) if "again" in form.fields else (HTTPStatus.SEE_OTHER, HTTPStatus.OK)
        history, place = self._context.history, self._place(gateway)
        before = history.origins(place)
        page = await self._browse(Kind.FORM, self._post(form), *expected)
        if isinstance(page, NoAnswer):
            return None
        if page.status == HTTPStatus.OK:
            again = self._form(Kind.FORM, page, "login")
            return None if again is None or "again" not in again.fields else await self._submit(gateway, again)
        origin = f"http://{gateway.site.address}:{gateway.site.port}"
        location = page.location or ""
        found = _ADMITTING.match(location.removeprefix(origin)) if location.startswith(origin) else None
        if found is None:
            self._context.statistics.fault(Kind.FORM, f"{self.mac} was sent to {location[:80]!r}, not to {origin}")
            return None
        if "back" not in form.fields:
            history.minted(place, found[1])
            return found[1]
        after = history.origins(place)
        origins = before.sessions | after.sessions
        if not origins and before.is_known and after.is_known:
            self._context.statistics.fault(Kind.FORM, f"{self.mac} goes on at {place.gw_id} and was online nowhere")
        self._context.statistics.roams += 1
        history.minted(place, found[1], origins)
        return found[1]

    async def _look_at_portal(self, gateway: SimulatedGateway, target: str) -> None:
        """Take note of the log-out button, which must be there if the guest is in."""
        history, listed = self._context.history, self._place(gateway)
        was_online = history.is_online(listed, self._token)
        page = await self._browse(Kind.PORTAL, self._get(target), HTTPStatus.OK, HTTPStatus.SEE_OTHER)
        if isinstance(page, NoAnswer):
            return
        self._button = Html(page.body).form_to(f"{self._context.server.path}logout")
        if self._button is None and was_online and history.is_online(listed, self._token):
            self._context.statistics.fault(
                Kind.PORTAL, f"{self.mac} is online at {listed.gw_id} and the portal denies it"
            )

    async def _find_button(self, gateway: SimulatedGateway) -> None:
        """Look for the log-out button of a session that went on here without a page; a cookie leads to it."""
        history, place = self._context.history, self._place(gateway)
        if history.is_online(place, self._token):
            page = await self._browse(Kind.PORTAL, self._get(gateway.portal(self)), HTTPStatus.OK, HTTPStatus.SEE_OTHER)
            if not isinstance(page, NoAnswer) and history.is_online(place, self._token):
                self._button = Html(page.body).form_to(f"{self._context.server.path}logout")

    async def _leave(self, gateway: SimulatedGateway) -> None:
        """Leaving in one of the ways that guests have."""
        way = self._context.behaviour.leave()
        if way is Leaving.DISCONNECT:
            await gateway.log_out(self)
        elif way is not Leaving.WALK_AWAY and self._button is not None:
            calls_gateway = await self._press(gateway, self._button)
            if calls_gateway and way is Leaving.LOG_OUT:
                await gateway.log_out(self)

    async def _press(self, gateway: SimulatedGateway, button: Form) -> bool:
        """
        Press the log-out button.

        @return: whether the page that answers calls the gateway.
        """
        history, listed = self._context.history, self._place(gateway)
        number = history.began(listed, self._token, None)
        page = await self._browse(Kind.BUTTON, self._post(button), HTTPStatus.OK)
        if isinstance(page, NoAnswer):
            (history.unsaid if page is NoAnswer.REFUSED else history.lost)(listed, number)
            return False
        history.heard(listed, number)
        calling = f"http://{gateway.site.address}:{gateway.site.port}/wifidog/auth?logout=1&"
        return any(image.startswith(calling) for image in Html(page.body).images)

    def _get(self, target: str) -> bytes:
        return wire.get(self._context.server, target, self._cookies)

    def _post(self, form: Form) -> bytes:
        return wire.post(self._context.server, form.action, form.fields, self._cookies)

    async def _browse(self, kind: Kind, request: bytes, *expected: HTTPStatus) -> wire.Page | NoAnswer:
        """
        Ask for a page.

        @return: L{NoAnswer} also for a page that says that the server cannot answer now, and for a wrong one.
        """
        statistics = self._context.statistics
        answer, seconds = await self._context.client.ask(request)
        page = answer if isinstance(answer, NoAnswer) else wire.read_page(answer) or NoAnswer.LOST
        if isinstance(page, NoAnswer) or page.status == HTTPStatus.SERVICE_UNAVAILABLE:
            statistics.missed(kind)
            return page if isinstance(page, NoAnswer) else NoAnswer.LOST
        statistics.took(kind, seconds)
        self._cookies.update(page.cookies)
        if page.status in expected:
            return page
        statistics.fault(kind, f"{self.mac} got status {page.status}")
        return NoAnswer.LOST

    def _form(self, kind: Kind, page: wire.Page, name: str) -> Form | None:
        form = Html(page.body).form_to(f"{self._context.server.path}{name}")
        if form is None:
            self._context.statistics.fault(kind, f"{self.mac} finds no form to send on the page")
        return form

    def _place(self, gateway: SimulatedGateway) -> ListedDevice:
        return ListedDevice(gateway.site.gw_id, self.mac)
