"""Who is compared: the hobby server under five servers of the old stack, and wifidogd."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import scene
from benchmarks.gateways import gw_id
from benchmarks.house import CHECKOUT, PREFIX, House, ask, free_port
from benchmarks.load import Load
from benchmarks.loads.asking import Answers, Asking
from benchmarks.loads.place import PATIENCE, Contender, Furnishing, Place
from benchmarks.oldstack import scene as old_scene
from benchmarks.oldstack.environments import python_of

HERE = Path(__file__).parent
PING = f"GET {PREFIX}ping/?gw_id={gw_id(0)} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode()

ALL_GATEWAYS_KNOWN_AFTER = 2.0
"""Seconds until wifidogd has seen gateways that were put into its database."""


def open_old(environment: str, server: str, house: House, furnishing: Furnishing) -> Place:
    """Start the hobby server on a database that is filled once it has made its tables."""
    dsn, port = house.postgres.create(), free_port()
    running = house.serve(
        [str(python_of(environment)), "-m", "hotspot.serve", server, str(port)],
        port=port,
        is_ready=answers,
        descriptors=furnishing.descriptors,
        environment={
            "HOTSPOT_DATABASE": dsn,
            "HOTSPOT_TOKEN_INDEX": "yes" if furnishing.index else "no",
            "PYTHONPATH": str(HERE),
        },
    )
    old_scene.furnish(dsn, guests=furnishing.guests, gateways=furnishing.gateways, stays=furnishing.stays)
    if furnishing.sold_out:
        old_scene.take_every_code(dsn)
    ask(port, PING)
    return Place(house, running, dsn, furnishing)


def answers(port: int) -> bool:
    """Whether somebody speaks HTTP: there is no gateway yet, but a page that says so."""
    return ask(port, PING).startswith(b"HTTP/1")


def open_ours(house: House, furnishing: Furnishing) -> Place:
    """Start wifidogd on a database with the same guests."""
    dsn = house.postgres.create()
    house.wifidogd(dsn).end()
    scene.adopt(dsn, furnishing.gateways)
    scene.admit(dsn, furnishing.guests, furnishing.gateways)
    scene.remember(dsn, furnishing.stays)
    scene.settle(dsn)
    return Place(house, house.wifidogd(dsn, descriptors=furnishing.descriptors), dsn, furnishing)


def sign_up(place: Place, rate: float, seconds: float) -> Asking:
    """Press the button for a free voucher."""
    return Asking(Load(place.port, SignUps(place.furnishing.gateways), seconds, rate=rate, patience=PATIENCE))


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

    def __init__(self, place: Place, rate: float, seconds: float) -> None:
        words = ["-m", "benchmarks.loads.full_space", place.dsn, str(rate), str(seconds)]
        self._process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, cwd=CHECKOUT)

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
