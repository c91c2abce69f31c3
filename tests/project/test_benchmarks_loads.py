"""The bad clients of the benchmarks do what they say, and limits are judged rightly."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from benchmarks.loads.bad_clients import NAMES, kind_named
from benchmarks.loads.client_process import BadClients
from benchmarks.loads.crowd import MOST_CLIENTS, Crowd
from benchmarks.loads.good_requests import Answers, half_closed
from benchmarks.loads.limits import BOUNDS, judge
from benchmarks.loads.load_result import LoadResult, tabulate
from benchmarks.loads.rst import keep_vanishing, vanish
from benchmarks.oldstack import pages
from benchmarks.requests.gateways import Rounds
from benchmarks.soak import growth, rise

PONG = b"HTTP/1.0 200 OK\r\n\r\nPong"


@contextmanager
def listener(backlog: int = 128) -> Iterator[socket.socket]:
    """Listen on a port of this machine; nobody accepts unless the test does."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listening:
        listening.settimeout(5)
        yield listening


def port_of(listening: socket.socket) -> int:
    """Tell where."""
    return int(listening.getsockname()[1])


def wait_until(crowd: Crowd, *, opened: int, sent_away: int = 0) -> None:
    """Keep a crowd connected until so many were opened and sent away, for 5 s at most."""
    for _ in range(100):
        crowd.stay(0.05)
        if (crowd.visits.opened, crowd.visits.sent_away) == (opened, sent_away):
            return
    raise AssertionError(f"{crowd.visits}, not {opened} and {sent_away}")


def hear(line: socket.socket, octets: int) -> bytes:
    """Read so many octets, or as many as come."""
    heard = b""
    line.settimeout(5)
    with suppress(ConnectionResetError):
        while len(heard) < octets and (piece := line.recv(octets - len(heard))):
            heard += piece
    return heard


def test_who_vanishes_is_gone_before_anybody_looks() -> None:
    """It is what Waitress 3.0.0 stumbles over: accepted, without an address, and what was said can still be read."""
    with listener() as listening:
        assert vanish(port_of(listening), b"GET / HTTP/1.0\r\n\r\n")
        line, _ = listening.accept()
        with line:
            with pytest.raises(OSError, match="not connected"):
                line.getpeername()
            assert hear(line, 100) == b"GET / HTTP/1.0\r\n\r\n"


def test_who_finds_nobody_is_counted_as_refused() -> None:
    """A port that nobody listens on."""
    with listener() as listening:
        port = port_of(listening)
    assert not vanish(port)
    assert keep_vanishing(port, 100, 0.1, b"").opened == 0


def test_clients_vanish_at_a_rate() -> None:
    """As many as asked for, and no more."""
    with listener() as listening:
        visits = keep_vanishing(port_of(listening), 200, 0.25, b"")
    assert 0 < visits.opened + visits.refused <= 50


@pytest.mark.parametrize("name", [name for name in NAMES if name != "never-reading"])
def test_the_crowd_says_its_part_and_falls_silent(name: str) -> None:
    """Each says what its kind says, no more, and notices when it is sent away."""
    with listener() as listening:
        crowd = Crowd(port_of(listening), kind_named(name), 3)
        wait_until(crowd, opened=3)
        lines = [listening.accept()[0] for _ in range(3)]
        crowd.stay(0.05)
        said = kind_named(name).says
        assert [hear(line, len(said)) for line in lines] == 3 * [said]
        lines[0].close()
        wait_until(crowd, opened=3, sent_away=1)
        crowd.leave()
        assert hear(lines[1], 1) == b""
        for line in lines[1:]:
            line.close()


def test_halves_are_halves() -> None:
    """Half a head has no end; half a body has less than it said."""
    assert b"\r\n\r\n" not in kind_named("half-head").says
    head, _, body = kind_named("half-body").says.partition(b"\r\n\r\n")
    assert b"Content-Length: 200" in head
    assert len(body) < 200


def test_who_never_reads_leaves_the_answer_where_it_is() -> None:
    """A server can send a little, then no more."""
    with listener() as listening:
        crowd = Crowd(port_of(listening), kind_named("never-reading"), 1)
        wait_until(crowd, opened=1)
        line, _ = listening.accept()
        with line:
            line.settimeout(0.2)
            with pytest.raises(TimeoutError):
                line.sendall(b"x" * 10_000_000)
            crowd.stay(0.05)
            assert crowd.visits.sent_away == 0
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_until(crowd, opened=1, sent_away=1)
        crowd.leave()


def test_another_comes_for_who_is_sent_away() -> None:
    """If that is asked for."""
    with listener() as listening:
        crowd = Crowd(port_of(listening), kind_named("silent"), 1, come_again=True)
        wait_until(crowd, opened=1)
        listening.accept()[0].close()
        wait_until(crowd, opened=2, sent_away=1)
        crowd.leave()


def test_crowds_are_bounded() -> None:
    """Nobody hurts a machine by a typo."""
    with pytest.raises(ValueError, match="too many"):
        Crowd(1, kind_named("silent"), MOST_CLIENTS + 1)


def test_a_burden_is_a_process_that_tells_what_became_of_it() -> None:
    """And ends by itself."""
    with listener() as listening:
        visits = BadClients("silent", port_of(listening), 1.0, count=5).visits()
    assert (visits.opened, visits.sent_away) == (5, 0)


