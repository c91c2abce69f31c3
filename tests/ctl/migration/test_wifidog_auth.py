"""What users and nodes of wifidog-auth become."""

from __future__ import annotations

import base64
import hashlib
import io
from datetime import UTC, datetime

import pytest

from tests.support.checkout import DATA
from wifidogd.ctl.migration import wifidog_auth
from wifidogd.ctl.migration.wifidog_auth import LeftOut, OldNode, OldUser, read_wifidog_auth
from wifidogd.domain.errors import ConfigurationError

DUMP = DATA / "wifidog-auth.sql"


def md5(password: str) -> str:
    """Hash as C{User::passwordHash} of wifidog-auth does."""
    return base64.b64encode(hashlib.md5(password.encode()).digest()).decode()


def users(*lines: str) -> list[OldUser | OldNode | LeftOut]:
    """Read users given as C{username, pass, email, account_status, reg_date} with commas between."""
    head = "COPY users (username, pass, email, account_status, reg_date) FROM stdin;\n"
    text = head + "".join(line.replace(",", "\t") + "\n" for line in lines) + "\\.\n"
    return list(read_wifidog_auth(io.BytesIO(text.encode())))


def nodes(*lines: str) -> list[OldUser | OldNode | LeftOut]:
    """Read nodes given as C{node_id, last_heartbeat_ip, last_heartbeat_user_agent}, as before schema 50."""
    head = "COPY nodes (node_id, last_heartbeat_ip, last_heartbeat_user_agent) FROM stdin;\n"
    text = head + "".join(line.replace(",", "\t") + "\n" for line in lines) + "\\.\n"
    return list(read_wifidog_auth(io.BytesIO(text.encode())))


def test_a_real_dump_is_understood() -> None:
    """Who is taken over, and the line and reason of everything else."""
    with DUMP.open("rb") as file:
        read = list(read_wifidog_auth(file))
    assert [one.name for one in read if isinstance(one, OldUser)] == [
        "anna",
        "jörg",
        "locked",
        "o'brien \\",
        "nameless@example.org",
        "denied",
    ]
    assert [(one.gw_id, one.source, one.version) for one in read if isinstance(one, OldNode)] == [
        ("cafe-rico", "203.0.113.7", "WiFiDog 1.1.5"),
        ("0016B6DA1F6E", "203.0.113.8", "WiFiDog 1.1.3_beta6"),
    ]
    lines = DUMP.read_text("utf-8").splitlines()
    left_out = [one for one in read if isinstance(one, LeftOut)]
    assert len(left_out) == 10
    assert all(
        one.what.partition(" ")[2].split("\t")[0] in lines[one.line - 1] for one in left_out if "brien" not in one.what
    )


def test_a_user_becomes_an_account() -> None:
    """With the name as it is stored here, and the time of a server that had no time zone."""
    registered = datetime(2006, 2, 3, 4, 5, 6, 780000, tzinfo=UTC)
    [user] = users(f" Jo\u0308rg ,{md5('x')},Joerg@Example.ORG,1,2006-02-03 04:05:06.78")
    assert user == OldUser(2, "jörg", "joerg@example.org", md5("x"), True, False, registered)


@pytest.mark.parametrize(
    ("status", "validated", "disabled"),
    [
        ("1", True, False),
        ("5", False, False),
        ("6", False, False),
        ("0", True, True),
        ("-1", True, True),
        ("254", True, True),
        ("\\N", True, True),
        ("77", True, True),
    ],
)
def test_what_the_old_server_refused_is_disabled(status: str, validated: bool, disabled: bool) -> None:
    """Statuses as in its include/common.php; whoever was about to validate may go on."""
    [user] = users(f"anna,{md5('x')},,{status},soon")
    assert isinstance(user, OldUser)
    assert (user.validated, user.disabled, user.registered_at) == (validated, disabled, None)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("anna,,a@example.org,1,", "no password"),
        ("anna,not-base64,a@example.org,1,", "no password"),
        (f"anna,{base64.b64encode(b'short').decode()},,1,", "no password"),
        (f"anna,{md5('')},,1,", "everybody knows"),
        (f"ADMIN,{md5('admin')},,1,", "everybody knows"),
        (f"SPLASH_ONLY_USER,{md5('')},,1,", "all guests"),
        (f"SPLASH_ONLY_USER,{md5('x')},,1,", "all guests"),
        (f"\\N,{md5('x')},,1,", "no name"),
        (f"{'x' * 101},{md5('x')},,1,", "no name"),
        (f"a\\tb,{md5('x')},,1,", "no name"),
    ],
)
def test_accounts_that_nobody_or_everybody_could_use_are_left_out(line: str, why: str) -> None:
    """An empty password, or one that is printed in the manual, must not open this server."""
    [left_out] = users(line)
    assert isinstance(left_out, LeftOut)
    assert why in left_out.why


