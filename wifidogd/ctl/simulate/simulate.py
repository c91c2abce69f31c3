"""wifidogctl simulate: simulated gateways and guests, to try the server and to check what it stores."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from datetime import timedelta
from http import HTTPStatus
from ipaddress import IPv4Address
from random import SystemRandom
from typing import cast
from urllib.parse import urlsplit

from twisted.internet.task import LoopingCall, deferLater

from wifidogd.ctl.cli.arguments import JSON, check_interval, duration, positive
from wifidogd.ctl.cli.command import Command, CommandFailed, ExitCode, WrongUsage
from wifidogd.ctl.cli.database import interrupts
from wifidogd.ctl.cli.output import print_json
from wifidogd.ctl.simulate.gateways import adopt, kept, make_room, remove
from wifidogd.ctl.simulate.report import Verdict, document, live_line, print_summary
from wifidogd.domain.addresses import is_private
from wifidogd.domain.errors import ConfigurationError
from wifidogd.domain.gateways import Gateway
from wifidogd.settings import checked_path
from wifidogd.simulation.families.family import Family
from wifidogd.simulation.families.names import FAMILIES
from wifidogd.simulation.families.wifidog import Wifidog
from wifidogd.simulation.oracle.comparison import Audit, audit
from wifidogd.simulation.provisioning import MOST_GATEWAYS, sites
from wifidogd.simulation.run import Simulation
from wifidogd.simulation.transport import wire
from wifidogd.simulation.transport.client import HttpClient, IClientReactor, NoAnswer

MIXED = "mixed"
"""All families in turns."""

MOST_GUESTS = 100_000

MOST_REPORTS = 3_000
"""Counters a second; more than one process can send, so that the gateways would only fall behind."""

LONGEST = timedelta(days=1)

KNOWN_WITHIN = 15
"""Seconds within which the server must know the gateways; it looks once a second."""

DESCRIPTION = """
Adopt simulated gateways, let simulated guests sign in through the real pages and use the internet, and check every
answer, and in the end every octet that is stored.  For a server on trial: real guests share it with the simulation.
The gateways are called sim-0001 and so on, in a network called simulation; they are removed in the end, also after
Ctrl-C.  The exit code is 0 only if everything was right.
"""


def add_parser(nouns: Callable[..., ArgumentParser]) -> None:
    """Add the noun, which has no verbs."""
    parser = nouns("simulate", parents=[JSON], help="try the server without a router", description=DESCRIPTION)
    options: tuple[tuple[str, str, Callable[[str], object], object, str], ...] = (
        ("--url", "URL", server, "http://127.0.0.1:8080/wifidog/", "the server, on a loopback or private address"),
        ("--gateways", "N", positive, 20, f"how many, {MOST_GATEWAYS} at most"),
        ("--guests", "N", positive, 1_000, f"how many come and go, {MOST_GUESTS} at most"),
        ("--family", "NAME", families, MIXED, f"software of the gateways: {', '.join(FAMILIES)}, or {MIXED}"),
        ("--interval", "S", check_interval, "60", "CheckInterval of the gateways, simulated seconds"),
        ("--speed", "X", speed, "1", "simulated seconds to a second, 0.1 to 1000"),
        ("--duration", "5m", duration, "5m", "how long it runs, in real time, a day at most"),
    )
    for option, example, read, default, says in options:
        parser.add_argument(option, metavar=example, type=read, default=default, help=f"{says} (default: %(default)s)")
    parser.set_defaults(command=simulate, prepare=check_sizes)


def server(text: str) -> wire.Server:
    """
    Read where the server is.

    Only servers nearby: a typing error must not send a thousand simulated guests to somebody else's server.
    """
    try:
        url = urlsplit(text)
        host = "127.0.0.1" if url.hostname == "localhost" else str(IPv4Address(url.hostname or ""))
        path, port = checked_path(url.path), url.port or 80
    except (ValueError, ConfigurationError):
        host, path, port = "", "", 0
    if urlsplit(text).scheme != "http" or not (is_private(host) or host.startswith("127.")):
        raise ArgumentTypeError(
            f"{text!r} is not near: write http, a loopback or private IPv4 address, port and path, "
            "like http://127.0.0.1:8080/wifidog/"
        )
    return wire.Server(host, port, path)


def families(text: str) -> Sequence[Family]:
    """Read which software the gateways have."""
    if text == MIXED:
        return list(FAMILIES.values())
    if text not in FAMILIES:
        raise ArgumentTypeError(f"{text!r} is no family: write {', '.join(FAMILIES)}, or {MIXED} for all of them")
    return [FAMILIES[text]]


def speed(text: str) -> float:
    """Read how fast simulated time runs."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.1 <= number <= 1_000:
        raise ArgumentTypeError(f"{text!r} is no speed: write a number from 0.1 to 1000")
    return number


