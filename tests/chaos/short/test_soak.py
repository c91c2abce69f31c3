"""Soaking in short: faults and bad clients beside a load, and nothing is lost."""

from __future__ import annotations

import pytest

from tests.chaos.clients.bad_clients import BAD_CLIENTS
from tests.chaos.load.answers import Answer, Answers, Outcome
from tests.chaos.load.load import SMALL, Told
from tests.chaos.routers.soaked_routers import Lived
from tests.chaos.soak import BRIEF, CROWDS, LONG, Course, Minute, Soaked, judge, misses, soak
from wifidogd.simulation.statistics import Kind


def test_faults_and_bad_clients_cost_nobody_anything() -> None:
    """Every answer was right, and the tables agree with the history."""
    soaked = soak(BRIEF)
    assert judge(soaked).missed == []
    assert all(each.came for each in soaked.minutes)
    assert soaked.told.sessions > 0
    assert soaked.lived.kicked > 0


def test_all_crowds_are_known_and_come_more_than_once() -> None:
    """What grows shows in the second and third time."""
    assert set(CROWDS) <= set(BAD_CLIENTS)
    assert LONG.minutes >= 3 * len(CROWDS)


def soaked(
    course: Course = LONG,
    *,
    wrong: int = 0,
    outcome: Outcome = Outcome.SERVED,
    lived: Lived = Lived(),
    **grows: float,
) -> Soaked:
    """Return half an hour of measurements in which a value grows by so much a minute."""
    first = {"recovery": 0.5, "memory": 80.0, "descriptors": 20.0, "cpu": 1.0, "log": 1.0}
    minutes = [
        Minute(
            fault="frozen",
            crowd="silent",
            came=120,
            begin=60.0 * number + 40,
            end=60.0 * number + 60,
            **{name: value + grows.get(name, 0.0) * number for name, value in first.items()},  # type: ignore[arg-type]
        )
        for number in range(course.minutes)
    ]
    answers = [Answer(60.0 * number + 50, 0.01, Kind.COUNTERS, outcome) for number in range(course.minutes)]
    faults = ["denied a guest who was online"] * wrong
    return Soaked(course, minutes, Told(Answers(answers), wrong, faults, 1, 0, 0, [], 0, 5, 5), lived)


@pytest.mark.parametrize(
    ("seen", "missed"),
    [
        (soaked(), []),
        (soaked(memory=0.5), ["memory +10.6 %"]),
        (soaked(cpu=0.02), ["CPU of a request +27.3 %"]),
        (soaked(descriptors=1.0), ["descriptors +19.0 "]),
        (soaked(log=3.0), ["log +88.0 kB"]),
        (soaked(recovery=0.16), ["well only 5.1 s after frozen"]),
        (soaked(wrong=1), ["wrong: denied a guest who was online"]),
        (soaked(outcome=Outcome.LOST), ["30 requests got no answer"]),
        (soaked(Course(SMALL, 6, 1, 1, 1, 1), memory=9.0), []),
        (soaked(lived=Lived(slowest=2.5)), ["a guest was off 2.50 s after a kick"]),
        (soaked(lived=Lived(closed=3)), ["3 WebSockets were closed"]),
        (soaked(lived=Lived(differences=["a guest is still online"])), ["routers: a guest is still online"]),
    ],
)
def test_what_grows_or_goes_wrong_is_told(seen: Soaked, missed: list[str]) -> None:
    """A few short minutes do not show growth; half an hour does."""
    assert misses(seen) == missed
