"""Configurations are read as the routers read them: by wifidog's rules for files, and by a shell."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.server_address import ServerAddress
from wifidogd.gateways.configurations.format_notes import notes_on, obstacle
from wifidogd.gateways.configurations.router_formats import RouterFormat, configuration, format_of

KEY = "d4mpc0hiu7x1tly1p94wr0pzccm2c3xs"
LOBBY = Gateway("lobby.1:A_b-c", "default", "192.168.7.1", 2061, timedelta(minutes=2))
PLAIN = ServerAddress("http://192.0.2.7:8080", "/wifidog/")
SECURE = ServerAddress("https://wifi.example", "/hot/spot/")

WIFIDOG = {
    "gatewayid",
    "gatewayinterface",
    "gatewayport",
    "checkinterval",
    "authserver",
    "hostname",
    "sslavailable",
    "sslport",
    "httpport",
    "path",
    "pingscriptpathfragment",
    "authscriptpathfragment",
}
"""Keywords of wifidog-gateway 1.3.0 that are used; it ends at any other."""

APFREE = WIFIDOG | {
    "externalinterface",
    "deviceid",
    "clienttimeout",
    "wiredpassed",
    "bypassapplecna",
    "websocket",
    "wsserver",
    "wsserverport",
    "wsserverpath",
    "wsserverssl",
    "gatewaysetting",
    "gatewaychannel",
    "gatewaysubnetv4",
}
"""Those of apfree-wifidog 9.07, which has none of wifidog's HTTPDUserName and FirewallRuleSet."""


def read_file(text: str, keywords: set[str]) -> dict[str, str]:
    """
    Read a file as both programs do: a word, blanks, a value; in blocks up to a line with a brace.

    @return: by keyword in lower case, with that of the block in front.
    """
    found = {}
    block = ""
    for line in text.splitlines():
        if block and "}" in line:
            block = ""
            continue
        line = line.strip().partition("#")[0] if block else line
        if not line:
            continue
        word, _, value = line.partition(" ")
        assert word.lower() in keywords, f"the router ends at {line!r}"
        if value == "{":
            block = word.lower()
            continue
        # Outside of blocks a value ends at the first blank.
        found[f"{block} {word.lower()}".strip()] = value.strip() if block else value.strip().partition(" ")[0]
    assert not block
    return found


def read_uci(text: str) -> dict[str, str]:
    """Read C{uci set} commands as a shell does."""
    commands = [shlex.split(line) for line in text.splitlines()]
    assert all(command[0] in ("uci",) or command[0].startswith("/etc/init.d/") for command in commands)
    settings = [command[2] for command in commands if command[:2] == ["uci", "set"]]
    assert all(len(command) == 3 for command in commands if command[:2] == ["uci", "set"])
    return dict(setting.split("=", 1) for setting in settings)


@pytest.mark.parametrize(("server", "key"), [(PLAIN, None), (PLAIN, KEY), (SECURE, KEY)])
def test_wifidog_reads_where_its_server_is(server: ServerAddress, key: str | None) -> None:
    """Host, port, scheme, path and key arrive as they are."""
    read = read_file(configuration(RouterFormat.WIFIDOG, LOBBY, server, key), WIFIDOG)
    assert (read["gatewayid"], read["gatewayport"], read["checkinterval"]) == ("lobby.1:A_b-c", "2061", "120")
    assert read["authserver hostname"] == server.host
    assert read["authserver path"] == server.path
    assert read.get("authserver sslport" if server.tls else "authserver httpport") == str(server.port)
    assert (read.get("authserver sslavailable") == "yes") is server.tls
    assert read.get("authserver authscriptpathfragment") == (key and f"auth/?k={key}&")
    assert read.get("authserver pingscriptpathfragment") == (key and f"ping/?k={key}&")


@pytest.mark.parametrize(("server", "key"), [(PLAIN, None), (PLAIN, KEY), (SECURE, KEY)])
def test_apfree_reads_a_whole_file(server: ServerAddress, key: str | None) -> None:
    """With its WebSocket, its device, and the subnet that it ends without."""
    read = read_file(configuration(RouterFormat.APFREE, LOBBY, server, key), APFREE)
    assert read["authserver hostname"] == read["websocket wsserver"] == server.host
    assert read["websocket wsserverport"] == str(server.port)
    assert read.get("authserver sslport" if server.tls else "authserver httpport") == str(server.port)
    assert read["websocket wsserverssl"] == str(int(server.tls))
    assert read["websocket wsserverpath"] == ("/ws/wifidogx" if key is None else f"/ws/wifidogx/{key}")
    assert read["authserver path"] == server.path
    assert read.get("authserver authscriptpathfragment") == (key and f"auth/?k={key}&")
    assert read["gatewaysetting gatewayid"] == read["deviceid"] == LOBBY.gw_id
    assert read["gatewaysetting gatewaysubnetv4"] == "192.168.7.1/24"
    assert {"gatewaysetting gatewaychannel", "gatewaysetting gatewayinterface"} <= read.keys()
    assert read["checkinterval"] == "120"


