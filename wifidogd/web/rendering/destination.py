"""The page that a guest wanted before the gateway caught them, where it may be offered as a link."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

MAX_LENGTH = 1000

PROBE_HOSTS = frozenset(
    {
        "captive.apple.com",
        "captive.g.aaplimg.com",
        "clients3.google.com",
        "conn1.oppomobile.com",
        "connect.rom.miui.com",
        "connectivity-check.ubuntu.com",
        "connectivitycheck.android.com",
        "connectivitycheck.gstatic.com",
        "connectivitycheck.platform.hicloud.com",
        "detectportal.brave-http-only.com",
        "detectportal.firefox.com",
        "dns.msftncsi.com",
        "ipv6.msftconnecttest.com",
        "ipv6.msftncsi.com",
        "network-test.debian.org",
        "networkcheck.kde.org",
        "nmcheck.gnome.org",
        "ping.archlinux.org",
        "www.airport.us",
        "www.appleiphonecell.com",
        "www.ibook.info",
        "www.itools.info",
        "www.msftconnecttest.com",
        "www.msftncsi.com",
        "www.thinkdifferent.us",
    }
)
"""Where operating systems and browsers check whether they are online; nobody wants to go there."""

PROBE_PATHS = frozenset(
    {
        "/canonical.html",
        "/check_network_status.txt",
        "/connecttest.txt",
        "/gen_204",
        "/generate_204",
        "/hotspot-detect.html",
        "/library/test/success.html",
        "/mobile/status.php",
        "/ncsi.txt",
        "/static/hotspot.txt",
        "/success.txt",
    }
)
"""Paths of such probes, which also occur on hosts that serve real pages, such as www.google.com."""

_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f\\]")


def wanted_page(url: str, not_wanted: Collection[str]) -> str | None:
    """
    Return an address that a guest may want to continue to.

    @param not_wanted: hosts, lower-case, that make no sense there: this server and the gateway.
    @return: None for anything but http and https to a host without credentials, for an operating system's probe,
        and for more than L{MAX_LENGTH} characters.
    """
    if len(url) > MAX_LENGTH or _UNPRINTABLE.search(url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    return None if host in not_wanted or _is_probe(parts, host) else url


def host_of(url: str) -> str:
    """Return the host of a page of L{wanted_page}, for people to read."""
    return urlsplit(url).hostname or ""


def _is_probe(parts: SplitResult, host: str) -> bool:
    return host.rstrip(".") in PROBE_HOSTS or parts.path in PROBE_PATHS
