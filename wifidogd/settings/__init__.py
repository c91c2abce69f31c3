"""What the operator has chosen: read from the command line and the environment into one frozen value."""

from __future__ import annotations

from wifidogd.settings.checks import checked_data_dir, checked_endpoint, checked_path, checked_url, checked_workers
from wifidogd.settings.options import DEFAULT_LISTEN, Options
from wifidogd.settings.values import MailSettings, Settings, TlsFiles, default_data_dir
from wifidogd.settings.wifidogctl import ctl_command

__all__ = [
    "DEFAULT_LISTEN",
    "MailSettings",
    "Options",
    "Settings",
    "TlsFiles",
    "checked_data_dir",
    "checked_endpoint",
    "checked_path",
    "checked_url",
    "checked_workers",
    "ctl_command",
    "default_data_dir",
]
