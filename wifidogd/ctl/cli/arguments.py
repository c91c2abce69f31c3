"""How operators write and read lengths of time, sizes, addresses and names; a wrong one gets a sentence."""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import ip_address
from typing import NoReturn
from zoneinfo import ZoneInfo

from wifidogd.domain.addresses import is_private, read_mac
from wifidogd.domain.gateways import GATEWAY_ID, propose_gw_id
from wifidogd.domain.sessions import MAX_OCTETS

SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}

LONGEST = timedelta(days=36_500)

OCTETS = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}


def duration(text: str) -> timedelta:
    """
    Read a length of time such as C{90s}, C{10m}, C{1h30m} or C{365d}.

    @return: more than nothing, 100 years at most.
    """
    parts = re.findall(r"([0-9]{1,9})([wdhms])", text.lower())
    length = timedelta(seconds=sum(int(number) * SECONDS[unit] for number, unit in parts))
    if "".join(number + unit for number, unit in parts) != text.lower() or not timedelta() < length <= LONGEST:
        raise ArgumentTypeError(f"{text!r} is no length of time: write it like 90s, 10m, 1h30m or 30d")
    return length


def duration_or_none(text: str) -> timedelta | None:
    """Read a length of time, or C{none} for no limit."""
    return None if text.lower() == "none" else duration(text)


def retention(text: str) -> timedelta | None:
    """Read how long history is kept; C{0} or C{none} keeps it for ever."""
    return None if text == "0" else duration_or_none(text)


def stale_after(text: str) -> timedelta:
    """Read a length of time of a minute or more."""
    length = duration(text)
    if length < timedelta(minutes=1):
        raise ArgumentTypeError(f"{text!r} is too short: a minute is the least")
    return length


def check_interval(text: str) -> timedelta:
    """Read a CheckInterval: seconds as in wifidog.conf, or a length of time; a day at most."""
    length = duration(text + "s" if text.isdecimal() else text)
    if length > timedelta(days=1):
        raise ArgumentTypeError(f"{text!r} is too long: a day is the most")
    return length


def octets_or_none(text: str) -> int | None:
    """Read a size such as C{500MB} or C{1.5GiB}, or C{none} for no limit; a number alone could mean anything."""
    if text.lower() == "none":
        return None
    parts = re.fullmatch(r"([0-9]{1,19}(?:\.[0-9]{1,9})?) ?([a-z]*)", text.lower())
    if parts is not None and parts[2] in OCTETS:
        octets = int(Decimal(parts[1]) * OCTETS[parts[2]])
        if 0 < octets <= MAX_OCTETS:
            return octets
    if parts is not None and Decimal(parts[1]) > 0 and f"{parts[2] or 'm'}b" in OCTETS:
        raise ArgumentTypeError(f"{text!r} lacks a unit: write {parts[1]}{(parts[2] or 'm').upper()}B")
    raise ArgumentTypeError(f"{text!r} is no amount of data: write it like 500MB, 2GB, 1.5GiB or none")


def gateway_id(text: str) -> str:
    """Check a GatewayID: the gateway sends it unencoded, so it must not need encoding."""
    if not GATEWAY_ID.fullmatch(text.strip()):
        raise ArgumentTypeError(
            f"{text!r} is no GatewayID: 1 to 64 letters, digits and . _ : -, like {propose_gw_id(text)}"
        )
    return text.strip()


def guest_address(text: str) -> str:
    """
    Check the address under which guests reach their gateway.

    Tokens are sent there, so it must never be in the open internet
    (docs/protocol.md 6.10); a link-local one cannot name its interface in
    a URL.
    """
    if "%" in text or not is_private(text):
        raise ArgumentTypeError(
            f"{text!r} is no private address: write the router's own IP address in its guest network, like 192.168.1.1"
        )
    return str(ip_address(text))


def device_address(text: str) -> str:
    """Read the IP address of a guest's device, as its router would write it."""
    try:
        return str(ip_address(text))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no IP address of a device: write it like 192.168.1.20") from None


def port(text: str) -> int:
    """Read a TCP port."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65_535:
        raise ArgumentTypeError(f"{text!r} is no port: write a number from 1 to 65535")
    return int(text)


def mac_address(text: str) -> str:
    """Read a MAC address in any common form, as L{read_mac} does."""
    mac = read_mac(text)
    if mac is None:
        raise ArgumentTypeError(f"{text!r} is no MAC address of a device: write it like 00:1a:2b:3c:4d:5e")
    return mac


def positive(text: str) -> int:
    """Read a whole number from 1 to a million million."""
    if not re.fullmatch(r"[0-9]{1,12}", text) or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is no number: write one from 1 up")
    return int(text)


def show_duration(length: timedelta | None) -> str:
    """Write a length of time in its two largest units, like C{1h30m}; C{-} for None."""
    if length is None:
        return "-"
    left = max(0, int(length.total_seconds()))
    parts = []
    for unit, seconds in SECONDS.items():
        if left >= seconds and unit != "w":
            parts.append(f"{left // seconds}{unit}")
            left %= seconds
    return "".join(parts[:2]) or "0s"


def show_octets(octets: int | None) -> str:
    """Write a size with three digits or so, like C{1.5 GB}; C{-} for None."""
    if octets is None:
        return "-"
    size, unit = float(octets), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if size < 999.5:
            break
        size, unit = size / 1_000, larger
    return f"{size:.0f} {unit}" if unit == "B" or size >= 99.95 else f"{size:.1f} {unit}"


class OneLineParser(ArgumentParser):
    """A parser whose errors are one sentence: the usage is what C{--help} is for."""

    def error(self, message: str) -> NoReturn:
        """Write what is wrong, and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}{'' if message.startswith('argument ') else f' ({self.prog} --help)'}\n")


JSON = OneLineParser(add_help=False)
JSON.add_argument("--json", action="store_true", help="print one JSON document: octets, seconds, ISO 8601 instants")


def add_nouns(parser: ArgumentParser, what: str = "VERB") -> Callable[..., ArgumentParser]:
    """
    Return a function that adds subcommands to a parser.

    @return: adds one, of the kind of C{parser}: name, help and what else L{ArgumentParser} takes.
    """
    return parser.add_subparsers(required=True, metavar=what).add_parser


def setting(name: str) -> str | None:
    """Return the value of an option's environment variable, as the server reads it; None if it is not set."""
    return os.environ.get(f"WIFIDOGD_{name.upper().replace('-', '_')}") or None


def until(text: str) -> date | datetime:
    """
    Read the last day of something, C{2027-01-31}, or the instant at which it ends, C{2027-01-31T18:00+01:00}.

    @return: a day, which ends when it does where it is used, or an aware instant.
    """
    try:
        if len(text) == len("2027-01-31"):
            return date.fromisoformat(text)
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day: write the last one like 2027-01-31") from None
    if instant.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} lacks its distance from UTC: write it like {text}+01:00")
    return instant.astimezone(UTC)


def end_of(when: date | datetime, zone: str) -> datetime:
    """
    Return the instant from which on something is over.

    @param zone: IANA name; days end there.
    """
    if isinstance(when, datetime):
        return when
    return datetime.combine(when + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)
