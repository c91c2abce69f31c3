"""Where browsers open the server."""

from __future__ import annotations

from argparse import ArgumentParser

import pytest

from wifidogd.ctl.cli.server_address import add_site, site_of


@pytest.mark.parametrize(
    ("said", "site"),
    [
        (["--server", "https://wifi.example"], "https://wifi.example/wifidog/"),
        (["--server", "https://wifi.example/", "--path", "/"], "https://wifi.example/"),
        (["--server", "http://192.0.2.1:8080", "--path", "guests"], "http://192.0.2.1:8080/guests/"),
    ],
)
def test_all_pages_begin_with_server_and_path(monkeypatch: pytest.MonkeyPatch, said: list[str], site: str) -> None:
    """However the slashes were typed."""
    monkeypatch.delenv("WIFIDOGD_PATH", raising=False)
    parser = ArgumentParser()
    add_site(parser, "how browsers reach it")
    assert site_of(parser.parse_args(said)) == site
