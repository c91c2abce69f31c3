"""The benchmarks: their arithmetic, their load, and one of them from end to end; nothing here asks for speed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree import ElementTree

import pytest

from benchmarks import klein, lists
from benchmarks.guest_rates import RATE, Step
from benchmarks.guest_rates import report as report_rates
from benchmarks.output.svg import Axis, Chart, Line
from benchmarks.output.table import Limit, Result, Table, alternate, number, ratios
from benchmarks.requests.gateways import Counters, Sessions, report
from benchmarks.requests.load import NO_ANSWER, REFUSED, TIMED_OUT, Load, drive, outcome_of, quantile_of
from benchmarks.requests.outcomes import Heard
from tests.support.checkout import ROOT
from tests.support.testbed.process_cost import (
    TICK,
    Meter,
    cpu_seconds,
    own_seconds,
    proportional_octets,
    resident_octets,
    tree_of,
)
from tests.support.testbed.testbed import Testbed

ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\n%s"


def test_pairs_are_taken_in_turns():
    """What disturbs the machine for a while disturbs both sides."""
    turns: list[str] = []
    found = alternate(3, {"ours": lambda: turns.append("ours"), "theirs": lambda: turns.append("theirs")})
    assert turns == ["ours", "theirs"] * 3
    assert {name: len(each) for name, each in found.items()} == {"ours": 3, "theirs": 3}


def test_the_ratio_is_the_median_of_the_pairs():
    """One disturbed round does not decide."""
    ratio = ratios([2.0, 30.0, 2.2], [1.0, 1.0, 2.0])
    assert (ratio.median, ratio.least, ratio.most) == (2.0, 1.1, 30.0)
    assert str(ratio) == "2.00 (1.10-30.0)"


@pytest.mark.parametrize(
    ("limit", "is_held", "bounds"),
    [
        (Limit("", 1.4, most=1.4), True, "at most 1.40"),
        (Limit("", 1.41, most=1.4), False, "at most 1.40"),
        (Limit("", 5.0, least=5.0), True, "at least 5.00"),
        (Limit("", 4.9, least=5.0), False, "at least 5.00"),
    ],
)
def test_bounds_count_as_within(limit, is_held, bounds):
    """A limit that is met exactly is held."""
    assert limit.is_held is is_held
    assert limit.bounds == bounds


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.00734, "0.0073"), (0.156, "0.16"), (2.345, "2.35"), (93.04, "93.0"), (1283.4, "1,283")],
)
def test_figures_have_as_many_digits_as_matter(value, text):
    """The tables are for reading; JSON has them all."""
    assert number(value) == text


def test_a_result_says_what_was_missed_to_people_and_to_programs():
    """Text for the one, JSON for the other."""
    table = Table("Title", ("", "server us"), [["ours", "437"], ["theirs", "1,000"]])
    result = Result("name", [table], [Limit("CPU", 2.0, most=1.4)])
    assert not result.is_held
    assert "ours          437\ntheirs      1,000\n" in result.text()
    assert "MISSED" in result.text()
    assert json.loads(json.dumps(result.json()))["limits"][0]["is_held"] is False


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (ANSWER % b"Auth: 1\n", "Auth: 1"),
        (ANSWER % b"Pong", "Pong"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\nAuth: -1\n", "Auth: -1"),
        (b"HTTP/1.0 500 Internal Server Error\r\n\r\n<html>Auth: 1</html>", "500"),
        (b"HTTP/1.0 200 OK\r\nContent", NO_ANSWER),
        (b"", NO_ANSWER),
    ],
)
def test_an_answer_is_named_by_its_verdict(answer, outcome):
    """Or by its status, or as none at all."""
    assert outcome_of(answer) == outcome


def test_a_quantile_is_a_value_that_was_measured():
    """The worst is the last, and nothing at all has none."""
    assert quantile_of([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile_of([3.0, 1.0, 2.0], 1.0) == 3.0
    with pytest.raises(ValueError):
        quantile_of([], 0.99)


def test_counters_grow_from_round_to_round():
    """A gateway's totals never shrink, or it would look as if it had restarted."""
    requests = iter(Counters(guests=2, gateways=1, first=7))
    first, _, later = next(requests), next(requests), next(requests)
    assert first == report("counters", 0, 1, 7 * 1_234_567, 7 * 54_321)
    assert later == report("counters", 0, 1, 8 * 1_234_567, 8 * 54_321)


