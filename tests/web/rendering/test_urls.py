"""The address that gateways catch, to and fro."""

from __future__ import annotations

from operator import itemgetter

import pytest

from wifidogd.domain.voucher_codes import mint_code
from wifidogd.web.rendering.destination import wanted_page
from wifidogd.web.rendering.urls import code_caught, detour_with

CODE = mint_code("HT", choose=itemgetter(1))


def test_a_code_comes_back_from_its_detour() -> None:
    """Through what the login page makes of an address."""
    assert code_caught(wanted_page(detour_with(CODE), ())) == CODE
    assert detour_with(CODE) == f"http://192.0.2.1/v/{CODE}"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        f"http://a.example/v/{CODE}",
        f"http://192.0.2.1:81/v/{CODE}",
        f"http://192.0.2.1/w/v/{CODE}",
        f"http://192.0.2.1/{CODE}",
        "http://192.0.2.1/v/",
        "http://192.0.2.1/v/0000-0000-0001",
        "http://192.0.2.1/",
    ],
)
def test_no_other_address_is_taken_for_one(url: str | None) -> None:
    """Whatever a guest wanted to see."""
    assert code_caught(url) is None
