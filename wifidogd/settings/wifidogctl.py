"""How the operator calls wifidogctl for this server."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from wifidogd.settings.values import default_data_dir
from wifidogd.store.driver.dsn import holds_password


def ctl_command(data_dir: Path, database: str | None = None) -> str:
    """
    Return what the operator types to run wifidogctl: its name, or its path where the shell would not find it.

    @param data_dir: is named in the command, unless wifidogctl finds it by itself.
    @param database: the DSN of a database elsewhere; "DSN" stands for one with a password, as the command is logged.
    """
    installed = Path(sys.executable).with_name("wifidogctl")
    try:
        is_there = installed.exists()
    except PermissionError:
        is_there = True  # as far as twistd's --uid lets us see; it came with us
    words = [str(installed) if is_there and shutil.which("wifidogctl") is None else "wifidogctl"]
    if database:
        words += ["--database", "DSN" if holds_password(database) else database]
    elif data_dir != default_data_dir():
        words += ["--data-dir", str(data_dir)]
    return shlex.join(words)
