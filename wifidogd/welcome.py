"""What the operator reads when the server is up: pure text."""

from __future__ import annotations

from urllib.parse import urlsplit

from wifidogd.wifidog_conf import auth_server_block


def welcome(public_url: str, path: str, ctl: str) -> str:
    """
    Say what to do next.

    @param public_url: scheme, host and port under which guests and gateways reach the server.
    @param ctl: how to call wifidogctl for this server.
    """
    parts = urlsplit(public_url)
    tls = parts.scheme == "https"
    block = auth_server_block(parts.hostname or "", parts.port or (443 if tls else 80), tls, path, None)
    return f"""wifidogd is up: {public_url}{path}

1. Paste this into the router's wifidog.conf and restart wifidog there:

{block}
2. Connect a phone to the Wi-Fi of that router, then adopt the router (its GatewayID is on the page the phone shows):

    {ctl} gateway list
    {ctl} gateway adopt GATEWAY_ID

3. Reload the page on the phone and sign in."""