@pytest.mark.parametrize(
    "email", ["", "none", "a b@example.org", "jörg@example.org", "a@b@c", "x" * 254 + "@example.org", "a;b@c.example"]
)
def test_what_is_no_address_is_none(email: str) -> None:
    """The account comes without."""
    [user] = users(f"anna,{md5('x')},{email},1,")
    assert isinstance(user, OldUser)
    assert user.email is None


def test_names_and_addresses_are_given_once() -> None:
    """The old server told users of different networks, and cases, apart."""
    first, taken, changed, third = users(
        f"Anna,{md5('x')},a@example.org,1,", f"anna,{md5('y')},,1,", f"bob,{md5('z')},A@example.org,1,"
    )
    assert isinstance(first, OldUser)
    assert (taken, changed) == (
        LeftOut(3, "user anna", "has the same name as one before"),
        LeftOut(4, "user bob", "comes without its address: one before has it too"),
    )
    assert isinstance(third, OldUser)
    assert third.email is None


def test_reading_stops_where_memory_would_not_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so."""
    monkeypatch.setattr(wifidog_auth, "MOST_USERS", 2)
    *taken, end = users(*(f"{name},{md5('x')},,1," for name in ("anna", "bob", "carl", "dora")))
    assert len(taken) == 2
    assert end == LeftOut(4, "everything from here on", "is too much: 2 users are read at a time")


def test_nodes_of_old_schemas_call_themselves_by_their_node_id() -> None:
    """There was no gw_id before schema 50; nobody's User-Agent reaches a terminal raw."""
    assert nodes("lobby,203.0.113.7,Wi\x1bFi") == [OldNode(2, "lobby", "203.0.113.7", "WiFi")]
    [never, bad] = nodes("default,\\N,\\N", "Chez Paul,203.0.113.7,\\N")
    assert isinstance(never, LeftOut)
    assert isinstance(bad, LeftOut)
    assert "never called" in never.why
    assert "GatewayID" in bad.why


def test_tables_that_only_have_the_same_name_are_left_out() -> None:
    """Of another program in the same database."""
    [left_out] = read_wifidog_auth(io.BytesIO(b"COPY users (id, login) FROM stdin;\n1\tanna\n\\.\n"))
    assert left_out == LeftOut(
        2, "user without a name", "is of a table without username: this is no dump of wifidog-auth"
    )


INITIAL = (
    "\\connect wifidog;\nSET client_encoding = 'UNICODE';\n"
    "INSERT INTO token_status (token_status) VALUES ('UNUSED');\n"
    "INSERT INTO venue_types (venue_type) VALUES ('Airline');\n"
    "INSERT INTO node_deployment_status (node_deployment_status) VALUES ('DEPLOYED');\n"
    "INSERT INTO nodes (node_id, name, rss_url) VALUES ('default', 'Unknown node', NULL);\n"
)
"""As C{sql/wifidog-postgres-initial-data.sql} of wifidog-auth begins."""

ADMIN = f"INSERT INTO users (username, pass, account_status) VALUES ('admin', '{md5('admin')}', 1);\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no dump of PostgreSQL in this file"),
        ("\n\n", "no dump of PostgreSQL in this file"),
        ("Dear Anna,\nhere is the file.\n", "no dump of PostgreSQL in this file"),
        ("COPY recipes (name) FROM stdin;\ncake\n\\.\n", "no tables of wifidog-auth"),
        (INITIAL, "that each wifidog-auth begins with, without a user"),
        (INITIAL + ADMIN, "that each wifidog-auth begins with, without a guest"),
    ],
)
def test_a_file_without_users_is_refused_with_what_to_do(text: str, sentence: str) -> None:
    """Nothing to import would look like success."""
    with pytest.raises(ConfigurationError, match=f"{sentence}.*pg_dump --file=old.sql wifidog"):
        list(read_wifidog_auth(io.BytesIO(text.encode())))


def test_an_old_server_without_guests_is_one_all_the_same() -> None:
    """Its dump has the tables in which they would be."""
    schema = "CREATE TABLE connections (\n    conn_id integer\n);\n"
    assert all(isinstance(one, LeftOut) for one in read_wifidog_auth(io.BytesIO((schema + INITIAL + ADMIN).encode())))


def test_a_column_that_is_not_needed_cannot_make_a_user_fail() -> None:
    """An address or a date that cannot be read is left out."""
    head = b"SET client_encoding = 'UTF8';\nCOPY users (username, pass, account_status, email, real_name) FROM stdin;\n"
    row = b"anna\t" + md5("x").encode() + b"\t1\t\xff@example.org\t\xfe\xfd\n\\.\n"
    [anna] = read_wifidog_auth(io.BytesIO(head + row))
    assert isinstance(anna, OldUser)
    assert (anna.name, anna.email) == ("anna", None)
