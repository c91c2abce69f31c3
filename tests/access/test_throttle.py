"""How many tries there are, and how long to wait after them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.support.builders import NOON, SECOND
from wifidogd.access.throttle import MOST, codes, mails_from, most_of, passwords_from, sign_ups, wait_after
from wifidogd.store.access.rate_limits import TRIES_WINDOW, Subject, SubjectKind, Tries

ACCOUNT, DEVICE = SubjectKind.PASSWORDS_OF_ACCOUNT, SubjectKind.DEVICE


def test_nobody_raises_a_limit_unnoticed() -> None:
    """With more tries in a window, codes and passwords are guessed sooner."""
    assert MOST == {
        SubjectKind.PASSWORDS_OF_ACCOUNT: 10,
        SubjectKind.DEVICE: 10,
        SubjectKind.PASSWORDS_FROM_SOURCE: 300,
        SubjectKind.CODES_FROM_SOURCE: 250,
        SubjectKind.CODES_AT_GATEWAY: 2_500,
        SubjectKind.SIGN_UPS_ON_DEVICE: 5,
        SubjectKind.SIGN_UPS_FROM_SOURCE: 300,
        SubjectKind.SIGN_UPS_AT_GATEWAY: 1_000,
        SubjectKind.MAILS_FROM_SOURCE: 100,
    }
    assert timedelta(minutes=15) == TRIES_WINDOW


@pytest.mark.parametrize(
    ("tries", "wait"),
    [
        ([], None),
        ([(ACCOUNT, 1, NOON)], None),
        ([(ACCOUNT, 10, NOON)], None),
        ([(ACCOUNT, 11, NOON)], TRIES_WINDOW),
        ([(SubjectKind.PASSWORDS_FROM_SOURCE, 11, NOON)], None),
        ([(SubjectKind.SIGN_UPS_ON_DEVICE, 6, NOON)], TRIES_WINDOW),
        ([(ACCOUNT, 11, NOON - TRIES_WINDOW + SECOND)], SECOND),
        ([(ACCOUNT, 10, NOON), (DEVICE, 11, NOON - SECOND)], TRIES_WINDOW - SECOND),
        ([(ACCOUNT, 11, NOON), (DEVICE, 2**31, NOON - SECOND)], TRIES_WINDOW),
    ],
)
def test_too_many_tries_wait_for_the_end_of_their_window(
    tries: list[tuple[SubjectKind, int, datetime]], wait: timedelta | None
) -> None:
    """Of the last one, where several are exceeded; each kind has a limit of its own."""
    assert wait_after([Tries(1, *each) for each in tries], NOON) == wait


PHONE = "02:00:00:00:00:01"
SIGN_UP = [SubjectKind.SIGN_UPS_AT_GATEWAY]


@pytest.mark.parametrize(
    ("mac", "source", "of_codes", "of_sign_ups"),
    [
        (PHONE, "192.0.2.1", [DEVICE, *2 * [SubjectKind.CODES_FROM_SOURCE], SubjectKind.CODES_AT_GATEWAY],
         [SubjectKind.SIGN_UPS_ON_DEVICE, *2 * [SubjectKind.SIGN_UPS_FROM_SOURCE], *SIGN_UP]),
        (PHONE, None, [DEVICE, SubjectKind.CODES_AT_GATEWAY], [SubjectKind.SIGN_UPS_ON_DEVICE, *SIGN_UP]),
        (None, "192.0.2.1", [*2 * [SubjectKind.CODES_FROM_SOURCE], SubjectKind.CODES_AT_GATEWAY],
         [*2 * [SubjectKind.SIGN_UPS_FROM_SOURCE], *SIGN_UP]),
        (None, None, [SubjectKind.CODES_AT_GATEWAY], SIGN_UP),
    ],
)  # fmt: skip
def test_the_narrowest_limit_comes_first(
    mac: str | None, source: str | None, of_codes: list[SubjectKind], of_sign_ups: list[SubjectKind]
) -> None:
    """So that whoever has reached it spares those that others share; what is unknown limits nobody."""
    assert [subject.kind for subject in codes("gw1", mac, source)] == of_codes
    assert [subject.kind for subject in sign_ups("gw1", mac, source)] == of_sign_ups


def test_an_ipv6_network_is_one_source() -> None:
    """A customer has 2^64 addresses of it, and up to 2^16 such networks."""
    address, networks = "2001:db8::1:2", ("2001:db8::/64", "2001:db8::/56", "2001:db8::/48")
    assert codes("gw1", PHONE, address) == [
        Subject(SubjectKind.DEVICE, "gw1", PHONE),
        *(Subject(SubjectKind.CODES_FROM_SOURCE, "gw1", source=network) for network in networks),
        Subject(SubjectKind.CODES_AT_GATEWAY, "gw1", spared=networks[0]),
    ]
    assert sign_ups("gw1", PHONE, address) == [
        Subject(SubjectKind.SIGN_UPS_ON_DEVICE, "gw1", PHONE),
        *(Subject(SubjectKind.SIGN_UPS_FROM_SOURCE, source=network) for network in networks),
        Subject(SubjectKind.SIGN_UPS_AT_GATEWAY, "gw1", spared=networks[0]),
    ]
    for subjects, kind in (
        (mails_from(address), SubjectKind.MAILS_FROM_SOURCE),
        (passwords_from(address), SubjectKind.PASSWORDS_FROM_SOURCE),
    ):
        assert subjects == [Subject(kind, source=network) for network in networks]


@pytest.mark.parametrize(
    ("source", "most"),
    [
        (None, 250),
        ("192.0.2.1", 250),
        ("192.0.2.0/24", 1000),
        ("2001:db8::/64", 250),
        ("2001:db8::/56", 500),
        ("2001:db8::/48", 1000),
        ("somewhere", 250),
    ],
)
def test_wider_blocks_have_rising_limits(source: str | None, most: int) -> None:
    """More people may be in one, and one party may have it."""
    assert most_of(SubjectKind.CODES_FROM_SOURCE, source) == most


@pytest.mark.parametrize(
    ("count", "permitted", "wait"),
    [
        (300, 300, None),
        (301, 300, SECOND * 3),
        (331, 330, SECOND * 93),
        (599, 599, None),
        (600, 599, TRIES_WINDOW),
        (601, 600, TRIES_WINDOW),
    ],
)
def test_what_many_share_is_free_again_soon(count: int, permitted: int, wait: timedelta | None) -> None:
    """After a three-hundredth of the window each time, and twice the limit is all there is in it."""
    tries = Tries(1, SubjectKind.PASSWORDS_FROM_SOURCE, count, NOON, "2001:db8::/64", permitted)
    assert wait_after([tries], NOON) == wait


def test_nobody_is_told_to_wait_for_nothing() -> None:
    """A place that has become free meanwhile may be somebody else's by now."""
    tries = Tries(1, SubjectKind.CODES_AT_GATEWAY, 2_501, NOON, None, 2_500)
    assert wait_after([tries], NOON + SECOND) == SECOND
