"""
Users and nodes from the tables of wifidog-auth, the old server in PHP.

Sources: C{sql/wifidog-postgres-schema.sql}, C{wifidog/classes/User.php},
C{Network.php}, C{Node.php} and C{wifidog/include/common.php} of
wifidog/wifidog-auth.  Schemas before 50 have no C{nodes.gw_id}: there the
C{node_id} is what the gateway calls itself.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from ipaddress import ip_address
from typing import BinaryIO

from wifidogd.ctl.migration.pg_dump import Dump, Row, Unreadable
from wifidogd.domain.addresses import LONGEST_STORED, read_mail_address
from wifidogd.domain.errors import ConfigurationError
from wifidogd.domain.tokens import fold_name, is_name

NEEDED = {"users": ("username", "pass", "account_status"), "nodes": ("node_id", "gw_id")}
"""The tables that are read, and the columns without which a row is of no use."""

INITIAL = {"token_status", "venue_types", "node_deployment_status"}
"""Tables that wifidog-auth's C{sql/wifidog-postgres-initial-data.sql} fills."""

MAKE_ONE = "make one of the old server's database with `pg_dump --file=old.sql wifidog`"

ALLOWED, VALIDATION, VALIDATION_FAILED = "1", "5", "6"
"""Values of C{users.account_status}; there are also -1 error, 0 denied and 254 locked."""

NO_PASSWORD = "1B2M2Y8AsgTpgAmY7PhCfg=="
"""MD5 of nothing, which wifidog-auth gives to C{SPLASH_ONLY_USER}, the account of everybody."""

DEFAULT_ADMIN = "ISMvKXpXpadDiUoOSoAfww=="
"""MD5 of "admin", the password of the first C{admin} of many installations."""

CLOSED = {"PERMANENTLY_CLOSED", "NON_WIFIDOG_NODE"}
"""Values of C{nodes.node_deployment_status} of nodes that will never call."""

MOST_USERS = 500_000
"""Of one dump; 100 MB of memory tell which names and addresses were there before."""


@dataclass(frozen=True, slots=True)
class OldUser:
    """
    An account to be.

    @ivar line: where the dump has it.
    @ivar name: folded as L{fold_name} does.
    @ivar email: lower-case; None for none that could be an address.
    @ivar old_hash: base64 of the MD5 of the password.
    @ivar validated: False while the old server waited for the address to be validated.
    @ivar disabled: whether the old server refused it.
    @ivar registered_at: the old server's local time, taken for UTC; None when unreadable.
    """

    line: int
    name: str
    email: str | None
    old_hash: str = field(repr=False)
    validated: bool
    disabled: bool
    registered_at: datetime | None


@dataclass(frozen=True, slots=True)
class OldNode:
    """
    A gateway that called the old server.

    @ivar source: where it last called from.
    @ivar version: its User-Agent; None when unknown.
    """

    line: int
    gw_id: str
    source: str
    version: str | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """
    Something in the dump that cannot be taken over, or not as it is.

    @ivar what: such as C{user anna}.
    @ivar why: the end of a sentence that begins with it.
    """

    line: int
    what: str
    why: str


class _NotTaken(Exception):
    """This row is left out; the message says why."""


def read_wifidog_auth(file: BinaryIO) -> Iterator[OldUser | OldNode | LeftOut]:
    """
    Read users and nodes from a plain dump, in its order, one at a time.

    Of users or nodes with the same name, the first is taken.

    @raise ConfigurationError: if this is no plain dump, in an unknown encoding, or of something else.
    """
    dump, is_empty = Dump(file, NEEDED), True
    for one in _taken(dump.rows()):
        is_empty = is_empty and not isinstance(one, OldUser | OldNode)
        yield one
    _expect_wifidog_auth(dump.seen, is_empty=is_empty)


def _expect_wifidog_auth(tables: Collection[str], *, is_empty: bool) -> None:
    """Refuse a file in which the operator would look for users in vain."""
    if not tables:
        raise ConfigurationError(f"There is no dump of PostgreSQL in this file: {MAKE_ONE}.")
    if "users" not in tables and set(tables) >= INITIAL:
        raise ConfigurationError(f"This is the data that each wifidog-auth begins with, without a user: {MAKE_ONE}.")
    if not {"users", "nodes"} & set(tables):
        raise ConfigurationError(f"There are no tables of wifidog-auth in this dump: {MAKE_ONE}.")
    if is_empty and set(tables) >= INITIAL and "connections" not in tables:
        raise ConfigurationError(f"This is the data that each wifidog-auth begins with, without a guest: {MAKE_ONE}.")


