"""What a DSN leaves open, libpq takes from its surroundings; so do we, before libpq can block on a name."""

from __future__ import annotations

import pytest

from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.driver.dsn import session_parameters
from wifidogd.store.driver.libpq_environment import whereabouts

SERVICES = """
# of the test
[other]
host=other.example
[hotel]
 host=a.example,b.example
#port=1
port=6432
port=7
dbname=guests

[hotel]
host=again.example
"""


@pytest.fixture
def users_file(tmp_path):
    """A service file, and the environment that names it."""
    file = tmp_path / "services"
    file.write_text(SERVICES)
    return {"PGSERVICEFILE": str(file), "PGSYSCONFDIR": str(tmp_path)}


@pytest.mark.parametrize(
    ("given", "environment", "found"),
    [
        ({}, {}, {}),
        ({}, {"PGHOST": "db", "PGPORT": "5433"}, {"host": "db", "port": "5433"}),
        ({"host": "mine"}, {"PGHOST": "db", "PGHOSTADDR": "192.0.2.1"}, {"hostaddr": "192.0.2.1"}),
        ({"host": ""}, {"PGHOST": "db"}, {}),
    ],
)
def test_variables_say_what_the_dsn_does_not(given, environment, found):
    """Each parameter by itself, as in libpq."""
    assert whereabouts(given, environment | {"PGSYSCONFDIR": "/nowhere", "HOME": "/nowhere"}) == found


@pytest.mark.parametrize(
    ("given", "variables", "found"),
    [
        ({"service": "hotel"}, {}, {"host": "a.example,b.example", "port": "6432"}),
        ({}, {"PGSERVICE": "hotel"}, {"host": "a.example,b.example", "port": "6432"}),
        ({"service": "other"}, {"PGSERVICE": "hotel"}, {"host": "other.example"}),
        ({"service": "hotel", "host": "mine"}, {"PGPORT": "1"}, {"port": "6432"}),
        ({"service": "other"}, {"PGHOST": "db", "PGPORT": "1"}, {"host": "other.example", "port": "1"}),
        ({"service": "nobody"}, {}, {}),
    ],
)
def test_a_service_is_looked_up_in_its_file(users_file, given, variables, found):
    """Between the DSN and the variables; the first of each counts."""
    assert whereabouts(given, users_file | variables) == found


def test_the_machines_file_is_read_after_the_users(tmp_path):
    """As PostgreSQL's documentation has it."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".pg_service.conf").write_text("[mine]\nhost=mine.example\n")
    (tmp_path / "pg_service.conf").write_text("[mine]\nhost=far.example\n[ours]\nhost=ours.example\n")
    environment = {"HOME": str(tmp_path / "home"), "PGSYSCONFDIR": str(tmp_path)}
    assert whereabouts({"service": "mine"}, environment) == {"host": "mine.example"}
    assert whereabouts({"service": "ours"}, environment) == {"host": "ours.example"}


def test_a_service_file_that_cannot_be_read_says_what_to_do(tmp_path):
    """Here it is a directory."""
    with pytest.raises(ConfigurationError, match="name the host in the DSN"):
        whereabouts({"service": "hotel"}, {"PGSERVICEFILE": str(tmp_path)})


def test_the_parameters_of_a_session_have_it(users_file):
    """So that names are looked up by the reactor."""
    assert session_parameters("service=hotel user=us", users_file)["host"] == "a.example,b.example"
