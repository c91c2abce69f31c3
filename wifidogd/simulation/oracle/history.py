"""
What was told to the server and what it acknowledged; pure.

Of a question without an answer nobody knows whether it was heard, and of two at once nobody knows which was first.
So the journal keeps every course that things may have taken, and drops those that an answer rules out: what is left is
what a right server may have stored, nearly always one single course.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from wifidogd.domain.sessions import AuthCode, Octets, Stage
from wifidogd.simulation.oracle.expected import IN_USE, Act, Phase, Stay, Stays, outcomes, swept

LAPSES_AFTER = 150.0
"""Seconds after which a token that no gateway has asked about may have lapsed; it is good for three minutes."""

MOST_COURSES = 500
"""Courses kept for a place; where there are more the journal gives up, rather than using up the memory."""


GOING_ON = (*IN_USE, Phase.PENDING)


class Place(NamedTuple):
    """A device at a gateway; what is stored is the sum of stays there."""

    gw_id: str
    mac: str


@dataclass(frozen=True, slots=True)
class Course:
    """
    One way that things may have gone.

    @ivar answered: what the server will answer to acts under way that it has heard in this course.
    """

    stays: Stays
    answered: frozenset[tuple[int, AuthCode]] = frozenset()


@dataclass(slots=True)
class _Page:
    """
    What the journal has on one place.

    @ivar settled: stays that are over and certain.
    @ivar late: log-outs that the server could not settle at once, and may at any time as long as their stay goes on.
    @ivar forgotten: acts that were under way when the gateway forgot the device, so that the server may hear of that
        after them.
    @ivar given_up: True once there were too many courses.
    """

    settled: list[Stay] = field(default_factory=list)
    courses: set[Course] = field(default_factory=lambda: {Course(())})
    under_way: dict[int, Act] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)
    forgotten: set[int] = field(default_factory=set)
    given_up: bool = False


class History:
    """
    Keeps account of all places.

    @ivar tokens: how many were minted.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        """@param seconds: tells the time, as the server's clock runs."""
        self._seconds = seconds
        self._pages: dict[Place, _Page] = {}
        self._minted_at: dict[str, float] = {}
        self._last_act = 0
        self.tokens = 0

    def minted(self, place: Place, token: str) -> None:
        """Note a token that the login page gave out."""
        self.tokens += 1
        self._minted_at[token] = self._seconds()
        page = self._pages.setdefault(place, _Page())
        page.courses = {Course((*course.stays, Stay(token)), course.answered) for course in page.courses}

    def began(self, place: Place, token: str, stage: Stage | None, totals: Octets = Octets()) -> int:
        """
        Note that the server is about to be told something.

        @param stage: None for the log-out button of the portal.
        @return: the number of this act.
        """
        self._last_act += 1
        minted_at = self._minted_at.get(token)
        may_have_lapsed = minted_at is not None and self._seconds() - minted_at > LAPSES_AFTER
        page = self._pages.setdefault(place, _Page())
        page.under_way[self._last_act] = Act(token, stage, totals, may_have_lapsed)
        return self._last_act

    def heard(self, place: Place, number: int, answer: AuthCode = AuthCode.DENIED) -> bool:
        """
        Note an answer.

        @return: False if no right server would have given it; what it did is then unknown.
        """
        page = self._pages[place]
        courses = _unfolded(page)
        kept = {course for course in courses if (number, answer) in course.answered}
        is_right = bool(kept) or page.given_up
        self._conclude(page, number, kept or courses)
        return is_right

    def lost(self, place: Place, number: int) -> None:
        """
        Note that there was no answer, or that the server could not say: the act may have been heard or not.

        A log-out may also be heard later, as the server keeps it until it can settle it.
        """
        page = self._pages[place]
        if page.under_way[number].stage is Stage.LOGOUT:
            page.late.add(number)
            page.courses = _unfolded(page)
            self._let_go(page)
        else:
            self._conclude(page, number, _unfolded(page))

    def unsaid(self, place: Place, number: int) -> None:
        """Note that the server could not be reached, so that it has not heard of the act."""
        page = self._pages[place]
        self._conclude(page, number, page.courses)

    def forgotten(self, place: Place) -> None:
        """Note that a gateway has forgotten a device, so that the server may end its stays unasked."""
        page = self._pages.get(place)
        if page is not None:
            page.forgotten |= page.under_way.keys()
            page.courses |= _swept(page.courses)

    def is_certain(self, place: Place) -> bool:
        """Tell whether only one course is possible."""
        page = self._pages.get(place)
        return page is None or page.given_up or (len(page.courses) == 1 and not page.under_way)

    def is_online(self, place: Place, token: str) -> bool:
        """Tell whether a stay is online for certain."""
        page = self._pages.get(place)
        if page is None or page.under_way or page.given_up:
            return False
        phases = {stay.phase for course in page.courses for stay in course.stays if stay.token == token}
        return phases == {Phase.ONLINE}

    def accounts(self) -> Iterator[tuple[Place, list[Stays]]]:
        """List what may be stored: for each place, all stays there by each possible course; no course if it gave up."""
        for place, page in self._pages.items():
            courses = {course.stays for course in _unfolded(page)}
            yield place, [] if page.given_up else [(*page.settled, *stays) for stays in courses]

    def _conclude(self, page: _Page, number: int, courses: set[Course]) -> None:
        """Take an act off those under way, and what is over and certain off the courses."""
        page.courses = _without(courses, number)
        del page.under_way[number]
        if number in page.forgotten:
            page.forgotten.discard(number)
            page.courses |= _swept(page.courses)
        self._let_go(page)

    def _let_go(self, page: _Page) -> None:
        """Forget log-outs that can change nothing any more, and what is certain."""
        for number in [number for number in page.late if _is_over(page, page.under_way[number].token)]:
            page.late.discard(number)
            page.forgotten.discard(number)
            page.courses = _without(page.courses, number)
            del page.under_way[number]
        if len(page.courses) == 1 and not page.under_way:
            [course] = page.courses
            self._settle(page, course.stays)

    def _settle(self, page: _Page, stays: Stays) -> None:
        while stays and stays[0].phase in (Phase.ENDED, Phase.UNUSED):
            self._minted_at.pop(stays[0].token, None)
            page.settled.append(stays[0])
            stays = stays[1:]
        page.courses = {Course(stays)}


def _without(courses: set[Course], number: int) -> set[Course]:
    """Drop what courses say of the answer to an act."""
    return {
        Course(course.stays, frozenset(known for known in course.answered if known[0] != number)) for course in courses
    }


def _swept(courses: set[Course]) -> set[Course]:
    """Let the server end what is in use."""
    return {Course(swept(course.stays), course.answered) for course in courses}


def _is_over(page: _Page, token: str) -> bool:
    """Tell whether a stay goes on in no course."""
    stays = (stay for course in page.courses for stay in course.stays)
    return not any(stay.token == token and stay.phase in GOING_ON for stay in stays)


def _unfolded(page: _Page) -> set[Course]:
    """Let each act under way be heard or not, in every order."""
    courses = set(page.courses)
    fresh = list(courses)
    while fresh:
        course = fresh.pop()
        heard = {number for number, _ in course.answered}
        for number, act in page.under_way.items():
            if number in heard:
                continue
            for stays, answer in outcomes(course.stays, act):
                after = Course(stays, course.answered | {(number, answer)})
                if after not in courses:
                    courses.add(after)
                    fresh.append(after)
        if len(courses) > MOST_COURSES:
            page.given_up = True
            return {course}
    return courses