def _taken(rows: Iterable[Row | Unreadable]) -> Iterator[OldUser | OldNode | LeftOut]:
    seen: set[bytes] = set()
    users = 0
    for row in rows:
        if isinstance(row, Unreadable):
            yield LeftOut(row.line, f"a row of {row.table}", row.problem)
            continue
        try:
            taken = _user(row) if row.table == "users" else _node(row)
        except _NotTaken as error:
            yield LeftOut(row.line, _called(row), str(error))
            continue
        users += isinstance(taken, OldUser)
        name = taken.name if isinstance(taken, OldUser) else taken.gw_id
        if users > MOST_USERS:
            yield LeftOut(row.line, "everything from here on", f"is too much: {MOST_USERS} users are read at a time")
            return
        if not _is_first(seen, row.table, name):
            yield LeftOut(row.line, _called(row), "has the same name as one before")
            continue
        if isinstance(taken, OldUser) and taken.email and not _is_first(seen, "email", taken.email):
            yield LeftOut(row.line, _called(row), "comes without its address: one before has it too")
            taken = replace(taken, email=None)
        yield taken


def _user(row: Row) -> OldUser:
    values = _expect(row.values, "username", "pass", "account_status")
    email = _email(values.get("email") or "")
    name = fold_name(values["username"] or email or "")
    if values["username"] == "SPLASH_ONLY_USER":
        raise _NotTaken("is nobody's: it stood for all guests of splash-only nodes")
    if not is_name(name):
        raise _NotTaken("has no name that an account can have")
    old_hash = values["pass"] or ""
    if not _is_md5(old_hash):
        raise _NotTaken("has no password there: its network asked another server for it")
    if old_hash == NO_PASSWORD or (name == "admin" and old_hash == DEFAULT_ADMIN):
        raise _NotTaken("has a password that everybody knows")
    status = values["account_status"]
    return OldUser(
        line=row.line,
        name=name,
        email=email,
        old_hash=old_hash,
        validated=status not in (VALIDATION, VALIDATION_FAILED),
        disabled=status not in (ALLOWED, VALIDATION, VALIDATION_FAILED),
        registered_at=_instant(values.get("reg_date") or ""),
    )


def _node(row: Row) -> OldNode:
    values = _expect(row.values, "node_id")
    gw_id = values.get("gw_id") or values["node_id"] or ""
    if not re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", gw_id):
        raise _NotTaken("has no GatewayID: 1 to 64 letters, digits and . _ : -")
    if values.get("node_deployment_status") in CLOSED:
        raise _NotTaken("was closed, or never ran wifidog")
    try:
        source = str(ip_address(values.get("last_heartbeat_ip") or ""))
    except ValueError:
        raise _NotTaken("has never called: it waits to be adopted once it does") from None
    version = "".join(filter(str.isprintable, values.get("last_heartbeat_user_agent") or ""))[:100]
    return OldNode(row.line, gw_id, source, version or None)


def _expect(values: Mapping[str, str | None], *columns: str) -> Mapping[str, str | None]:
    """Refuse rows of a table that only has the same name."""
    for column in columns:
        if column not in values:
            raise _NotTaken(f"is of a table without {column}: this is no dump of wifidog-auth")
    return values


def _called(row: Row) -> str:
    """Name a row for people."""
    columns = ("username", "user_id") if row.table == "users" else ("gw_id", "node_id")
    name = next(filter(None, map(row.values.get, columns)), "without a name")
    return f"{'user' if row.table == 'users' else 'node'} {name[:100]}"


def _is_first(seen: set[bytes], table: str, name: str) -> bool:
    """Record a name, and return whether it was new."""
    digest = blake2b(f"{table} {name}".encode(), digest_size=12).digest()
    is_new = digest not in seen
    seen.add(digest)
    return is_new


def _is_md5(text: str) -> bool:
    """Return whether C{text} is what C{base64_encode(pack("H*", md5(...)))} makes."""
    try:
        return len(base64.b64decode(text, validate=True)) == 16 and len(text) == 24
    except (binascii.Error, ValueError):
        return False


def _email(text: str) -> str | None:
    """Read an address; None for none, or one that no mail can be sent to."""
    return read_mail_address(text, LONGEST_STORED)


def _instant(text: str) -> datetime | None:
    """Read a timestamp without time zone."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