@pytest.mark.parametrize(("seconds", "written"), [(1, "10"), (9, "10"), (10, "10"), (11, "11"), (60, "60")])
def test_apfree_is_never_asked_to_report_more_often_than_it_can(seconds: int, written: str) -> None:
    """It would take itself for offline; the operator learns that the server should know."""
    gateway = replace(LOBBY, interval=timedelta(seconds=seconds))
    assert read_file(configuration(RouterFormat.APFREE, gateway, SECURE, None), APFREE)["checkinterval"] == written
    uci = read_uci(configuration(RouterFormat.APFREE_UCI, gateway, SECURE, None))
    assert uci["wifidogx.common.check_interval"] == written
    said = " ".join(notes_on(RouterFormat.APFREE, gateway, SECURE, has_key=False))
    assert (f"gateway adopt {gateway.gw_id} --interval 10" in said) is (seconds < 10)


def test_a_device_keeps_the_name_that_it_has() -> None:
    """What it pings as must stay what it is known by."""
    gateway = replace(LOBBY, device_ids=("AW177", "older"))
    assert read_file(configuration(RouterFormat.APFREE, gateway, PLAIN, KEY), APFREE)["deviceid"] == "AW177"


@pytest.mark.parametrize(("server", "mode"), [(SECURE, "wss"), (PLAIN, "ws")])
def test_uci_for_apfree_names_what_its_start_script_reads(server: ServerAddress, mode: str) -> None:
    """Without a key, for which there is no place."""
    read = read_uci(configuration(RouterFormat.APFREE_UCI, LOBBY, server, None))
    assert read["wifidogx.common"] == "wifidogx"
    assert read["wifidogx.wifidogd"] == "gateway"
    common = {name.removeprefix("wifidogx.common."): value for name, value in read.items()}
    assert (common["auth_server_hostname"], common["auth_server_port"]) == (server.host, str(server.port))
    assert (common["auth_server_path"], common["long_conn_mode"]) == (server.path, mode)
    assert (common["ws_server_hostname"], common["ws_server_port"]) == (server.host, str(server.port))
    assert read["wifidogx.wifidogd.gateway_id"] == LOBBY.gw_id


@pytest.mark.parametrize(
    ("server", "has_key", "said"),
    [
        (SECURE, True, "no place for a key"),
        (ServerAddress("https://wifi.example:8443", "/"), False, "no place for https on port 8443"),
        (SECURE, False, None),
        (PLAIN, False, None),
    ],
)
def test_what_uci_cannot_say_is_refused(server: ServerAddress, has_key: bool, said: str | None) -> None:
    """A key in Path would be shown to every guest; port 443 alone means TLS."""
    found = obstacle(RouterFormat.APFREE_UCI, server, has_key=has_key)
    assert found is None if said is None else found is not None and said in found
    assert obstacle(RouterFormat.APFREE, server, has_key=has_key) is None


@pytest.mark.parametrize(("server", "key"), [(PLAIN, None), (PLAIN, KEY), (SECURE, KEY)])
def test_wifidog_ng_calls_what_this_server_answers(server: ServerAddress, key: str | None) -> None:
    """It puts scheme, host, port, path and the path of each page together (C{config.lua})."""
    read = read_uci(configuration(RouterFormat.WIFIDOG_NG, LOBBY, server, key))
    server_of = {name.removeprefix("wifidog-ng.@server[0]."): value for name, value in read.items()}
    port = "" if server_of["port"] in ("80", "443") else f":{server_of['port']}"
    scheme = "https" if server_of["ssl"] == "1" else "http"
    base = f"{scheme}://{server_of['host']}{port}{server_of['path']}"
    assert base == server.pages
    suffix = "" if key is None else f"/{key}"
    assert (server_of["auth_path"], server_of["ping_path"]) == (f"auth{suffix}", f"ping{suffix}")
    assert (server_of["login_path"], server_of["portal_path"], server_of["msg_path"]) == (
        "login",
        "portal",
        "gw_message.php",
    )
    assert read["wifidog-ng.@gateway[0].id"] == LOBBY.gw_id
    assert read["wifidog-ng.@gateway[0].enabled"] == "1"


