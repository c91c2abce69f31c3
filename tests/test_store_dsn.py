"""What becomes of an operator's DSN."""

from __future__ import annotations

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from tests.deadline import within
from wifidogd.errors import ConfigurationError
from wifidogd.store.dsn import session_parameters, with_addresses

BOOK = {
    "db": [IPv4Address("TCP", "192.0.2.1", 0)],
    "twin": [IPv6Address("TCP", "2001:db8::2", 0), IPv4Address("TCP", "192.0.2.2", 0)],
    "nobody": [],
}


@implementer(IHostnameResolver)
class AddressBook:
    """Resolves from L{BOOK}, later or at once."""

    def resolveHostName(self, receiver: IResolutionReceiver, hostName: str, *rest: object) -> IHostResolution:
        """Answer at once."""
        for address in BOOK[hostName]:
            receiver.addressResolved(address)
            receiver.addressResolved(address)
        receiver.resolutionComplete()
        return receiver


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
    ("given", "resolved"),
    [
        ({}, {}),
        ({"host": "/run/postgresql"}, {"host": "/run/postgresql"}),
        ({"host": "@abstract,/run"}, {"host": "@abstract,/run"}),
        ({"host": "db", "hostaddr": "192.0.2.9"}, {"host": "db", "hostaddr": "192.0.2.9"}),
        ({"host": "192.0.2.7"}, {"host": "192.0.2.7", "hostaddr": "192.0.2.7", "port": ""}),
        ({"host": "::1", "port": "6"}, {"host": "::1", "hostaddr": "::1", "port": "6"}),
        ({"host": "db", "port": "5"}, {"host": "db", "hostaddr": "192.0.2.1", "port": "5"}),
        (
            {"host": "twin", "port": "5"},
            {"host": "twin,twin", "hostaddr": "2001:db8::2,192.0.2.2", "port": "5,5"},
        ),
        (
            {"host": "/run,nobody,db", "port": "5,6,7"},
            {"host": "/run,db", "hostaddr": ",192.0.2.1", "port": "5,7"},
        ),
    ],
)
@ensureDeferred
async def test_names_become_addresses(given, resolved):
    """libpq resolves what has no hostaddr itself, and blocks."""
    assert await within(1, with_addresses(given, AddressBook())) == resolved


@ensureDeferred
async def test_a_name_without_an_address_is_an_error():
    """It must not fall through to libpq."""
    with pytest.raises(DNSLookupError, match="nobody"):
        await within(1, with_addresses({"host": "nobody"}, AddressBook()))


@ensureDeferred
async def test_the_reactors_resolver_knows_localhost():
    """The real one, in its thread."""
    parameters = await within(10, with_addresses({"host": "localhost"}, reactor.nameResolver))
    assert "127.0.0.1" in parameters["hostaddr"].split(",")