def test_guests_log_out_after_they_have_logged_in():
    """Far enough after for the login to be answered."""
    stages = [
        request.split(b"stage=")[1].split(b"&")[0] for request in Sessions(first=0, guests=4, gateways=1, block=2)
    ]
    assert stages == [b"login", b"login", b"logout", b"logout"] * 2


def step(workers: int, asked: float, latency: float, **changes: float) -> Step:
    """A rate at which 100 requests were answered well within so many seconds."""
    heard = Heard([(0.0, latency, "Auth: 1")] * 100, seconds=100 / asked, cpu=0.1, late=0.0)
    cores = {"server": 0.5, "busiest": 0.5, "postgres": 0.2, "load": 0.1, "rest": 0.1, "idle": 1.1}
    return Step(workers, asked, heard, **cores | {"wal": 250.0, "slowest_sync": 0.001} | changes)


def test_what_was_carried_is_the_greatest_rate_that_was_held():
    """The limit is about the last try of the rate that is asked for."""
    found = {
        1: [
            step(1, RATE, 0.2),
            step(1, RATE, 0.05),
            step(1, 2 * RATE, 0.3, busiest=0.97),
        ],
        2: [
            step(2, RATE, 0.05),
            step(2, 3 * RATE, 0.09),
            step(2, 4 * RATE, 0.3, idle=0.05),
        ],
    }
    result = report_rates(found, 400.0)
    assert result.is_held
    assert result.figures["ceilings"] == {1: pytest.approx(RATE), 2: pytest.approx(3 * RATE)}
    answers, cores = result.tables
    assert [row[-1] for row in answers.rows if row[-1] != "nothing"] == ["one process of the server", "all cores"]
    assert [len(row) for row in (*answers.rows, *cores.rows)] == [len(answers.columns)] * 6 + [len(cores.columns)] * 6
    assert "2 workers carry 3.00 times what one carries." in result.text()


def test_a_chart_places_points_between_its_ends():
    """On an axis of equal steps and on one of equal factors; what is beyond is put at the edge."""
    assert [Axis("", (0, 50, 200)).place(value) for value in (0, 50, 200, 300)] == [0, 0.25, 1, 1]
    assert [Axis("", (1, 100), is_log=True).place(value) for value in (0.1, 10, 100)] == [0, 0.5, 1]


def test_a_chart_is_well_formed_and_names_its_lines():
    """Whatever is in the names."""
    line = Line("R&D", [(0, 1), (10, 2)])
    chart = Chart("Cost < price", Axis("guests", (0, 10)), Axis("ms", (0, 5)), [line], [(4, "most")])
    drawn = ElementTree.fromstring(chart.svg())
    words = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert words[0] == "Cost < price"
    assert {"R&D", "most", "guests", "ms", "10"} <= set(words)


@contextmanager
def listening(*answers: bytes | None) -> Iterator[tuple[int, list[bytes]]]:
    """Give these answers in turns, None by saying nothing; yields the port, and what is heard."""
    heard: list[bytes] = []
    silent: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                heard.append(connection.recv(65536))
                answer = answers[(len(heard) - 1) % len(answers)]
                if answer is None:
                    silent.append(connection)
                    continue
                with connection:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for connection in silent:
                connection.close()


