"""The one cookie there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from wifidogd.domain.guests import DeviceCookie
from wifidogd.web.portal.device_cookie import drop_cookie, keys_in, set_cookie

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = "k0" * 16


def test_it_comes_back_as_it_went_out() -> None:
    """For each network its own."""
    cookie = set_cookie("rooms-2", DeviceCookie(KEY, NOON + timedelta(days=1)), "/wifidog/", NOON, is_secure=False)
    assert cookie == f"device-rooms-2={KEY}; Max-Age=86400; Path=/wifidog/; HttpOnly; SameSite=Lax"
    assert keys_in(cookie.partition(";")[0]) == {"rooms-2": KEY}


def test_over_tls_it_is_for_tls_only() -> None:
    """Over plain HTTP a browser would not take it then."""
    assert set_cookie("a", DeviceCookie(KEY, NOON), "/", NOON, is_secure=True).endswith("; Secure")


def test_it_can_be_taken_back() -> None:
    """Under the same name and path."""
    assert drop_cookie("rooms", "/wifidog/") == "device-rooms=; Max-Age=0; Path=/wifidog/; HttpOnly; SameSite=Lax"


@pytest.mark.parametrize(
    ("header", "keys"),
    [
        ("", {}),
        (f"a=b; device-x={KEY}; device-y={KEY[::-1]}", {"x": KEY, "y": KEY[::-1]}),
        (f"device-x={KEY}z", {}),
        (f"device-={KEY}", {}),
        (f"device-X={KEY}", {}),
        ("device-x=", {}),
        (f'device-x="{KEY}"', {}),
        ("=;;=; ;", {}),
        ("x" * 5000 + f"; device-x={KEY}", {}),
    ],
)
def test_what_is_not_ours_is_left_out(header: str, keys: dict[str, str]) -> None:
    """Whatever browsers and guests send."""
    assert keys_in(header) == keys
