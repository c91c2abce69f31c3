"""What an operator pastes into a router's wifidog.conf, and reads when the server is up."""

from __future__ import annotations

from urllib.parse import urlsplit

from wifidogd.domain.gateways import Gateway


def auth_server_block(host: str, port: int, tls: bool, path: str, key: str | None) -> str:
    """
    Return the C{AuthServer} block that points a gateway at this server.

    Only what differs from wifidog's own defaults (C{src/conf.h}) is named.
    The key goes into the ping and auth fragments only: a gateway never shows
    those to guests, while C{Path} is part of every redirect
    (docs/protocol.md 3.5).

    @param host: name or address as guests and gateways reach it; one address only, the gateway opens no other.
    @param tls: whether C{port} speaks HTTPS.
    @param path: starts and ends with a slash.
    @param key: the gateway's secret; None for a gateway without.
    @return: lines, each ended.
    """
    settings = [f"Hostname {host}"]
    if tls:
        settings += ["SSLAvailable yes", f"SSLPort {port}"]
    else:
        settings += [f"HTTPPort {port}"]
    settings += [f"Path {path}"]
    if key is not None:
        settings += [f"PingScriptPathFragment ping/?k={key}&", f"AuthScriptPathFragment auth/?k={key}&"]
    return "AuthServer {\n" + "".join(f"    {setting}\n" for setting in settings) + "}\n"


def gateway_conf(gateway: Gateway, auth_server: str) -> str:
    """
    Return the lines of wifidog.conf that must agree with what the server knows of the gateway.

    @param auth_server: from L{auth_server_block}.
    @return: lines, each ended.
    """
    return (
        f"GatewayID {gateway.gw_id}\n"
        f"GatewayPort {gateway.port}\n"
        f"CheckInterval {int(gateway.interval.total_seconds())}\n"
        "\n"
        f"{auth_server}"
    )


def first_steps(public_url: str, path: str, ctl: str) -> str:
    """
    Return what an operator reads once the server is up: what to do next.

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

3. Put the lines that this prints in place of those in wifidog.conf, as they have the router's key, and restart wifidog.

4. Reload the page on the phone and sign in."""
