"""From the operator's DSN to what psycopg2 is given: session limits, and addresses instead of names."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg2
from psycopg2.extensions import parse_dsn
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from wifidogd.errors import ConfigurationError

LIMITS = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
    "client_connection_check_interval": "1s",
    "client_min_messages": "error",
    "timezone": "UTC",
}
"""
Server settings of each session.

The first four end work whose client has gone: PostgreSQL does not notice by itself before it next writes to the socket.
The last needs PostgreSQL 14.  Instants come back in UTC.
"""

DEFAULTS = {
    "fallback_application_name": "wifidogd",
    "client_encoding": "utf8",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""libpq parameters; seconds, but C{tcp_user_timeout} is milliseconds.  A unix socket ignores the TCP ones."""


def session_parameters(dsn: str) -> dict[str, str]:
    """
    Read a DSN and add our limits; what the DSN says itself wins.

    @param dsn: key=value pairs or a C{postgresql://} URI, as libpq reads them.
    @raise ConfigurationError: if libpq cannot read it.
    """
    try:
        given = parse_dsn(dsn)
    except psycopg2.ProgrammingError as error:
        raise ConfigurationError(
            "The database DSN cannot be read; write it like postgresql://wifidogd@db.example/wifidogd "
            'or "host=db.example dbname=wifidogd user=wifidogd".'
        ) from error
    limits = " ".join(f"-c {name}={value}" for name, value in LIMITS.items())
    return {**DEFAULTS, **given, "options": f"{limits} {given.get('options', '')}".rstrip()}


async def with_addresses(parameters: Mapping[str, str], resolver: IHostnameResolver) -> Mapping[str, str]:
    """
    Resolve the host names and add them as C{hostaddr}, because libpq would block the reactor to do so.

    A name with several addresses becomes several entries, tried in that order like libpq itself would.  The name stays
    beside its address for TLS and the password file.  Unix sockets and the libpq environment are left alone.

    @raise DNSLookupError: if none of the names has an address.
    """
    hosts = parameters.get("host", "").split(",")
    if "hostaddr" in parameters or all(_is_local(host) for host in hosts):
        return parameters
    ports = parameters.get("port", "").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    entries = [
        (host, address, port)
        for host, port in zip(hosts, ports, strict=True)
        for address in await _addresses(host, resolver)
    ]
    if not entries:
        raise DNSLookupError(f"no address found for {', '.join(hosts)}")
    columns = zip(*entries, strict=True)
    return {**parameters, **dict(zip(("host", "hostaddr", "port"), map(",".join, columns), strict=True))}


def _is_local(host: str) -> bool:
    """Tell whether libpq takes this for a unix socket: empty, a directory, or an abstract name."""
    return host[:1] in ("", "/", "@")


async def _addresses(host: str, resolver: IHostnameResolver) -> list[str]:
    """@return: numeric addresses in the resolver's order, C{""} for a unix socket; empty if there is none."""
    if _is_local(host):
        return [""]
    if isIPAddress(host) or isIPv6Address(host):
        return [host]
    answers = _Answers()
    resolver.resolveHostName(answers, host)
    return await answers.complete


@implementer(IResolutionReceiver)
class _Answers:
    """
    Collects the addresses of one name.

    @ivar complete: fires once with all of them, without repetition.
    """

    def __init__(self) -> None:
        self.complete: Deferred[list[str]] = Deferred()
        self._found: dict[str, None] = {}

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """The look-up has started; the C library bounds how long it takes."""

    def addressResolved(self, address: IAddress) -> None:
        """Remember one address."""
        self._found[address.host] = None  # type: ignore[attr-defined]

    def resolutionComplete(self) -> None:
        """No more are coming."""
        self.complete.callback(list(self._found))
