"""
The addresses that pages lead to: the gateway's own web server, and our pages.

A voucher's address is reached without a gateway in between, and browsers
there keep no cookies.  So its page links to an address that does not exist;
the gateway catches that like any other and sends the guest to the login page
with the address, and so the code, in C{url}.
"""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from wifidogd.access.session_view import SessionView
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import LoginQuery
from wifidogd.domain.voucher_codes import read_code

LIVE = "live"
"""In the query of a portal that was shown before: an unknown token then means that its session has ended."""

WITH_FORM = "form"
"""In the query of a login page: show the form even to a remembered device."""


def origin_of(gateway: Gateway) -> str:
    """
    Return the origin of the gateway's own web server.

    It is always plain HTTP: wifidog-gateway has nothing else, and apfree-wifidog
    announces the port of its HTTP listener even to guests on HTTPS.
    """
    return f"http://{_in_url(gateway.address)}:{gateway.port}"


def way_in(gateway: Gateway, host: str | None) -> tuple[str, ...]:
    """
    Return the origins where a sign-in form leads: the gateway, and from there to our portal.

    The gateway may name our portal with another scheme or port than the
    browser used; C{http:} in a policy allows HTTPS too.

    @param host: the host by which the browser reached us; None when unknown.
    """
    ours = (f"http://{host}:*",) if host else ()
    return (origin_of(gateway), *ours)


def admitting(gateway: Gateway, token: str) -> str:
    """
    Return the address at which the gateway lets the guest in.

    apfree-wifidog insists on C{gw_id}, the others ignore it.  The address is the
    registered one, never one from a URL: nobody else must get the token.
    """
    return f"{origin_of(gateway)}/wifidog/auth?{urlencode({'token': token, 'gw_id': gateway.gw_id})}"


def logging_out(gateway: Gateway, token: str) -> str:
    """Return the address at which the gateway forgets the guest; wifidog-gateway sends no answer there."""
    return f"{origin_of(gateway)}/wifidog/auth?{urlencode({'logout': 1, 'token': token, 'gw_id': gateway.gw_id})}"


def login_of(path: str, login_query: LoginQuery) -> str:
    """Return the login address to which a gateway would have sent this guest."""
    fields = {
        "gw_address": login_query.gw_address,
        "gw_port": login_query.gw_port,
        "gw_id": login_query.gw_id,
        "ip": login_query.ip,
        "mac": login_query.mac,
        "url": login_query.url,
    }
    return f"{path}login?{urlencode({name: value for name, value in fields.items() if value is not None})}"


def portal_of(path: str, session: SessionView, token: str | None = None) -> str:
    """
    Return the address of a guest's session, which leads to the login page once it has ended.

    @param token: None for a browser that is recognized without.
    """
    fields = {"gw_id": session.gateway.gw_id, "token": token, "mac": session.mac, "ip": session.ip, LIVE: "1"}
    return f"{path}portal?{urlencode({name: value for name, value in fields.items() if value is not None})}"


def figures_of(path: str, session: SessionView, token: str | None = None) -> str:
    """Return the address of the figures that the portal's script asks for; C{token} as in L{portal_of}."""
    field = {"gw_id": session.gateway.gw_id} if token is None else {"token": token}
    return f"{path}portal.json?{urlencode(field)}"


def login_query_of(gateway: Gateway, mac: str | None = None, ip: str | None = None) -> LoginQuery:
    """Return what a gateway's login redirect would say about a guest."""
    return LoginQuery(gateway.gw_id, gateway.address, gateway.port, mac, ip)


def login_again(path: str, session: SessionView) -> str:
    """Return the login address for the guest of a session that is over."""
    return login_of(path, login_query_of(session.gateway, session.mac, session.ip))


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


NOWHERE = "192.0.2.1"
"""An address that is never assigned (RFC 5737), so that nobody learns the code; plain HTTP, which gateways catch."""


def detour_with(code: str) -> str:
    """Return the address to be caught with a voucher's code, given in its plain form."""
    return f"http://{NOWHERE}/v/{code}"


def code_caught(url: str | None) -> str | None:
    """
    Return the code in an address that a gateway caught.

    @return: in its plain form; None if the address was not one of L{detour_with}.
    """
    parts = urlsplit(url or "")
    before, found, code = parts.path.partition("/v/")
    return read_code(code) if parts.netloc == NOWHERE and found and not before else None
