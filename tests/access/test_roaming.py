"""Which session a device continues at another gateway."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.builders import MINUTE, NOON, SECOND
from wifidogd.access.roaming import find_origin, goes_on
from wifidogd.domain.sessions import Octets, Reason, Session

ONLINE = Session(
    b"o" * 32,
    "lobby",
    opened_at=NOON - MINUTE,
    mac="02:00:00:00:00:01",
    ip="10.0.0.2",
    activated_at=NOON - MINUTE,
    reported_at=NOON,
    used=Octets(60, 40),
)


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        (ONLINE, True),
        (replace(ONLINE, ending=Reason.KICKED), False),
        (replace(ONLINE, ending=Reason.ROAMED), False),
        (replace(ONLINE, expires_at=NOON + SECOND), True),
        (replace(ONLINE, expires_at=NOON), False),
        (replace(ONLINE, probation_until=NOON + SECOND), True),
        (replace(ONLINE, probation_until=NOON), False),
        (replace(ONLINE, quota_octets=101), True),
        (replace(ONLINE, quota_octets=100), False),
        (replace(ONLINE, reported_at=NOON - timedelta(days=40)), True),
    ],
)
def test_what_the_next_report_would_end_does_not_go_on(session: Session, expected: bool) -> None:
    """To the second and the octet; silence ends nothing, as some routers report nothing."""
    assert goes_on(session, NOON) is expected


@pytest.mark.parametrize(
    ("live", "gw_id", "found"),
    [
        ([ONLINE], "garden", True),
        ([ONLINE], "lobby", False),
        ([ONLINE, replace(ONLINE, gw_id="bar")], "garden", False),
        ([replace(ONLINE, gw_id="unproven")], "garden", False),
        ([], "garden", False),
    ],
)
def test_one_session_elsewhere_is_continued(live: list[Session], gw_id: str, found: bool) -> None:
    """Not one of several, not one here, and none of a gateway whose MACs prove nothing."""
    assert (find_origin(live, gw_id, lambda name: name != "unproven") is not None) is found
