"""Which gateways belong together is what their device says; its name is never enough for a key."""

from __future__ import annotations

from dataclasses import replace

from tests.support.builders import LOBBY, NOON
from wifidogd.domain.gateways import WaitingGateway
from wifidogd.gateways.adoption import Companions, find_companions, on_device, with_same_key

HALL = WaitingGateway("hall", NOON, NOON, "192.0.2.1", "10.1.0.1", 2060, device_id="box")
POOL = replace(HALL, gw_id="pool", address="10.2.0.1")
MUTE = replace(HALL, gw_id="mute", address=None)
ODD = replace(HALL, gw_id="no name")
ALONE = replace(HALL, gw_id="alone", device_id=None)
OTHER = replace(HALL, gw_id="other", device_id="elsewhere")
EVERYBODY = [HALL, POOL, MUTE, ODD, ALONE, OTHER]


def test_companions_are_those_on_the_same_device_that_can_be_adopted() -> None:
    assert find_companions("hall", EVERYBODY, []) == Companions("box", [POOL], [MUTE])
    assert find_companions("alone", EVERYBODY, []) == Companions()
    assert find_companions("unheard", EVERYBODY, []) == Companions()


def test_an_address_that_no_guest_network_has_is_none() -> None:
    public = replace(POOL, address="8.8.8.8")
    assert find_companions("hall", [HALL, public], []) == Companions("box", [], [public])


def test_the_key_is_that_of_a_gateway_on_the_same_device() -> None:
    keyed = replace(LOBBY, key_hashes=(b"new", b"old"), device_ids=("box",))
    keyless = replace(LOBBY, gw_id="bar", device_ids=("box",))
    assert find_companions("hall", [HALL], [keyless, keyed]).key_hashes == (b"new", b"old")
    assert find_companions("hall", [HALL], [replace(keyed, device_ids=("elsewhere",)), keyless]).key_hashes == ()


def test_a_device_stands_for_a_gateway_on_it_that_has_an_address() -> None:
    assert on_device("box", [MUTE, ODD, POOL]) == "pool"
    assert on_device("box", [MUTE]) == "mute"
    assert on_device("box", [ODD, OTHER]) is None


def test_gateways_have_the_same_key_if_they_have_one_in_common() -> None:
    mine, its = replace(LOBBY, key_hashes=(b"2", b"1")), replace(LOBBY, gw_id="bar", key_hashes=(b"3", b"2"))
    apart, keyless = replace(LOBBY, gw_id="attic", key_hashes=(b"4",)), replace(LOBBY, gw_id="shed")
    assert with_same_key(mine, [mine, its, apart, keyless]) == [mine, its]
    assert with_same_key(keyless, [mine, keyless]) == []
