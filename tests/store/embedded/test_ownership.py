"""A data directory that root hands over to the user whom twistd becomes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wifidogd.domain.errors import ConfigurationError
from wifidogd.store.embedded.ownership import Owner, hand_over, owner_of

NOBODY, OTHER = 65534, 12345
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="nobody else hands anything over")


@pytest.fixture
def owner() -> Owner:
    """The user whom root becomes."""
    return owner_of(NOBODY, None)


def uid_of(path: Path) -> int:
    """Return whose a file is, and not what it leads to."""
    return path.lstat().st_uid


def test_one_that_does_not_exist_is_made(scratch: Path, owner: Owner) -> None:
    """With its parents, which stay root's."""
    hand_over(scratch / "lib" / "wifidogd", owner)
    assert (uid_of(scratch / "lib"), uid_of(scratch / "lib" / "wifidogd")) == (0, NOBODY)


def test_what_an_earlier_start_as_root_left_goes_along(scratch: Path, owner: Owner) -> None:
    """Else the advice not to run as root could not be followed; links are given, not what they lead to."""
    data_dir, outside = scratch / "data", scratch / "outside"
    outside.touch()
    (data_dir / "binaries-15" / "bin").mkdir(parents=True)
    for name in ("lock", "binaries-15/bin/postgres"):
        (data_dir / name).touch()
    (data_dir / "link").symlink_to(outside)
    (data_dir / "postgresql").mkdir(mode=0o700)
    os.chown(data_dir / "postgresql", NOBODY, NOBODY)
    hand_over(data_dir, owner)
    assert {uid_of(each) for each in (data_dir, *data_dir.rglob("*"))} == {NOBODY}
    assert uid_of(outside) == 0


def test_the_database_of_a_third_user_stays_theirs(scratch: Path, owner: Owner) -> None:
    """The operator reads whom to become."""
    (scratch / "postgresql").mkdir()
    os.chown(scratch / "postgresql", OTHER, OTHER)
    with pytest.raises(
        ConfigurationError, match=rf"belongs to {OTHER}: use twistd --uid {OTHER}, or give it to nobody"
    ):
        hand_over(scratch, owner)
    assert uid_of(scratch) == 0


def test_a_directory_that_is_not_roots_is_left_as_it_is(scratch: Path, owner: Owner) -> None:
    """Its owner could have put anything there."""
    (scratch / "file").touch()
    os.chown(scratch, OTHER, OTHER)
    hand_over(scratch, owner)
    assert (uid_of(scratch), uid_of(scratch / "file")) == (OTHER, 0)
