"""What the systemd unit allows wifidogd, as C{systemd-analyze security} counts it."""

from __future__ import annotations

from collections import defaultdict

from tests.support.checkout import ROOT

UNIT = ROOT / "docs" / "wifidogd.service"

SWITCHES = {
    "LockPersonality", "MemoryDenyWriteExecute", "NoNewPrivileges", "PrivateDevices", "PrivateMounts", "PrivateTmp",
    "ProtectClock", "ProtectControlGroups", "ProtectHome", "ProtectHostname", "ProtectKernelLogs",
    "ProtectKernelModules", "ProtectKernelTunables", "RemoveIPC", "RestrictNamespaces", "RestrictRealtime",
    "RestrictSUIDSGID",
}  # fmt: skip
"""All that can be switched off for a server of the network that binds ports below 1024 and runs PostgreSQL."""


def directives() -> dict[str, list[str]]:
    """Read the unit: the values of each directive, in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in UNIT.read_text("utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith(("#", " ")):
            found[name].append(value)
    return found


def test_the_unit_switches_off_what_a_server_does_not_need() -> None:
    """Together they make an exposure of 1.5 with systemd 252; 9.6 is that of a unit without any."""
    unit = directives()
    assert {name for name in SWITCHES if unit[name] != ["yes"]} == set()
    assert unit["ProtectSystem"] == ["strict"]
    assert (unit["ProtectProc"], unit["ProcSubset"]) == (["invisible"], ["pid"])
    assert unit["RestrictAddressFamilies"] == ["AF_UNIX AF_INET AF_INET6 AF_NETLINK"]
    assert unit["SystemCallFilter"] == ["@system-service", "~@privileged @resources"]
    assert unit["SystemCallArchitectures"] == ["native"]


def test_the_unit_is_nobody_and_may_bind_ports_below_1024_and_nothing_else() -> None:
    """By a capability, so that no process of it is ever root."""
    unit = directives()
    assert unit["User"] == unit["Group"] == ["wifidogd"]
    assert unit["CapabilityBoundingSet"] == unit["AmbientCapabilities"] == ["CAP_NET_BIND_SERVICE"]


def test_the_unit_writes_nothing_that_others_may_read_nor_memory_to_the_disk() -> None:
    """Files are its own, and a crash leaves no core."""
    unit = directives()
    assert (unit["UMask"], unit["StateDirectoryMode"], unit["LimitCORE"]) == (["0077"], ["0700"], ["0"])


def test_the_unit_has_no_password_on_a_command_line_or_in_itself() -> None:
    """Everybody may read both: a DSN is in a file for root, the password of the mail server a credential."""
    unit = directives()
    assert unit["EnvironmentFile"] == ["-/etc/default/wifidogd"]
    assert "--" not in unit["ExecStart"][0].partition(" wifidogd")[2]
    assert "LoadCredential=mail:" in UNIT.read_text("utf-8")