def test_the_load_counts_what_a_server_answered():
    """Each request once, by what came of it."""
    requests = [b"GET /%d HTTP/1.0\r\n\r\n" % at for at in range(12)]
    with listening(ANSWER % b"Auth: 1\n", ANSWER % b"Auth: 0\n", b"") as (port, heard):
        result = drive(Load(port, requests, 20.0, at_a_time=3))
    assert sorted(heard) == sorted(requests)
    assert result.count == 12
    assert result.outcomes == {"Auth: 1": 4, "Auth: 0": 4, NO_ANSWER: 4}
    assert result.other_than("Auth: 1", "Auth: 0") == 4


def test_a_request_that_nobody_answers_is_given_up():
    """And the others go on meanwhile."""
    with listening(None, ANSWER % b"Pong") as (port, _):
        result = drive(Load(port, [b"GET / HTTP/1.0\r\n\r\n"] * 4, 20.0, at_a_time=4, patience=1.0))
    assert result.outcomes == {TIMED_OUT: 2, "Pong": 2}


def test_a_load_at_a_rate_begins_each_request_when_it_is_due():
    """Whatever has become of the others; what nobody listens to counts too."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        result = drive(Load(nobody.getsockname()[1], [b"GET / HTTP/1.0\r\n\r\n"] * 99, 0.5, rate=40))
    assert result.outcomes == {REFUSED: 20}
    assert [round(due * 40) for due, _, _ in result.samples] == list(range(20))


def test_what_ended_children_have_used_counts_for_their_parent():
    """A server whose workers come and go hides nothing."""
    burn = "sum(range(5_000_000))"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{burn}']); print(flush=True); input()"
    command = [sys.executable, "-c", parent]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert tree_of(process.pid) == [process.pid]
        assert cpu_seconds(process.pid) >= own_seconds(process.pid) + TICK
        process.stdin.write(b"\n")


def test_a_meter_counts_from_when_it_was_made():
    """By tree, and as a share of a core."""
    meter = Meter(us=os.getpid())
    sum(range(1_000_000))
    spent = meter.spent()
    assert 0 < spent.cpu["us"] < cpu_seconds(os.getpid())
    assert spent.share("us") == spent.cpu["us"] / spent.seconds
    assert resident_octets(os.getpid()) >= proportional_octets(os.getpid()) > 0


def test_the_smallest_bench_runs_from_end_to_end(monkeypatch):
    """Four servers, a PostgreSQL, and a table of all that was asked."""
    monkeypatch.setattr(klein, "GUESTS", 40)
    monkeypatch.setattr(klein, "GATEWAYS", 2)
    monkeypatch.setattr(klein, "WARM_UP", 0.1)
    monkeypatch.setattr(klein, "QUICK", klein.Length(rounds=1, seconds=0.2))
    with Testbed() as testbed:
        home = testbed.home
        result = klein.run(testbed, quick=True)
    assert not home.exists()
    assert [row[0] for row in result.tables[0].rows] == [klein.OURS, klein.AS_IT_IS, klein.STRIPPED, klein.ALONE]
    assert [limit.value > 0 for limit in result.limits] == [True, True]
    assert result.figures[klein.OURS]["postgres_micros"][0] > 0


def test_a_client_in_a_list_is_measured_beside_a_report_of_its_own(monkeypatch):
    """Every client of every list is answered, or the bench fails."""
    monkeypatch.setattr(lists, "GATEWAYS", 2)
    monkeypatch.setattr(lists, "OF_A_GATEWAY", 5)
    monkeypatch.setattr(lists, "QUICK", (1, 0.3))
    with Testbed() as testbed:
        result = lists.run(testbed, quick=True)
    assert [row[0] for row in result.tables[0].rows] == [lists.LISTS, lists.REPORTS]
    assert result.limits[0].value > 0


def test_a_bench_that_is_not_there_is_told_so():
    """With a list of those that are."""
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks", "swiftness"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert answer.returncode == 2
    assert "choose from klein, " in answer.stderr
