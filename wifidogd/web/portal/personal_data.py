"""A guest's own data: shown, downloaded, erased after a second tap."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from wifidogd.access.open_session import Refusal
from wifidogd.accounts.personal_data import PersonalData
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.guests import StoredData, StoredDevice, StoredSession
from wifidogd.domain.plans import Network
from wifidogd.domain.sessions import UtcNow
from wifidogd.gateways.registry import Registry
from wifidogd.web.portal.form_state import ForgedState, FormState
from wifidogd.web.portal.http import RETRY_AFTER, Answer, stale
from wifidogd.web.portal.session_cookie import drop_session_cookie
from wifidogd.web.rendering import session_pages, urls

SURE = "sure"
"""Value of the field C{erase} in the form of the second tap."""


class PersonalDataPages:
    """Answers the forms of the portal that are about the guest's own data; the signed state says whose it is."""

    def __init__(
        self, registry: Registry, personal_data: PersonalData, state: FormState, path: str, *, utc_now: UtcNow
    ) -> None:
        self._registry = registry
        self._personal_data = personal_data
        self._state = state
        self._path = path
        self._utc_now = utc_now

    async def answer(self, form: Mapping[str, str]) -> Answer:
        """
        Show the data, or do what the button in the form says.

        @raise StoreUnavailable: when nobody can say what is stored, or erase it.
        """
        state = form.get("state", "")
        try:
            token = self._state.open_token(state)
        except ForgedState:
            return stale()
        stored = await self._personal_data.look(token)
        if stored is None:
            return Answer(session_pages.offline(self._path, None, token))
        gateway = self._registry.gateway(stored.sessions[0].gw_id) if stored.sessions else None
        network = self._registry.network(gateway.network) if gateway else None
        if "download" in form:
            body = json.dumps(document(stored), indent=2, ensure_ascii=False).encode()
            return Answer(body, media="application/json", filename="my-data.json")
        if form.get("erase") == SURE:
            return await self._erase(token, form, stored, gateway, network)
        if "erase" in form:
            return Answer(session_pages.erase(network, state, needs_password=stored.account is not None))
        return Answer(session_pages.my_data(network, token, state, stored, self._utc_now()))

    async def _erase(
        self, token: str, form: Mapping[str, str], stored: StoredData, gateway: Gateway | None, network: Network | None
    ) -> Answer:
        """Erase, and let the browser tell the gateway, which then reports the end at once."""
        refused = await self._personal_data.erase(token, form.get("password", ""))
        if refused is None:
            origin = urls.origin_of(gateway) if gateway else None
            logging_out = urls.logging_out(gateway, token) if gateway else None
            cookies = (drop_session_cookie(network.name, self._path),) if network else ()
            return Answer(session_pages.erased(network, logging_out), images=origin, cookies=cookies)
        page = session_pages.erase(network, form["state"], refused, needs_password=stored.account is not None)
        if refused.why is Refusal.WRONG_PASSWORD:
            return Answer(page, HTTPStatus.FORBIDDEN)
        return Answer(page, HTTPStatus.TOO_MANY_REQUESTS, retry_after=refused.wait or RETRY_AFTER)


def document(stored: StoredData) -> dict[str, object]:
    """Return everything for a program to read, apart from the hashes of passwords and keys."""
    account = stored.account
    return {
        "account": account
        and {
            "name": account.name,
            "email": account.email,
            "created_at": _instant(account.created_at),
            "validated_at": _instant(account.validated_at),
            "plan": account.plan,
            "disabled": account.disabled,
        },
        "devices": [_device(device) for device in stored.devices],
        "stays": [_session(session) for session in stored.sessions],
    }


def _device(device: StoredDevice) -> dict[str, object]:
    return {
        "network": device.network,
        "mac": device.mac,
        "remembered_at": _instant(device.remembered_at),
        "expires_at": _instant(device.expires_at),
    }


def _session(session: StoredSession) -> dict[str, object]:
    return {
        "gateway": session.gw_id,
        "mac": session.mac,
        "ip": session.ip,
        "first_page": session.url,
        "opened_at": _instant(session.opened_at),
        "online_at": _instant(session.activated_at),
        "ended_at": _instant(session.ended_at),
        "end": session.reason,
        "incoming_octets": session.used.incoming,
        "outgoing_octets": session.used.outgoing,
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds")
