"""Who is compared: the hobby server under five servers of the old stack, and wifidogd."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import stored_guests
from benchmarks.loads.contender import PATIENCE, Contender, Deployment, InitialState
from benchmarks.loads.good_requests import Answers, GoodRequests
from benchmarks.oldstack import stored_guests as old_stored_guests
from benchmarks.oldstack.environments import python_of
from benchmarks.requests.gateways import gw_id
from benchmarks.requests.load import Load
from tests.support.checkout import ROOT
from tests.support.testbed.server_process import ask, free_port
from tests.support.testbed.testbed import PREFIX, Testbed

HERE = Path(__file__).parent
PING = f"GET {PREFIX}ping/?gw_id={gw_id(0)} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode()

ALL_GATEWAYS_KNOWN_AFTER = 2.0
"""Seconds until wifidogd has seen gateways that were put into its database."""


def open_old(environment: str, server: str, testbed: Testbed, initial_state: InitialState) -> Deployment:
    """Start the hobby server on a database that is filled once it has made its tables."""
    dsn, port = testbed.postgres.create_database(), free_port()
    running = testbed.serve(
        [str(python_of(environment)), "-m", "hotspot.serve", server, str(port)],
        port=port,
        is_ready=answers,
        descriptors=initial_state.descriptors,
        environment={
            "HOTSPOT_DATABASE": dsn,
            "HOTSPOT_TOKEN_INDEX": "yes" if initial_state.index else "no",
            "PYTHONPATH": str(HERE),
        },
    )
    old_stored_guests.furnish(
        dsn, guests=initial_state.guests, gateways=initial_state.gateways, past_sessions=initial_state.past_sessions
    )
    if initial_state.sold_out:
        old_stored_guests.take_every_code(dsn)
    ask(port, PING)
    return Deployment(testbed, running, dsn, initial_state)


def answers(port: int) -> bool:
    """Whether somebody speaks HTTP: there is no gateway yet, but a page that says so."""
    return ask(port, PING).startswith(b"HTTP/1")


def open_ours(testbed: Testbed, initial_state: InitialState) -> Deployment:
    """Start wifidogd on a database with the same guests."""
    dsn = testbed.postgres.create_database()
    testbed.wifidogd(dsn).end()
    stored_guests.adopt(dsn, initial_state.gateways)
    stored_guests.admit(dsn, initial_state.guests, initial_state.gateways)
    stored_guests.remember(dsn, initial_state.past_sessions)
    stored_guests.settle(dsn)
    return Deployment(testbed, testbed.wifidogd(dsn, descriptors=initial_state.descriptors), dsn, initial_state)


def sign_up(deployment: Deployment, rate: float, seconds: float) -> GoodRequests:
    """Press the button for a free voucher."""
    return GoodRequests(
        Load(deployment.port, SignUps(deployment.initial_state.gateways), seconds, rate=rate, patience=PATIENCE)
    )


class SignUps:
    """Guests at the login page who press the button for a free voucher."""

    def __init__(self, gateways: int) -> None:
        self._gateways = gateways

    def __iter__(self) -> Iterator[bytes]:
        for guest in itertools.count():
            query = f"gw_address=10.0.0.1&gw_port=2060&gw_id={gw_id(guest % self._gateways)}"
            yield (
                f"POST {PREFIX}login/?{query} HTTP/1.0\r\nHost: 127.0.0.1\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 11\r\n\r\nsign_up=yes"
            ).encode()


class Orders:
    """An operator who orders vouchers again and again, as a process of L{benchmarks.loads.full_space}."""

    def __init__(self, deployment: Deployment, rate: float, seconds: float) -> None:
        words = ["-m", "benchmarks.loads.full_space", deployment.dsn, str(rate), str(seconds)]
        self._process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, cwd=ROOT)

    def answers(self) -> Answers:
        """
        Wait for the end.

        @raise RuntimeError: if it failed; it has said why.
        """
        said, _ = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError("vouchers could not be ordered")
        return Answers([tuple(sample) for sample in json.loads(said)])


CONTENDERS = (
    Contender("Flask's own", partial(open_old, "flask", "flask"), sign_up),
    Contender("cheroot 11.1.2", partial(open_old, "cheroot", "cheroot"), sign_up),
    Contender("Waitress 3.0.0", partial(open_old, "waitress", "waitress"), sign_up),
    Contender("Waitress 3.0.2", partial(open_old, "waitress-fixed", "waitress"), sign_up, is_twin=True),
    Contender("Gunicorn x4", partial(open_old, "gunicorn", "gunicorn"), sign_up, is_single=False),
    Contender("wifidogd", open_ours, Orders, is_ours=True),
)
