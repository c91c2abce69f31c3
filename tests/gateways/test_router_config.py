"""The lines that go into a router."""

from __future__ import annotations

from datetime import timedelta

from wifidogd.domain.gateways import Gateway
from wifidogd.gateways.router_config import auth_server_block, gateway_conf


def test_a_plain_server_needs_three_settings() -> None:
    """Everything else is wifidog's own default."""
    assert auth_server_block("192.168.1.2", 8080, False, "/wifidog/", None) == (
        "AuthServer {\n    Hostname 192.168.1.2\n    HTTPPort 8080\n    Path /wifidog/\n}\n"
    )


def test_a_key_is_only_where_guests_never_see_it() -> None:
    """Path is part of every redirect; the fragments of ping and auth are not (protocol.md section 8.1)."""
    block = auth_server_block("wifi.example", 443, True, "/", "s3cret")
    assert [line.strip() for line in block.splitlines() if "s3cret" in line] == [
        "PingScriptPathFragment ping/?k=s3cret&",
        "AuthScriptPathFragment auth/?k=s3cret&",
    ]
    assert "SSLAvailable yes\n    SSLPort 443\n" in block


def test_what_both_sides_must_agree_on_is_said() -> None:
    """CheckInterval is in whole seconds."""
    conf = gateway_conf(Gateway("lobby", "default", "192.168.1.1", 2061, timedelta(minutes=2)), "AuthServer {\n}\n")
    assert conf == "GatewayID lobby\nGatewayPort 2061\nCheckInterval 120\n\nAuthServer {\n}\n"
