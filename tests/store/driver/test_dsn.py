"""What becomes of an operator's DSN."""

from __future__ import annotations

import re

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.error import DNSLookupError

from tests.support.deadline import within
from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.driver.dsn import hosts, session_parameters

BOOK = {"db": ["192.0.2.1"], "twin": ["2001:db8::2", "192.0.2.2"]}


async def look_up(host):
    """Know a few names, and every address."""
    return [host] if host in ("192.0.2.7", "::1") else BOOK.get(host, [])


@pytest.mark.parametrize(
    "dsn",
    ["host=db dbname=guests options='-c lock_timeout=9s'", "postgresql://db/guests?options=-c%20lock_timeout%3D9s"],
)
def test_the_operators_own_settings_win(dsn):
    """Ours come first on the command line of the session, so theirs are the last word."""
    parameters = session_parameters(dsn)
    assert parameters["dbname"] == "guests"
    assert parameters["options"].startswith("-c statement_timeout=30s -c lock_timeout=5s ")
    assert parameters["options"].endswith(" -c lock_timeout=9s")


def test_parameters_of_libpq_win_too():
    """A default is for what nobody said."""
    parameters = session_parameters("host=db tcp_user_timeout=1 keepalives_idle=600")
    assert (parameters["tcp_user_timeout"], parameters["keepalives_idle"]) == ("1", "600")
    assert parameters["keepalives"] == "1"


@pytest.mark.parametrize("dsn", ["=secret", "postgresql://[::1/", "no_such_option=1"])
def test_an_unreadable_dsn_says_what_to_write_and_no_password(dsn):
    """What libpq says may quote the DSN, and this goes to the log."""
    with pytest.raises(ConfigurationError, match="write it like postgresql://") as caught:
        session_parameters(dsn)
    assert dsn not in str(caught.value)


@pytest.mark.parametrize(
    ("dsn", "found"),
    [
        ("", [("", "", "")]),
        ("host=/run/postgresql", [("/run/postgresql", "", "")]),
        ("host=@abstract,/run", [("@abstract", "", ""), ("/run", "", "")]),
        ("host=db hostaddr=192.0.2.9", [("db", "192.0.2.9", "")]),
        ("hostaddr=192.0.2.9,192.0.2.8", [("", "192.0.2.9", ""), ("", "192.0.2.8", "")]),
        ("host=192.0.2.7", [("192.0.2.7", "192.0.2.7", "")]),
        ("host=::1 port=6", [("::1", "::1", "6")]),
        ("host=db port=5", [("db", "192.0.2.1", "5")]),
        ("host=twin port=5", [("twin", "2001:db8::2", "5"), ("twin", "192.0.2.2", "5")]),
        ("host=/run,nobody,db port=5,6,7", [("/run", "", "5"), ("db", "192.0.2.1", "7")]),
        (
            "postgresql://db:5,twin/guests",
            [("db", "192.0.2.1", "5"), ("twin", "2001:db8::2", ""), ("twin", "192.0.2.2", "")],
        ),
    ],
)
@ensureDeferred
async def test_each_address_of_each_host_is_listed_on_its_own(dsn, found):
    """In the order of the DSN; libpq resolves what has no hostaddr itself, and blocks."""
    parameters = session_parameters(dsn, {})
    listed = await within(1, hosts(parameters, look_up))
    assert [(host["host"], host["hostaddr"], host["port"]) for host in listed] == found
    assert all({**parameters, **host} == host for host in listed)


@pytest.mark.parametrize("dsn", ["host=a,b port=1,2,3", "host=a,b,c hostaddr=192.0.2.1,192.0.2.2", "port=1,2"])
def test_lists_that_do_not_fit_are_refused_at_the_start(dsn):
    """libpq would say so at each attempt to connect."""
    with pytest.raises(ConfigurationError, match="one for each host"):
        session_parameters(dsn, {})


def test_a_server_that_can_be_written_to_is_asked_for_unless_the_operator_says_any():
    """There is nothing that we could do on a standby."""
    assert session_parameters("host=a,b")["target_session_attrs"] == "read-write"
    assert session_parameters("host=a,b target_session_attrs=any")["target_session_attrs"] == "any"


@pytest.mark.parametrize("wanted", ["read-only", "standby", "prefer-standby"])
def test_a_dsn_that_asks_for_a_standby_is_refused(wanted):
    """It would connect, and fail at the first guest."""
    with pytest.raises(ConfigurationError, match="write read-write"):
        session_parameters(f"host=a,b target_session_attrs={wanted}")


@ensureDeferred
async def test_a_name_without_an_address_is_an_error():
    """It must not fall through to libpq."""
    with pytest.raises(DNSLookupError, match="nobody"):
        await within(1, hosts(session_parameters("host=nobody", {}), look_up))


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:se@cret@db.example/wifidogd",
        "postgresql://me:se/cret@db.example/wifidogd",
        "postgresql://me:12/cret@db.example/wifidogd",
        "postgresql://me:se?x@cret@db.example/wifidogd",
        "postgres://me:a@se/c#ret@db.example",
        "postgresql://me:se@cret#1@db.example:5432/wifidogd",
    ],
)
def test_a_password_that_must_be_escaped_is_not_taken_for_a_host(dsn):
    """Hosts are logged when they cannot be found, and passwords never."""
    with pytest.raises(ConfigurationError, match="write %40 for @, %2F for /") as refused:
        session_parameters(dsn, {})
    assert not {"se", "cret", "12", "ret"} & set(re.split("[^a-z0-9]+", str(refused.value)))
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("dsn", "password"),
    [
        ("postgresql://me:se%40c%2Fret@db.example/wifidogd", "se@c/ret"),
        ("postgresql://me:s#ecret@db.example/wifidogd", "s#ecret"),
        ("postgresql://me:s%23%3F%25@db.example/wifidogd", "s#?%"),
        ("postgresql:///wifidogd?host=@abstract", None),
        ("host=db.example password='se@c/ret #'", "se@c/ret #"),
    ],
)
def test_one_that_is_escaped_is_read(dsn, password):
    assert session_parameters(dsn, {}).get("password") == password
