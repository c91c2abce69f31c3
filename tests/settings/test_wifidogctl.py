"""The command that the log and wifidogctl tell the operator to type."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from wifidogd.settings import ctl_command, default_data_dir

HERE = Path("/srv/my data")


@pytest.mark.parametrize(
    ("data_dir", "database", "words"),
    [
        (default_data_dir(), None, []),
        (HERE, None, ["--data-dir", "/srv/my data"]),
        (
            HERE,
            "postgresql://wifidogd@db.example/wifidogd",
            ["--database", "postgresql://wifidogd@db.example/wifidogd"],
        ),
        (HERE, "host=db.example passfile=/etc/pgpass", ["--database", "host=db.example passfile=/etc/pgpass"]),
        (HERE, "host=db.example password=hunter2", ["--database", "DSN"]),
        (HERE, "postgresql://wifidogd:hunter2@db.example/wifidogd", ["--database", "DSN"]),
        (HERE, "postgresql://db.example/wifidogd?sslpassword=hunter2", ["--database", "DSN"]),
    ],
)
def test_wifidogctl_is_told_where_the_server_s_data_is(data_dir: Path, database: str | None, words: list[str]) -> None:
    """Ready for a shell, blanks and all; a password is not repeated, as the log has this command."""
    name, *rest = shlex.split(ctl_command(data_dir, database))
    assert Path(name).name == "wifidogctl"
    assert rest == words
