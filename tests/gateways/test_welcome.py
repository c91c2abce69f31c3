"""What the operator reads first."""

from __future__ import annotations

import pytest

from wifidogd.gateways.router_config import welcome


def test_the_operator_is_told_what_to_do_next() -> None:
    """The address, the block for the router and the commands of this very server, ready to paste."""
    text = welcome("http://192.168.1.2:8080", "/wifidog/", "wifidogctl --data-dir /srv/wifidogd")
    assert "http://192.168.1.2:8080/wifidog/\n" in text
    assert "AuthServer {\n    Hostname 192.168.1.2\n    HTTPPort 8080\n    Path /wifidog/\n}\n" in text
    assert "wifidogctl --data-dir /srv/wifidogd gateway list\n" in text
    assert "wifidogctl --data-dir /srv/wifidogd gateway adopt GATEWAY_ID" in text


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
    lines = [line.strip() for line in welcome(public_url, "/", "wifidogctl").splitlines()]
    begin = lines.index("AuthServer {") + 1
    assert lines[begin : lines.index("}")] == [*settings, "Path /"]


def test_the_welcome_holds_no_key() -> None:
    """It ends up in a log."""
    assert "?k=" not in welcome("http://192.168.1.2:8080", "/wifidog/", "wifidogctl")
