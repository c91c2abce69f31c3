"""The one cookie there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from wifidogd.domain.guests import DeviceCookie
from wifidogd.web.portal.device_cookie import drop_cookies, keys_in, move_cookies, set_cookies

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = "k0" * 16


def test_it_comes_back_as_it_went_out() -> None:
    """For each network its own."""
    [cookie] = set_cookies("rooms-2", DeviceCookie(KEY, NOON + timedelta(days=1)), "/wifidog/", NOON, is_secure=False)
    assert cookie == f"device-rooms-2={KEY}; Max-Age=86400; Path=/wifidog/; HttpOnly; SameSite=Lax"
    keys = keys_in(cookie.partition(";")[0])
    assert (keys.by_network, keys.unprefixed) == ({"rooms-2": KEY}, {"rooms-2"})


def test_over_tls_it_is_for_tls_and_this_host_only() -> None:
    """Its name tells browsers to take it from nobody else; over plain HTTP they would not take it at all."""
    until = NOON + timedelta(days=1)
    dropped, cookie = set_cookies("a", DeviceCookie(KEY, until), "/wifidog/", NOON, is_secure=True)
    assert cookie == f"__Host-device-a={KEY}; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax; Secure"
    assert dropped == "device-a=; Max-Age=0; Path=/wifidog/; HttpOnly; SameSite=Lax"
    keys = keys_in(cookie.partition(";")[0])
    assert (keys.by_network, keys.unprefixed) == ({"a": KEY}, frozenset())


def test_the_name_of_tls_counts_more() -> None:
    """Whoever can set the other one cannot make a device another's."""
    for header in (f"device-a={KEY[::-1]}; __Host-device-a={KEY}", f"__Host-device-a={KEY}; device-a={KEY[::-1]}"):
        keys = keys_in(header)
        assert (keys.by_network, keys.unprefixed) == ({"a": KEY}, frozenset())


def test_it_moves_to_the_name_of_tls() -> None:
    """For as long as a browser keeps it: the database knows when it is over."""
    dropped, cookie = move_cookies("a", KEY, "/wifidog/", NOON)
    assert dropped.startswith("device-a=; Max-Age=0; Path=/wifidog/;")
    assert cookie.startswith(f"__Host-device-a={KEY}; Max-Age={400 * 86400}; Path=/;")


def test_it_can_be_taken_back() -> None:
    """Under the same names and paths."""
    assert drop_cookies("rooms", "/wifidog/") == (
        "__Host-device-rooms=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure",
        "device-rooms=; Max-Age=0; Path=/wifidog/; HttpOnly; SameSite=Lax",
    )


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
        (f"__host-device-x={KEY}", {}),
        (f"__Secure-device-x={KEY}", {}),
        ("=;;=; ;", {}),
        ("x" * 5000 + f"; device-x={KEY}", {}),
    ],
)
def test_what_is_not_ours_is_left_out(header: str, keys: dict[str, str]) -> None:
    """Whatever browsers and guests send."""
    assert keys_in(header).by_network == keys
