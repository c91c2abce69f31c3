"""The command line of C{twistd wifidogd}, each option also from the environment."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def default_data_dir() -> Path:
    """
    Choose where the server keeps its private PostgreSQL when nobody said.

    @return: systemd's C{STATE_DIRECTORY} (the first, if several), else
        C{/var/lib/wifidogd} for root, else the user's state directory.
    """
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    if os.geteuid() == 0:
        return Path("/var/lib/wifidogd")
    return Path(platformdirs.user_state_dir("wifidogd"))
