"""A guest who walks between routers with apfree-wifidog, which report all their clients at once."""

from __future__ import annotations

import json

import pytest_twisted

from tests.web.gateway.test_lists import OPEN, PAST, client, operations, router

__all__ = ["router"]


@pytest_twisted.ensureDeferred
async def test_the_next_list_of_the_new_router_confirms_the_guest(router):
    """That of the old one counts the last octets, and its kick removes nobody who is still there."""
    router.key = "k=secret&"
    old = await router.sign_in("keyed", 1)
    await router.report(keyed=[client(1, old)])
    asked = await router.server.get("/wifidog/roam?gw_id=other&mac=02:ab:cd:ef:01:01&gw_channel=c")
    new = json.loads(asked.text)["client"]["token"]
    answer = await router.report(other=[client(4, new, 7, 10, ip="10.13.0.9", mac="02:ab:cd:ef:01:01")])
    assert answer.body == operations((4, 1), gw_id="other")
    answer = await router.report(keyed=[client(1, old, 90, 700)], other=[])
    assert json.loads(answer.body)["result"][0] == {"gw_id": "keyed", "auth_op": [{"id": 1, "auth_code": 0}]}
    assert router.rows(PAST) == [("went to another gateway", 700, 90)]
    assert router.rows(OPEN) == [(10, 7)]
    listed = client(4, new, 8, 12, ip="10.13.0.9", mac="02:ab:cd:ef:01:01")
    answer = await router.report(keyed=[], other=[listed])
    assert json.loads(answer.body)["result"][1] == {"gw_id": "other", "auth_op": [{"id": 4, "auth_code": 1}]}
    assert router.rows(OPEN) == [(12, 8)]
