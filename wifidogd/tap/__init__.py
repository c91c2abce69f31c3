"""
The composition root.

L{service} decides between one process and several workers, L{assembly} makes
what each process consists of, and L{schedule} its timers.
"""

from __future__ import annotations

from wifidogd.settings import Options
from wifidogd.tap.assembly import auth_server, utc_now
from wifidogd.tap.service import makeService

__all__ = ["Options", "auth_server", "makeService", "utc_now"]
