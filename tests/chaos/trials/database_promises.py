"""Whether what was promised for a database in trouble was kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.load.answers import Answers, Outcome
from tests.chaos.report.trial_result import TrialResult
from tests.chaos.trials.database_faults import Passed, Story
from tests.support.testbed.process_watch import Span
from wifidogd.simulation.statistics import Kind

PAGES = (Kind.PAGE, Kind.FORM, Kind.PORTAL, Kind.BUTTON)


UNNOTICED = "nobody noticed the trouble, so that it shows nothing"


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What is promised; seconds, if nothing else is said.

    @ivar report: until counters of one guest or a logout are answered.
    @ivar list: until the counters of all guests of a gateway are answered.
    @ivar recovery: from when the database is back to the last answer that says "cannot say".
    @ivar cpu: share of a core beyond what the same answers cost while all is well.
    @ivar log: octets a second.
    @ivar memory: octets by which it may grow.
    """

    report: float = 1.0
    list: float = 1.5
    login: float = 10.5
    page: float = 10.5
    ping: float = 0.5
    recovery: float = 5.0
    cpu: float = 0.15
    log: float = 2_000.0
    memory: int = 20_000_000

    def text(self) -> str:
        """Put it into words."""
        return (
            f"counters and logouts answered within {self.report:g} s, lists {self.list:g}, logins {self.login:g}, "
            f"pages {self.page:g}, pings {self.ping:g}, all as docs/protocol.md 3.2 has it; "
            f"CPU below {self.cpu:.0%} of a core beside what answers cost; "
            f"all served within {self.recovery:g} s of the end; nobody thrown off; books balance"
        )


def rows(story: Story, limits: Limits) -> list[TrialResult]:
    """Judge each trouble of a story; a difference between history and tables is a miss of each."""
    judged = []
    for passed in story.passed:
        judge = Judge(story, passed, limits)
        missed = [*judge.misses(), *story.told.complaints()]
        judged.append(TrialResult(passed.trouble.what, judge.load(), limits.text(), judge.seen(), missed))
    return judged


class Judge:
    """Looks at one trouble of a story."""

    def __init__(self, story: Story, passed: Passed, limits: Limits) -> None:
        self._story = story
        self._passed = passed
        self._trouble = passed.trouble
        self._limits = limits
        self._answers = story.told.answers.between(passed.began, passed.until)
        self._during = story.told.answers.between(passed.began, passed.ended)
        self._span = story.watch.between(passed.began, passed.ended)
        self._whole = story.watch.between(passed.began, passed.until)

    def load(self) -> str:
        """Return what the load was."""
        begin, end = self._story.sound
        scale, sound = self._story.scale, self._story.told.answers.between(begin, end)
        return (
            f"{scale.guests} guests at {scale.gateways} gateways: {len(sound) / (end - begin):.0f} requests a second "
            f"before, {len(self._during) / (self._passed.ended - self._passed.began):.0f} meanwhile"
        )

    def seen(self) -> str:
        """Return what was measured."""
        counts = _counts(self._during)
        counts += "".join(
            f" ({kind.value} of who stays: {_counts(self._spared(kind))})" for kind in self._trouble.spares
        )
        longest = ", ".join(f"{name} {answers.longest:.2f}" for name, answers, _ in self._by_deadline())
        audit = self._story.told
        return (
            f"meanwhile {counts}; longest {longest} s (of a ping before: {self.usual_delay:.2f}); "
            f"all served {self.recovery:.1f} s after the end; "
            f"CPU {self._span.cpu / self._span.seconds:.1%} of a core, of which answers cost {self.fair_share:.1%}; "
            f"memory {self._whole.memory_growth / 1e6:+.1f} MB, log {self._whole.log / 1000:.1f} kB; "
            f"{audit.wrong} wrong answers; {audit.sessions} sessions and {audit.stored} octets stored, "
            f"{audit.difference_count} differences ({audit.open_questions} devices with more than one right sum)"
        )

    @property
    def usual_delay(self) -> float:
        """Seconds that a ping took at the worst while nothing was wrong: a machine with other things to do is late."""
        return self._story.told.answers.between(*self._story.sound).of(Kind.PING).longest

    @property
    def recovery(self) -> float:
        """Seconds from the end of the trouble to the last answer that was not served."""
        late = self._answers.between(self._passed.ended, self._passed.until)
        last = late.last(Outcome.CANNOT_SAY, Outcome.REFUSED, Outcome.LOST, Outcome.HUNG_UP)
        return 0.0 if last is None else last - self._passed.ended

    @property
    def fair_share(self) -> float:
        """Share of a core that the answers given meanwhile would have cost on a sound database."""
        begin, end = self._story.sound
        sound, answers = self._story.watch.between(begin, end), self._story.told.answers
        rate_before = len(answers.between(begin, end)) / (end - begin)
        rate = len(self._during) / (self._passed.ended - self._passed.began)
        return _share(sound) * rate / rate_before

    def misses(self) -> Iterator[str]:
        """List the promises that were not kept."""
        for name, answers, limit in self._by_deadline():
            if answers.longest > limit + self.usual_delay:
                yield f"{name} took {answers.longest:.2f} s, and {limit:g} were promised"
        silent = sum(self._answers.outcomes[each] for each in (Outcome.LOST, Outcome.REFUSED, Outcome.HUNG_UP))
        if silent:
            yield f"{silent} requests got no answer"
        if self._trouble.is_felt and not self._answers.outcomes[Outcome.CANNOT_SAY]:
            yield UNNOTICED
        for kind in self._trouble.spares:
            spared = self._spared(kind)
            if spared.outcomes[Outcome.CANNOT_SAY] > len(spared) / 10:
                yield f"{spared.outcomes[Outcome.CANNOT_SAY]} of {len(spared)} {kind.value} were not served"
        if self.recovery > self._limits.recovery:
            yield f"the last request was turned away {self.recovery:.1f} s after the end"
        yield from self._costs()

    def _costs(self) -> Iterator[str]:
        beyond = _share(self._span) - self.fair_share
        if beyond > self._limits.cpu:
            yield f"CPU of {beyond:.1%} of a core beyond what answers cost"
        if self._whole.log / self._whole.seconds > self._limits.log:
            yield f"{self._whole.log / self._whole.seconds:.0f} octets of log a second"
        if self._whole.memory_growth > self._limits.memory:
            yield f"memory grew by {self._whole.memory_growth / 1e6:.1f} MB"

    def _spared(self, kind: Kind) -> Answers:
        """Pick the reports on guests who were online before the trouble and are afterwards, by the same token."""
        answers, passed = self._story.told.answers.of(kind), self._passed
        before = answers.between(self._story.sound[0], passed.began).served_tokens
        return self._during.of(kind).about(before & answers.between(passed.ended, passed.until).served_tokens)

    def _by_deadline(self) -> list[tuple[str, Answers, float]]:
        limits, answers = self._limits, self._answers
        return [
            ("counters", answers.of(Kind.COUNTERS), limits.report),
            ("list", answers.of(Kind.LIST), limits.list),
            ("logout", answers.of(Kind.LOGOUT), limits.report),
            ("login", answers.of(Kind.LOGIN), limits.login),
            ("page", answers.of(*PAGES), limits.page),
            ("ping", answers.of(Kind.PING), limits.ping),
        ]


def _counts(answers: Answers) -> str:
    return ", ".join(f"{count} {outcome.value}" for outcome, count in answers.outcomes.most_common()) or "no answer"


def _share(span: Span) -> float:
    return span.cpu / span.seconds
