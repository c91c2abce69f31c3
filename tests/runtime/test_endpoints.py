"""What the machine can tell of its own address."""

from __future__ import annotations

import pytest
from twisted.internet.abstract import isIPAddress

from wifidogd.runtime.endpoints import guess_url, with_backlog


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("tcp:8080:interface=192.168.1.2", "http://192.168.1.2:8080"),
        ("tcp:port=8080:interface=192.168.1.2", "http://192.168.1.2:8080"),
        ("tcp:interface=192.168.1.2:port=8080", "http://192.168.1.2:8080"),
        ("tcp:8080:backlog=50:interface=192.168.1.2", "http://192.168.1.2:8080"),
        (r"tcp6:8080:interface=fd00\:\:2", "http://[fd00::2]:8080"),
        ("ssl:8443:interface=192.168.1.2:privateKey=a.pem", "https://192.168.1.2:8443"),
    ],
)
def test_an_endpoint_on_one_interface_is_reached_there(listen: str, url: str) -> None:
    """In whatever order it is written."""
    assert guess_url(listen) == url


@pytest.mark.parametrize("listen", ["tcp:8080", "tcp:8080:interface=0.0.0.0", r"tcp6:8080:interface=\:\:", "tcp6:8080"])
def test_an_endpoint_on_all_interfaces_is_reached_at_the_machine_s_own_address(listen: str) -> None:
    """No gateway can connect to 0.0.0.0."""
    scheme, host, port = guess_url(listen).split(":")
    assert (scheme, port) == ("http", "8080")
    assert isIPAddress(host.removeprefix("//"))
    assert host != "//0.0.0.0"


@pytest.mark.parametrize(
    ("listen", "opened"),
    [
        ("tcp:8080", "tcp:8080:backlog=1024"),
        ("ssl:443:privateKey=a:certKey=b", "ssl:443:privateKey=a:certKey=b:backlog=1024"),
        ("unix:/run/wifidogd", "unix:/run/wifidogd:backlog=1024"),
        ("haproxy:tcp:8080", "haproxy:tcp:8080:backlog=1024"),
        ("tcp:8080:backlog=7", "tcp:8080:backlog=7"),
        ("systemd:domain=INET:index=0", "systemd:domain=INET:index=0"),
    ],
)
def test_the_kernel_may_hold_a_crowd_unless_the_operator_said_how_many(listen, opened):
    """While accepting is paused, clients wait instead of being turned away."""
    assert with_backlog(listen) == opened