def check_sizes(arguments: Namespace) -> None:
    """
    Refuse more than machine and server can bear.

    @raise WrongUsage: if not.
    """
    if arguments.gateways > MOST_GATEWAYS:
        raise WrongUsage(f"--gateways {arguments.gateways}: {MOST_GATEWAYS} are the most.")
    if arguments.guests > MOST_GUESTS:
        raise WrongUsage(f"--guests {arguments.guests}: {MOST_GUESTS} are the most.")
    if arguments.duration > LONGEST:
        raise WrongUsage("--duration: a day is the most.")
    reports = arguments.guests * arguments.speed / arguments.interval.total_seconds()
    if reports > MOST_REPORTS:
        raise WrongUsage(
            f"That makes {reports:.0f} reports a second, and {MOST_REPORTS} are the most: "
            "take fewer --guests, less --speed or a longer --interval."
        )


async def simulate(command: Command) -> None:
    """
    Run a simulation and print its result.

    @raise SystemExit: if anything was not right.
    """
    wanted = command.arguments
    gateways = sites(wanted.gateways, wanted.interval / wanted.speed)
    simulation = Simulation(
        wanted.url,
        gateways,
        wanted.guests,
        interval=wanted.interval.total_seconds(),
        speed=wanted.speed,
        reactor=cast(IClientReactor, command.reactor),
        random=SystemRandom(),
        families=wanted.family,
    )
    await _expect_server(simulation.context.client, wanted.url)
    await make_room(command)
    with interrupts(command.reactor, simulation.close):
        try:
            result = await _run(command, simulation, gateways)
        finally:
            await remove(command, [gateway.gw_id for gateway in gateways])
    verdict = Verdict(simulation.context.statistics, result)
    if wanted.json:
        print_json(document(verdict, simulation, wanted))
    else:
        print_summary(verdict)
    if not verdict.is_right:
        raise SystemExit(ExitCode.REFUSED)


async def _expect_server(client: HttpClient, where: wire.Server) -> None:
    """Refuse to simulate anything on a server that is not there."""
    answer, _ = await client.ask(wire.get(where, where.path))
    if isinstance(answer, NoAnswer) or wire.read_status(answer) != HTTPStatus.OK:
        why = "does not answer" if isinstance(answer, NoAnswer) else "is no wifidogd"
        raise CommandFailed(
            f"What is at http://{where.host}:{where.port}{where.path} {why}: "
            "start the server with `twistd -n wifidogd`, or name another --url."
        )


async def _run(command: Command, simulation: Simulation, gateways: list[Gateway]) -> Audit:
    """Adopt the gateways, run the simulation, and compare the tables."""
    mark = await adopt(command, gateways)
    await _expect_known(command, simulation.context.client, gateways[-1])
    show = LoopingCall(_show, simulation, command.arguments)
    show.clock = command.reactor
    shown = show.start(1 if sys.stderr.isatty() else 15, now=False)
    try:
        await simulation.run(command.arguments.duration.total_seconds())
    finally:
        show.stop()
        await shown
        _wipe()
    return audit(simulation.context.history, await kept(command, mark))


async def _expect_known(command: Command, client: HttpClient, gateway: Gateway) -> None:
    """Wait until the server, and each of its processes, has seen that the gateways are adopted."""
    where = command.arguments.url
    target = Wifidog().login_target(where, gateway, "10.0.0.1", "02:51:4d:00:00:00", "http://example.org/")
    page = wire.get(where, target)
    for _ in range(KNOWN_WITHIN):
        await deferLater(command.reactor, 1)
        answer, _ = await client.ask(page)
        if not isinstance(answer, NoAnswer) and wire.read_status(answer) == HTTPStatus.OK:
            return await deferLater(command.reactor, 1.2)
    raise CommandFailed(
        "The server does not know the gateways that were just adopted: it has another database than this command, "
        "see --database and --data-dir."
    )


def _show(simulation: Simulation, wanted: Namespace) -> None:
    """Print the state to standard error: in place at a terminal, else on a line of its own."""
    line = live_line(simulation, wanted.duration)
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
    else:
        print(line, file=sys.stderr, flush=True)


def _wipe() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
