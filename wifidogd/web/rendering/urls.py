"""The addresses that pages lead to: the gateway's own web server, and our login page."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from wifidogd.access.session_view import SessionView
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import LoginQuery
from wifidogd.domain.voucher_codes import read_code

LIVE = "live"
"""In the query of a portal that was shown before, so that its stay must have ended if nobody knows it."""

WITH_FORM = "form"
"""In the query of a login page: show the form even to a device that is remembered."""


def origin_of(gateway: Gateway) -> str:
    """
    Name the gateway's own web server.

    It is always plain HTTP: wifidog-gateway has nothing else, and apfree-wifidog
    announces the port of its HTTP listener even to guests on HTTPS.
    """
    return f"http://{_in_url(gateway.address)}:{gateway.port}"


def way_in(gateway: Gateway, host: str | None) -> tuple[str, ...]:
    """
    List where a form that signs in leads: the gateway, and from there to our portal.

    The gateway may name our portal with another scheme or port than the
    browser reached us at; C{http:} in a policy allows HTTPS too.

    @param host: under which the browser reached us; None when nobody knows.
    """
    ours = (f"http://{host}:*",) if host else ()
    return (origin_of(gateway), *ours)


def admitting(gateway: Gateway, token: str) -> str:
    """
    Build the address where the gateway lets the guest in.

    apfree-wifidog insists on C{gw_id}, the others ignore it.  The registered
    address, never one from a URL: the token must not reach anybody else.
    """
    return f"{origin_of(gateway)}/wifidog/auth?{urlencode({'token': token, 'gw_id': gateway.gw_id})}"


def logging_out(gateway: Gateway, token: str) -> str:
    """Build the address at which the gateway forgets the guest; wifidog-gateway answers nothing at all there."""
    return f"{origin_of(gateway)}/wifidog/auth?{urlencode({'logout': 1, 'token': token, 'gw_id': gateway.gw_id})}"


def login_of(path: str, visitor: LoginQuery) -> str:
    """Build the login address that a gateway would have sent this visitor to."""
    fields = {
        "gw_address": visitor.gw_address,
        "gw_port": visitor.gw_port,
        "gw_id": visitor.gw_id,
        "ip": visitor.ip,
        "mac": visitor.mac,
        "url": visitor.url,
    }
    return f"{path}login?{urlencode({name: value for name, value in fields.items() if value is not None})}"


def portal_of(path: str, stay: SessionView, token: str) -> str:
    """Build the address at which a guest sees their stay, or the way in once it has ended."""
    fields = {"gw_id": stay.gateway.gw_id, "token": token, "mac": stay.mac, "ip": stay.ip, LIVE: "1"}
    return f"{path}portal?{urlencode({name: value for name, value in fields.items() if value is not None})}"


def figures_of(path: str, token: str) -> str:
    """Build the address of the figures that the portal follows."""
    return f"{path}portal.json?{urlencode({'token': token})}"


def visitor_of(gateway: Gateway, mac: str | None = None, ip: str | None = None) -> LoginQuery:
    """Describe somebody at a gateway as its login redirect would."""
    return LoginQuery(gateway.gw_id, gateway.address, gateway.port, mac, ip)


def login_again(path: str, stay: SessionView) -> str:
    """Build the login address for the guest of a stay that is over."""
    return login_of(path, visitor_of(stay.gateway, stay.mac, stay.ip))


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


NOWHERE = "192.0.2.1"
"""Never assigned to anybody (RFC 5737), so that nobody learns the code; plain HTTP, which gateways catch."""


def detour_with(code: str) -> str:
    """Build the address to be caught with; the code is in its plain form."""
    return f"http://{NOWHERE}/v/{code}"


def code_caught(url: str | None) -> str | None:
    """
    Read the code out of the address that a gateway caught.

    @return: in its plain form; None if that was no detour of ours.
    """
    parts = urlsplit(url or "")
    before, found, code = parts.path.partition("/v/")
    return read_code(code) if parts.netloc == NOWHERE and found and not before else None