@pytest.fixture
def openwrt(tmp_path: Path) -> Path:
    """A directory with what the commands call on OpenWrt."""
    for name, script in (("uci", 'test "$3" = network.lan.device && echo br-guest'), ("service", "true")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("key", [None, KEY])
def test_the_commands_for_openwrt_write_its_file(openwrt: Path, key: str | None) -> None:
    """A shell runs them: the ampersands of the fragments, and whatever else is in the file, arrive."""
    text = configuration(RouterFormat.OPENWRT, LOBBY, SECURE, key)
    text = text.replace("/etc/init.d/wifidog", str(openwrt / "service"))
    text = text.replace("/etc/wifidog.conf", str(openwrt / "wifidog.conf"))
    subprocess.run(
        ["sh", "-eu"], input=text, text=True, check=True, timeout=30, env={"PATH": f"{openwrt}:/usr/bin:/bin"}
    )
    read = read_file((openwrt / "wifidog.conf").read_text(), WIFIDOG)
    assert read["gatewayinterface"] == "br-guest"
    assert read.get("authserver authscriptpathfragment") == (key and f"auth/?k={key}&")
    assert (openwrt / "wifidog.conf").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("router_format", [each for each in RouterFormat if each is not RouterFormat.APFREE_UCI])
def test_a_key_stands_only_where_guests_never_see_it(router_format: RouterFormat) -> None:
    """In the paths of ping and auth; Path, login, portal and messages are in their redirects."""
    lines = [line for line in configuration(router_format, LOBBY, SECURE, KEY).splitlines() if KEY in line]
    assert len(lines) == (3 if router_format is RouterFormat.APFREE else 2)
    assert all(any(word in line.lower() for word in ("ping", "auth", "wsserverpath")) for line in lines)
    assert not any("login" in line or "portal" in line or " Path " in line for line in lines)


def test_what_a_family_cannot_do_is_said() -> None:
    """Where no key goes, where the scheme is wrong, and who reports nothing."""
    apfree = " ".join(notes_on(RouterFormat.APFREE, LOBBY, PLAIN, has_key=True))
    assert "cannot with /roam" in apfree
    assert "https://192.0.2.7:8080/" in apfree
    assert "https://" not in " ".join(notes_on(RouterFormat.APFREE, LOBBY, SECURE, has_key=True))
    at_80 = " ".join(notes_on(RouterFormat.APFREE, LOBBY, replace(PLAIN, url="http://wifi.example"), has_key=True))
    assert "https://wifi.example/ although" in at_80
    assert "--https" in at_80
    assert "--https" not in apfree
    assert "/roam" not in " ".join(notes_on(RouterFormat.APFREE, LOBBY, SECURE, has_key=False))
    assert "sends no counters" in " ".join(notes_on(RouterFormat.WIFIDOG_NG, LOBBY, SECURE, has_key=True))
    assert "wifidog-tls" in " ".join(notes_on(RouterFormat.OPENWRT, LOBBY, SECURE, has_key=True))
    assert "HTTPDUserName" in " ".join(notes_on(RouterFormat.WIFIDOG, LOBBY, PLAIN, has_key=True))
    assert "HTTPDUserName" not in apfree  # apfree-wifidog ends at a keyword that it does not know.


@pytest.mark.parametrize(
    ("user_agent", "router_format"),
    [
        ("WiFiDog 1.3.0", RouterFormat.WIFIDOG),
        ("ApFree-WiFiDog", RouterFormat.APFREE),
        ("ApFree WiFiDog", RouterFormat.APFREE),
        ("LuaSocket 3.0.0", RouterFormat.WIFIDOG_NG),
        ("", RouterFormat.WIFIDOG),
        (None, RouterFormat.WIFIDOG),
    ],
)
def test_the_format_follows_from_what_has_called(user_agent: str | None, router_format: RouterFormat) -> None:
    """Nobody needs to say it who adopts a router that has called."""
    assert format_of(user_agent) is router_format


def test_the_networks_of_one_device_share_a_file() -> None:
    """Each has its block; the device has one name."""
    bar = replace(LOBBY, gw_id="bar", address="192.168.8.1")
    text = configuration(RouterFormat.APFREE, replace(LOBBY, device_ids=("box",)), SECURE, KEY, others=[bar])
    assert text.count("GatewaySetting {") == 2
    assert "    GatewayID bar\n    GatewaySubnetV4 192.168.8.1/24\n}" in text
    assert text.count("DeviceID") == 1
