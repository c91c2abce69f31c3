"""
One bad_clients in a process of its own: C{python -m benchmarks.loads silent --port 8080 --count 120 --seconds 10}.

Prints what became of its clients as JSON when it has ended.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from benchmarks.loads.bad_clients import NAMES, kind_named
from benchmarks.loads.crowd import Crowd, Visits
from benchmarks.loads.rst import keep_vanishing


def main() -> None:
    """Run the bad clients that the command line names, and print their visits as JSON."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.loads", description="Run bad clients against a server on this machine."
    )
    parser.add_argument("kind", choices=["rst", *NAMES])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--count", type=int, default=1, help="clients at a time")
    parser.add_argument("--rate", type=float, default=20.0, help="clients a second, for rst")
    parser.add_argument("--again", action="store_true", help="come again when sent away")
    parser.add_argument("--gateway", default="gw-1", help="GatewayID that the server knows")
    chosen = parser.parse_args()
    print(json.dumps(asdict(vanish(chosen) if chosen.kind == "rst" else stay(chosen))))


def vanish(chosen: argparse.Namespace) -> Visits:
    """Send clients that are gone before they are looked at."""
    ping = f"GET /wifidog/ping/?gw_id={chosen.gateway} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
    return keep_vanishing(chosen.port, chosen.rate, chosen.seconds, ping.encode())


def stay(chosen: argparse.Namespace) -> Visits:
    """Send a crowd and wait until its time is over."""
    crowd = Crowd(chosen.port, kind_named(chosen.kind, chosen.gateway), chosen.count, come_again=chosen.again)
    try:
        crowd.stay(chosen.seconds)
    finally:
        crowd.leave()
    return crowd.visits


if __name__ == "__main__":
    main()
