"""The lines that go into a router, and what its operator reads first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from wifidogd.domain.gateways import Gateway
from wifidogd.gateways.router_config import auth_server_block, first_steps, gateway_conf


def test_a_plain_server_needs_three_settings() -> None:
    """Everything else is wifidog's own default."""
    assert auth_server_block("192.168.1.2", 8080, False, "/wifidog/", None) == (
        "AuthServer {\n    Hostname 192.168.1.2\n    HTTPPort 8080\n    Path /wifidog/\n}\n"
    )


def test_a_key_is_only_where_guests_never_see_it() -> None:
    """Path is part of every redirect; the fragments of ping and auth are not (docs/protocol.md 3.5)."""
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


def test_the_operator_is_told_what_to_do_next() -> None:
    """The address, the block for the router and the commands of this very server, ready to paste."""
    text = first_steps("http://192.168.1.2:8080", "/wifidog/", "wifidogctl --data-dir /srv/wifidogd")
    assert "http://192.168.1.2:8080/wifidog/\n" in text
    assert "AuthServer {\n    Hostname 192.168.1.2\n    HTTPPort 8080\n    Path /wifidog/\n}\n" in text
    assert "wifidogctl --data-dir /srv/wifidogd gateway list\n" in text
    assert "wifidogctl --data-dir /srv/wifidogd gateway adopt GATEWAY_ID" in text
    assert text.index("gateway adopt") < text.index("they have the router's key") < text.index("Reload the page")


@pytest.mark.parametrize(
    ("public_url", "settings"),
    [
        ("http://wifi.example", ["Hostname wifi.example", "HTTPPort 80"]),
        ("https://wifi.example", ["Hostname wifi.example", "SSLAvailable yes", "SSLPort 443"]),
        ("https://wifi.example:8443", ["Hostname wifi.example", "SSLAvailable yes", "SSLPort 8443"]),
        ("http://[fd00::2]:8080", ["Hostname fd00::2", "HTTPPort 8080"]),
        ("http://WiFi.Example:8080", ["Hostname wifi.example", "HTTPPort 8080"]),
    ],
)
def test_the_block_leads_to_the_public_address(public_url: str, settings: list[str]) -> None:
    """With the port that belongs to the scheme where none is said, and without the brackets of IPv6."""
    lines = [line.strip() for line in first_steps(public_url, "/", "wifidogctl").splitlines()]
    begin = lines.index("AuthServer {") + 1
    assert lines[begin : lines.index("}")] == [*settings, "Path /"]


def test_the_first_steps_hold_no_key() -> None:
    """It ends up in a log."""
    assert "?k=" not in first_steps("http://192.168.1.2:8080", "/wifidog/", "wifidogctl")
