"""The operator's DSN, as psycopg2 gets it: with session limits, and with addresses instead of names."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Mapping

import psycopg2
from psycopg2.extensions import parse_dsn
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import DNSLookupError

from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.driver.libpq_environment import whereabouts

LookUp = Callable[[str], Awaitable[list[str]]]
"""Looks up the numeric addresses of a host; empty if there is none."""

LIMITS = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
    "client_connection_check_interval": "1s",
    "client_min_messages": "warning",
    "timezone": "UTC",
}
"""
Server settings of each session.

The first four end work whose client has gone: PostgreSQL does not notice by itself before it next writes to the socket;
the fourth needs PostgreSQL 14.  Warnings tell L{Database} of a COMMIT that no standby has.  Instants come back in UTC.
"""

DEFAULTS = {
    "fallback_application_name": "wifidogd",
    "client_encoding": "utf8",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "target_session_attrs": "read-write",
}
"""
libpq parameters; seconds, but C{tcp_user_timeout} is milliseconds.  A unix socket ignores the TCP ones.

The last makes libpq refuse a standby, so that of several hosts the one that can be written to is found.
"""

WRITABLE = ("read-write", "primary", "any")
"""What C{target_session_attrs} may say."""


def session_parameters(dsn: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """
    Read a DSN and add our limits; what the DSN says itself wins.

    @param dsn: key=value pairs or a C{postgresql://} URI, as libpq reads them.
    @param environment: where libpq's variables say what the DSN leaves open.
    @raise ConfigurationError: if libpq cannot read it, or reads a part of the password as something else, or it asks
        for a server that cannot be written to; what it says is not repeated.
    """
    try:
        given = parse_dsn(dsn)
    except psycopg2.ProgrammingError:
        raise ConfigurationError(
            "The database DSN cannot be read; write it like postgresql://wifidogd@db.example/wifidogd "
            f'or "host=db.example dbname=wifidogd user=wifidogd". In a URL, write {_ESCAPES} in a password; '
            "in pairs, put quotes around one with blanks: password='...'."
        ) from None  # it repeats the password
    _check_escapes(dsn, given)
    limits = " ".join(f"-c {name}={value}" for name, value in LIMITS.items())
    options = f"{limits} {given.get('options', '')}".rstrip()
    parameters = {**DEFAULTS, **given, **whereabouts(given, environment), "options": options}
    _check(parameters)
    return parameters


def holds_password(dsn: str) -> bool:
    """
    Return whether a DSN must not be shown, because of a password in it.

    @param dsn: one that L{session_parameters} takes.
    """
    return any("password" in name for name in parse_dsn(dsn))


_URI = re.compile(r"postgres(?:ql)?://[^/?]*(?P<rest>[^?]*)")

_ESCAPES = "%40 for @, %2F for /, %3A for :, %3F for ?, %23 for # and %25 for %"


def _check_escapes(dsn: str, given: Mapping[str, str]) -> None:
    """
    Refuse a URI of which libpq takes a part of the password for a host, a port or a database; logs name those.

    @raise ConfigurationError: if there is an C{@} or a C{#} in them, or a port is no number.
    """
    uri, host, port = _URI.match(dsn), given.get("host", ""), given.get("port", "")
    if uri is None or not ("@" in uri["rest"] or re.search("[@#]", host[1:]) or re.search("[^0-9,]", port)):
        return
    raise ConfigurationError(
        f"The database DSN has a user or password that must be escaped in a URL: write {_ESCAPES}; or write key=value "
        'pairs, such as "host=db.example dbname=wifidogd user=wifidogd passfile=FILE".'
    )


def _check(parameters: Mapping[str, str]) -> None:
    """@raise ConfigurationError: if the parameters contradict each other, or what we need."""
    if parameters["target_session_attrs"] not in WRITABLE:
        raise ConfigurationError(
            f"target_session_attrs={parameters['target_session_attrs']} asks for a server that cannot be written to: "
            "leave it out, or write read-write."
        )
    _rows(parameters)


async def hosts(parameters: Mapping[str, str], look_up: LookUp) -> list[Mapping[str, str]]:
    """
    Return the parameters for each address of each host, in the order of the DSN.

    Names are looked up here, all at the same time, because libpq would block the reactor to do so.  The name stays
    beside its address for TLS and the password file.  libpq gets one address at a time: it would wait for one that
    does not answer until our deadline is over, and never try the next.

    @param look_up: as L{Resolver.addresses}.
    @raise DNSLookupError: if none of the names has an address.
    """
    rows = _rows(parameters)
    found = await gatherResults([Deferred.fromCoroutine(_addresses(host, known, look_up)) for host, known, _ in rows])
    if not any(found):
        raise DNSLookupError(f"no address found for {', '.join(host for host, _, _ in rows)}")
    return [
        {**parameters, "host": host, "hostaddr": address, "port": port}
        for (host, _, port), addresses in zip(rows, found, strict=True)
        for address in addresses
    ]


def _rows(parameters: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """
    Read the lists of hosts: name, address and port of each, empty where there is none.

    @raise ConfigurationError: if the lists do not fit; one port is for all.
    """
    columns = [parameters.get(name, "").split(",") for name in ("host", "hostaddr", "port")]
    most = max(map(len, columns))
    if any(len(column) not in (1, most) for column in columns) or len(columns[2]) > max(map(len, columns[:2])):
        raise ConfigurationError(
            "The database DSN names so many hosts and so many ports, but not as many: write one port for all, "
            "or one for each host, such as host=a.example,b.example port=5432,5433."
        )
    return list(zip(*(column * (most // len(column)) for column in columns), strict=True))


def _is_local(host: str) -> bool:
    """Return whether libpq takes this for a unix socket: empty, a directory, or an abstract name."""
    return host[:1] in ("", "/", "@")


async def _addresses(host: str, known: str, look_up: LookUp) -> list[str]:
    """@return: numeric addresses, C{""} for a unix socket; empty if there is none."""
    return [known] if known or _is_local(host) else await look_up(host)