def test_half_closed_requests_are_answered_or_not() -> None:
    """The answer is read after FIN was sent; who says nothing, or is late, is named."""
    over = threading.Event()
    with listener() as listening:
        server = threading.Thread(target=answer_after_fin, args=(listening, over))
        server.start()
        request = next(iter(Rounds(1, 1).next()))
        said = [half_closed(port_of(listening), request, within) for within in (5, 5, 0.2)]
        over.set()
        server.join(5)
    assert said == ["Pong", "no answer", "timed out"]


def answer_after_fin(listening: socket.socket, over: threading.Event) -> None:
    """Answer the first, hang up on the second, let the third wait."""
    for answer in (PONG, b"", None):
        line, _ = listening.accept()
        with line:
            while line.recv(65536):
                pass
            if answer is None:
                over.wait(5)
            else:
                line.sendall(answer)


SAMPLES = Answers(
    [(10.0, 0.01, "Auth: 1"), (11.0, 2.0, "timed out"), (12.0, 0.03, "Auth: -1"), (13.0, 0.02, "Auth: 1")]
)


def test_answers_are_counted_by_when_they_were_due() -> None:
    """Not by when they came."""
    meanwhile = SAMPLES.between(11, 13)
    assert dict(meanwhile.outcomes) == {"timed out": 1, "Auth: -1": 1}
    assert meanwhile.other_than("Auth: -1") == 1
    assert meanwhile.latency_ms(1.0) == 2000
    assert SAMPLES.last_other_than("Auth: 1") == 12.0
    assert SAMPLES.between(13, 14).last_other_than("Auth: 1") is None


@pytest.mark.parametrize(
    ("load", "figures", "missed"),
    [
        ("A1", {"not served": 0, "p99 to old": 1.0, "CPU to old": 0.33}, []),
        ("A1", {"not served": 0, "p99 to old": 1.01, "CPU to old": 0.34}, ["p99 to old", "CPU to old"]),
        ("A2", {"not served": 0, "rate to old": 4.9, "CPU to old": 0.16}, ["rate to old"]),
        (
            "A4",
            {"not served": 0, "CPU % in silence": 92.0, "descriptors left": 98},
            ["CPU % in silence", "descriptors left"],
        ),
        ("A7", {"CPU %": 85.0, "log kB": 56_000.0, "served after s": 3.0}, ["CPU %", "log kB"]),
        ("A10", {"not told": 0, "thrown off": 1, "slowest ms": 700, "CPU %": 3, "back after s": 5.0}, ["thrown off"]),
    ],
)
def test_limits_are_those_of_the_table(load: str, figures: dict[str, float], missed: list[str]) -> None:
    """What is measured at the limit is within it."""
    assert [limit.name for limit in judge(load, figures) if not limit.is_held] == [f"{load}: {name}" for name in missed]
    verdict = LoadResult(load, "some server", {}, figures).verdict
    assert verdict == ("MISSED: " + ", ".join(missed) if missed else "held")


def test_who_is_compared_with_gets_no_verdict() -> None:
    """The old servers under a load whose limits are relative to them."""
    assert LoadResult("A1", "an old server", {"Auth: 1": 200}, {"not served": 0}).verdict == "-"


def test_rows_become_a_table_with_the_limits_last() -> None:
    """Figures that not every server has are left open."""
    rows = [
        LoadResult("A8", "one", Counter({"Auth: 1": 39, "timed out": 1}), {"not served": 1, "p99 ms": 12.345}),
        LoadResult("A8", "other", {}, {"not served": 0}),
    ]
    table = tabulate("A8", rows)
    assert table.columns == ("", "outcomes", "p99 ms", "not served", "limits")
    assert table.rows[0] == ["one", "39 Auth: 1, 1 timed out", "12.3", "1", "MISSED: not served"]
    assert table.rows[1] == ["other", "none", "-", "0", "held"]
    json.dumps([row.as_json() for row in rows])


def test_figures_go_into_the_page_and_nowhere_else(tmp_path: Path) -> None:
    """A table is renewed between its marks; what is written around it stays."""
    row = LoadResult("A8", "one", {"Auth: 1": 39, "timed out": 1}, {"not served": 1, "p99 ms": 12.345})
    figures, page = tmp_path / "figures.json", tmp_path / "page.md"
    figures.write_text(json.dumps({"results": [{"name": "oldstack", "figures": {"A8": {"one": row.as_json()}}}]}))
    page.write_text("Before.\n<!-- A8 -->\nold\n<!-- end -->\n<!-- A9 -->\nkept\n<!-- end -->\n")
    pages.main(str(figures), str(page))
    heading = "|  | good requests served | p99 ms |\n| --- | --- | --- |\n"
    renewed = (
        f"Before.\n<!-- A8 -->\n{heading}| one | 39 of 40 | 12.3 |\n<!-- end -->\n<!-- A9 -->\nkept\n<!-- end -->\n"
    )
    assert page.read_text() == renewed


def test_every_load_of_the_table_has_bounds() -> None:
    """A1 to A11; A12 is the soak."""
    assert [load for load in BOUNDS if not load.endswith("+")] == [f"A{number}" for number in range(1, 12)]


def test_growth_is_that_of_the_straight_line() -> None:
    """One outlier in the middle is none."""
    assert rise([1.0, 2.0, 3.0, 4.0]) == pytest.approx(3.0)
    assert growth([{"x": value} for value in (100.0, 100.0, 150.0, 100.0, 100.0)], "x") == pytest.approx(0.0)
    assert growth([{"x": 100.0 + each} for each in range(11)], "x") == pytest.approx(10 / 105 * 100)
