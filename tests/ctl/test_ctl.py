"""wifidogctl as operators and scripts run it: the real command against a real PostgreSQL."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from tests.support.checkout import ROOT
from tests.support.deadline import within
from wifidogd.ctl import main
from wifidogd.domain.tokens import hash_secret
from wifidogd.settings import ctl_command
from wifidogd.store.accounts.accounts import fetch_account
from wifidogd.store.accounts.confirmations import sign_up
from wifidogd.store.driver.database import Cursor, Database
from wifidogd.store.gateways.gateways import fetch_gateways

OPEN_SESSIONS = """
    INSERT INTO sessions (token_hash, gw_id, account_id, mac, opened_at, activated_at, incoming)
    VALUES (sha256('1'), 'lobby', NULL, '00:00:00:00:00:01', now(), now(), 1500000),
           (sha256('2'), 'lobby', NULL, NULL, now(), NULL, 0)
"""

ADOPT = ("gateway", "adopt", "lobby", "--address", "192.168.1.1", "--expect", "--no-key")

WAIT = """
    INSERT INTO waiting_gateways (gw_id, first_seen, last_seen, source, address, port, version)
    VALUES ('attic', now(), now(), '203.0.113.7', '192.168.7.1', 2061, 'WiFiDog 1.3.0'),
           ('evil', now(), now(), '203.0.113.8', '8.8.8.8', 80, E'\\x1b[31mred'),
           ('mute', now(), now(), '203.0.113.9', NULL, NULL, NULL)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The exit code and output of a command."""

    code: int | None
    out: str
    err: str


class Run(ProcessProtocol):
    """One run of the command, fed with all of its standard input at once."""

    def __init__(self, stdin: str) -> None:
        self._stdin = stdin.encode()
        self._out = {1: b"", 2: b""}
        self.ended: Deferred[Outcome] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._stdin)
        self.transport.closeStdin()

    def childDataReceived(self, fd: int, data: bytes) -> None:
        self._out[fd] += data

    def processEnded(self, reason: Failure) -> None:
        assert isinstance(reason.value, ProcessDone | ProcessTerminated)
        self.ended.callback(Outcome(reason.value.exitCode, self._out[1].decode(), self._out[2].decode()))


class Typing(Run):
    """One run of the command at a terminal, where every question gets the next answer."""

    def __init__(self, *answers: str) -> None:
        super().__init__("")
        self._answers = list(answers)

    def connectionMade(self) -> None:
        """Nobody types before being asked: getpass throws that away."""

    def childDataReceived(self, fd: int, data: bytes) -> None:
        super().childDataReceived(fd, data)
        if data.endswith(b": "):
            assert self.transport is not None
            self.transport.write(self._answers.pop(0).encode() + b"\n")


async def wifidogctl(*words: str, stdin: str = "", env: dict[str, str] | None = None) -> Outcome:
    """Run the command to its end."""
    return await finish(Run(stdin), words, env or {})


async def finish(run: Run, words: Sequence[str], env: Mapping[str, str]) -> Outcome:
    """Start the command and wait for it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("WIFIDOGD_")}
    process = reactor.spawnProcess(  # type: ignore[attr-defined]
        run,
        sys.executable,
        [sys.executable, "-m", "wifidogd.ctl", *words],
        env={**own, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "COLUMNS": "80", **env},
        usePTY=isinstance(run, Typing),
    )
    try:
        return await within(30, run.ended)
    finally:
        if process.pid is not None:
            process.signalProcess("KILL")


class Operator:
    """Somebody who runs commands against one database."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def does(self, *words: str, stdin: str = "") -> str:
        """Run a command that works, and read what it prints."""
        outcome = await wifidogctl("--database", self._dsn, *words, stdin=stdin)
        assert outcome.code == 0, outcome.err
        return outcome.out

    async def reads(self, *words: str) -> Any:
        """Run a command that works with C{--json}."""
        return json.loads(await self.does(*words, "--json"))

    async def fails(self, *words: str, code: int, stdin: str = "") -> str:
        """Run a command that does not work, prints no result and no traceback, and read what it says."""
        outcome = await wifidogctl("--database", self._dsn, *words, stdin=stdin)
        assert (outcome.code, outcome.out) == (code, ""), outcome.err
        assert "Traceback" not in outcome.err
        return outcome.err


@pytest.fixture
def operator(dsn: str, database: Database) -> Operator:
    """An operator of a migrated database."""
    return Operator(dsn)


async def execute(database: Database, statement: str) -> None:
    """Set the scene."""
    await within(5, database.transaction(lambda cursor: cursor.execute(statement)))


@ensureDeferred
async def test_a_fresh_installation_shows_itself(operator: Operator) -> None:
    """Every list works when there is nothing to list, and says what to do."""
    assert await operator.reads("gateway", "list") == {"adopted": [], "waiting": []}
    assert "No gateway is adopted" in await operator.does("gateway", "list")
    assert "wifidogctl account add" in await operator.does("account", "list")
    assert await operator.does("session", "list") == "No session is open.\n"
    assert [network["name"] for network in await operator.reads("network", "list")] == ["default"]
    status = await operator.reads("status")
    assert status["database"]["reachable"] is True
    assert status["gateways"] == {"adopted": 0, "silent": 0, "waiting": 0}
    assert "Sessions  0 online, 0 pending" in await operator.does("status")


@ensureDeferred
async def test_a_gateway_is_adopted_changed_and_removed(operator: Operator) -> None:
    """Options that are not given again keep their values."""
    words = ("gateway", "adopt", "lobby")
    said = await operator.does(*ADOPT, "--interval", "30")
    assert said == "Adopted lobby of network default: guests go to http://192.168.1.1:2060/\n"
    said = await operator.does(*words, "--address", "fd00:0::1", "--port", "80")
    assert said == "Changed lobby of network default: guests go to http://[fd00::1]:80/\n"
    (gateway,) = (await operator.reads("gateway", "list"))["adopted"]
    assert gateway.pop("adopted_at").endswith("Z")
    assert gateway == {
        "gw_id": "lobby",
        "network": "default",
        "address": "fd00::1",
        "port": 80,
        "check_interval_seconds": 30,
        "keys": 0,
        "trust_macs": False,
        "device_ids": [],
        "counters": "auto",
        "counters_seen": None,
        "dialect": None,
        "sessions_online": 0,
        "heartbeat": None,
    }
    assert await operator.does("gateway", "remove", "lobby") == "Removed lobby and ended 0 sessions.\n"
    assert "No gateway lobby is adopted" in await operator.fails("gateway", "remove", "lobby", code=1)


@ensureDeferred
async def test_waiting_gateways_come_with_the_command_to_type(
    operator: Operator, database: Database, dsn: str, tmp_path: Path
) -> None:
    """A public address is not repeated as if it could be used, and nothing a stranger says reaches the terminal."""
    await execute(database, WAIT)
    table = await operator.does("gateway", "list")
    assert f"{ctl_command(tmp_path, dsn)} gateway adopt attic --address 192.168.7.1 --port 2061\n" in table
    assert "gateway adopt evil --address ITS-ADDRESS-FOR-GUESTS --port 80\n" in table
    assert "\x1b" not in table
    assert "?[31mred" in table
    assert "http://192.168.7.1:2061/" in await operator.does("gateway", "adopt", "attic")
    for unknown in ("evil", "mute", "never-seen"):
        assert "add --address" in await operator.fails("gateway", "adopt", unknown, "--expect", code=1)
    waiting = (await operator.reads("gateway", "list"))["waiting"]
    assert [one["gw_id"] for one in waiting] == ["evil", "mute"]


WAIT_ON_DEVICE = """
    INSERT INTO waiting_gateways (gw_id, first_seen, last_seen, source, address, port, device_id)
    VALUES ('hall', now(), now(), '203.0.113.7', '10.1.0.1', 2060, 'box'),
           ('pool', now(), now(), '203.0.113.7', '10.2.0.1', 2061, 'box'),
           ('roof', now(), now(), '203.0.113.7', NULL, NULL, 'box'),
           ('elsewhere', now(), now(), '203.0.113.9', '10.3.0.1', 2060, 'other')
"""


@ensureDeferred
async def test_gateways_on_one_device_are_adopted_together_and_have_one_key(
    dsn: str, operator: Operator, database: Database
) -> None:
    """One configuration serves them; one that has named no address yet follows without another key."""
    await execute(database, WAIT_ON_DEVICE)
    assert "Or all 3 gateways on box:\n" in await operator.does("gateway", "list")
    outcome = await wifidogctl("--database", dsn, "gateway", "adopt", "box", "--interval", "30")
    assert outcome.code == 0, outcome.err
    assert "Adopted hall of network default: guests go to http://10.1.0.1:2060/\n" in outcome.out
    assert "Adopted pool of network default: guests go to http://10.2.0.1:2061/\n" in outcome.out
    assert outcome.out.count("auth/?k=") == 1
    assert "roof on box has not said where its guests find it" in outcome.err
    assert (
        "the key of the other gateways on box"
        in (await wifidogctl("--database", dsn, "gateway", "adopt", "roof", "--address", "10.4.0.1")).err
    )
    gateways = await within(10, database.transaction(fetch_gateways))
    assert [(one.gw_id, one.device_ids) for one in gateways] == [(name, ("box",)) for name in ("hall", "pool", "roof")]
    assert len({one.key_hashes for one in gateways}) == 1
    renewed = await operator.does("gateway", "config", "pool", "--new-key")
    new = hash_secret(renewed.partition("auth/?k=")[2].partition("&")[0])
    for gateway in await within(10, database.transaction(fetch_gateways)):
        assert gateway.key_hashes == (new, gateways[0].key_hashes[0])


@pytest.mark.parametrize(("answer", "adopted"), [("y", ["hall", "pool"]), ("n", ["hall"])])
@ensureDeferred
async def test_an_operator_is_asked_once_for_a_device(
    dsn: str, operator: Operator, database: Database, answer: str, adopted: list[str]
) -> None:
    await execute(database, WAIT_ON_DEVICE)
    outcome = await finish(Typing(answer), ("--database", dsn, "gateway", "adopt", "hall"), {})
    assert outcome.code == 0
    assert "On the same router wait pool (10.2.0.1).  Adopt them with hall (y or n): " in outcome.out
    assert [one["gw_id"] for one in (await operator.reads("gateway", "list"))["adopted"]] == adopted


@ensureDeferred
async def test_a_script_adopts_what_it_named_and_is_told_of_the_rest(
    dsn: str, operator: Operator, database: Database
) -> None:
    await execute(database, WAIT_ON_DEVICE)
    outcome = await wifidogctl("--database", dsn, "gateway", "adopt", "hall", "--no-key")
    assert "`wifidogctl gateway adopt box` adopts all" in outcome.err
    assert [one["gw_id"] for one in (await operator.reads("gateway", "list"))["adopted"]] == ["hall"]


@ensureDeferred
async def test_names_that_nobody_can_adopt_or_that_two_use_are_pointed_out(
    dsn: str, operator: Operator, database: Database
) -> None:
    """With what to change; nothing to paste that would not work."""
    await operator.does(*ADOPT)
    await execute(
        database,
        """
        INSERT INTO waiting_gateways (gw_id, first_seen, last_seen, source, shared_at)
        VALUES ('Café #1', now(), now(), '203.0.113.7', NULL), ('default', now(), now(), '203.0.113.8', now());
        INSERT INTO heartbeats (gw_id, seen_at, source, shared_at)
        VALUES ('lobby', now(), '203.0.113.9', now() - interval '59 minutes')
        """,
    )
    outcome = await wifidogctl("--database", dsn, "gateway", "list")
    assert (
        'None can be adopted as "Café #1": change GatewayID in its wifidog.conf, for example to Cafe-1' in outcome.out
    )
    assert "gateway adopt default --address" in outcome.out
    assert "gateway adopt Caf" not in outcome.out
    for name in ("lobby", "default"):
        assert f"Two routers seem to call themselves {name}: give each a GatewayID of its own" in outcome.err
    listed = await operator.reads("gateway", "list")
    assert {one["gw_id"]: one["adoptable"] for one in listed["waiting"]} == {"Café #1": False, "default": True}
    assert listed["adopted"][0]["heartbeat"]["name_shared_at"] is not None
    assert "like Cafe-1" in await operator.fails("gateway", "adopt", "Café #1", code=2)
    assert "has no name" in await operator.fails("gateway", "adopt", "null", code=2)
    adopted = await wifidogctl("--database", dsn, "gateway", "adopt", "default", "--address", "10.0.0.1", "--no-key")
    assert "Two routers seem to call themselves default" in adopted.err
    await execute(database, "UPDATE heartbeats SET shared_at = now() - interval '61 minutes'")
    assert (await wifidogctl("--database", dsn, "gateway", "list")).err == ""


@ensureDeferred
async def test_a_key_is_shown_once_and_kept_as_a_hash(operator: Operator, database: Database) -> None:
    """The last one stays valid beside a new one; the one before does not."""
    words = ("gateway", "adopt", "lobby", "--address", "192.168.1.1", "--expect")
    adopted = await operator.does(*words)
    keys = [adopted.partition("auth/?k=")[2].partition("&")[0]]
    assert f"    PingScriptPathFragment ping/?k={keys[0]}&\n" in adopted
    assert len(keys[0]) == 32
    assert keys[0] not in await operator.does("gateway", "config", "lobby")
    for _ in range(2):
        config = await operator.reads("gateway", "config", "lobby", "--new-key")
        keys.append(config["key"])
    (gateway,) = await within(5, database.transaction(fetch_gateways))
    assert gateway.key_hashes == (hash_secret(keys[2]), hash_secret(keys[1]))
    assert "AuthServer" not in await operator.does(*words)
    assert "has a key" in await operator.fails(*words, "--no-key", code=1)
    assert await within(5, database.transaction(fetch_gateways)) == [gateway]


@ensureDeferred
async def test_a_gateway_without_a_key_is_pointed_out_once(dsn: str, database: Database) -> None:
    """When it is adopted, with the command that makes one; not to scripts, which read standard output."""
    outcome = await wifidogctl("--database", dsn, *ADOPT)
    assert "whoever reaches the server can speak for it" in outcome.err
    assert "`wifidogctl gateway config lobby --new-key`" in outcome.err
    assert "key" not in outcome.out
    assert (await wifidogctl("--database", dsn, *ADOPT)).err == ""
    keyed = await wifidogctl("--database", dsn, "gateway", "config", "lobby", "--new-key")
    assert "Until then the server refuses its reports" in keyed.err
    for option in ((), ("--with-key",)):
        words = ("gateway", "adopt", f"bar{len(option)}", "--address", "192.168.1.1", "--expect", *option)
        outcome = await wifidogctl("--database", dsn, *words)
        assert "has no key" not in outcome.err
        assert "Until then the server refuses its reports" in outcome.err
        assert "auth/?k=" in outcome.out


@ensureDeferred
async def test_a_gateway_that_nobody_has_heard_of_is_not_adopted_by_mistake(dsn: str, operator: Operator) -> None:
    """A script is refused, with the way out; somebody at a terminal is asked."""
    await operator.does("gateway", "adopt", "Lobby-01", *ADOPT[3:])
    words = ("gateway", "adopt", "lobby.O1", "--address", "192.168.1.1", "--no-key")
    told = await operator.fails(*words, code=1)
    assert "No router called lobby.O1 has called this server yet.  Did you mean Lobby-01?" in told
    assert "add --expect" in told
    for answer, code in (("n", 1), ("", 1), ("y", 0)):
        outcome = await finish(Typing(answer), ("--database", dsn, *words), {})
        assert outcome.code == code
        assert "Did you mean Lobby-01?" in outcome.out
    known = [one["gw_id"] for one in (await operator.reads("gateway", "list"))["adopted"]]
    assert known == ["Lobby-01", "lobby.O1"]


@ensureDeferred
async def test_settings_that_are_about_devices_are_doubted_without_a_key(dsn: str, operator: Operator) -> None:
    """Whichever was there first, and whenever gateways are listed, until the operator has decided."""
    await operator.does(*ADOPT)
    await operator.does("plan", "set", "day", "--title", "Day")
    words = ("network", "set", "default", "--remember", "30d", "--remember-mac", "yes", "--plan", "day")
    known = (
        "Network default lets no device come back by its MAC address and gives plan day to each sign-in instead of "
        "each device at lobby, as anybody can report a device where there is no key."
    )
    for doubtful in (words, ("gateway", "list"), ADOPT):
        outcome = await wifidogctl("--database", dsn, *doubtful)
        assert (outcome.code, known in outcome.err) == (0, True)
        assert "`wifidogctl gateway adopt lobby --trust-macs`" in outcome.err
    await operator.does("gateway", "adopt", "lobby", "--trust-macs")
    outcome = await wifidogctl("--database", dsn, "gateway", "list")
    assert ("trusted" in outcome.out, outcome.err) == (True, "")
    await operator.does("gateway", "adopt", "lobby", "--port", "2061")
    assert (await operator.reads("gateway", "list"))["adopted"][0]["trust_macs"] is True
    outcome = await wifidogctl("--database", dsn, "gateway", "adopt", "lobby", "--no-trust-macs")
    assert known in outcome.err


@ensureDeferred
async def test_limits_are_doubted_where_a_router_reports_nobody(
    dsn: str, operator: Operator, database: Database
) -> None:
    """wifidog-ng 2 keeps letting its guests through; without limits that is nobody's disappointment."""
    await operator.does(*ADOPT)
    await execute(database, "UPDATE gateways SET dialect = 'wifidog-ng 2'")
    assert "has limits" not in (await wifidogctl("--database", dsn, "gateway", "list")).err
    known = "Network default has limits that do not reach guests at lobby: wifidog-ng 2 reports nobody"
    for words in (("network", "set", "default", "--quota", "1GB"), ("gateway", "list"), ADOPT):
        assert known in (await wifidogctl("--database", dsn, *words)).err


@ensureDeferred
async def test_the_limits_of_a_plan_are_doubted_where_a_router_reports_nobody(
    dsn: str, operator: Operator, database: Database
) -> None:
    """As soon as guests there may have it: by their network, their account or a voucher."""
    await operator.does(*ADOPT)
    await execute(database, "UPDATE gateways SET dialect = 'wifidog-ng 2'")
    known = "Plan small has limits that do not reach guests at lobby: wifidog-ng 2 reports nobody"
    change = ("plan", "set", "small", "--data", "1GB")
    for words in (
        change,
        ("network", "set", "default", "--plan", "small"),
        ("network", "set", "default", "--plan", "none"),
    ):
        assert known not in (await wifidogctl("--database", dsn, *words)).err
    assert known not in (await wifidogctl("--database", dsn, *change)).err
    voucher = ("voucher", "create", "--plan", "small", "--count", "1")
    assert known in (await wifidogctl("--database", dsn, *voucher)).err
    assert known in (await wifidogctl("--database", dsn, *change)).err
    await operator.does("plan", "set", "small", "--data", "none")
    await execute(database, "DELETE FROM vouchers")
    await operator.does("network", "set", "default", "--plan", "small")
    assert known in (await wifidogctl("--database", dsn, *change)).err


@ensureDeferred
async def test_the_configuration_can_be_pasted_into_a_router(dsn: str, operator: Operator) -> None:
    """Standard output holds nothing else; advice goes to standard error."""
    await operator.does(*ADOPT, "--port", "2061", "--interval", "2m")
    words = ("--database", dsn, "gateway", "config", "lobby", "--server", "https://wifi.example")
    outcome = await wifidogctl(*words)
    assert outcome.out == (
        "GatewayID lobby\n"
        "GatewayPort 2061\n"
        "CheckInterval 120\n"
        "\n"
        "AuthServer {\n"
        "    Hostname wifi.example\n"
        "    SSLAvailable yes\n"
        "    SSLPort 443\n"
        "    Path /wifidog/\n"
        "}\n"
    )
    assert "HTTPDUserName" in outcome.err
    assert "auth-is-down" in outcome.err
    assert "No gateway attic is adopted" in await operator.fails("gateway", "config", "attic", code=1)


@pytest.mark.parametrize(
    ("words", "env", "server"),
    [
        (("--server", "wifi.example"), {}, ("wifi.example", 8080, False, "/wifidog/")),
        (("--server", "wifi.example:81"), {}, ("wifi.example", 81, False, "/wifidog/")),
        (
            ("--server", "10.0.0.1", "--server-port", "80", "--path", "hot/spot"),
            {},
            ("10.0.0.1", 80, False, "/hot/spot/"),
        ),
        ((), {"WIFIDOGD_LISTEN": "ssl:443:interface=10.0.0.2 tcp:80"}, ("10.0.0.2", 443, True, "/wifidog/")),
        (
            (),
            {"WIFIDOGD_PUBLIC_URL": "https://wifi.example:8443", "WIFIDOGD_PATH": "/"},
            ("wifi.example", 8443, True, "/"),
        ),
    ],
)
@ensureDeferred
async def test_the_server_is_described_as_it_was_started(
    dsn: str,
    operator: Operator,
    words: tuple[str, ...],
    env: dict[str, str],
    server: tuple[str, int, bool, str],
) -> None:
    """On the command line, or in the environment that the server reads too."""
    await operator.does(*ADOPT)
    outcome = await wifidogctl("gateway", "config", "lobby", "--json", *words, env={"WIFIDOGD_DATABASE": dsn, **env})
    assert tuple(json.loads(outcome.out)["auth_server"].values()) == server


@ensureDeferred
async def test_a_password_comes_from_standard_input_and_goes_nowhere_else(
    operator: Operator, database: Database
) -> None:
    """The name is stored as guests will be compared, the password as argon2id, and nothing prints it."""
    secret = "correct horse 100%"
    said = await operator.does("account", "add", "Åsa", stdin=f"{secret}\nsecond line\n")
    said += await operator.does("account", "list", "--json")
    said += await operator.fails("account", "add", "åsa", code=1, stdin=f"{secret}\n")
    said += await operator.does("account", "passwd", "ÅSA", stdin=secret)
    said += await operator.fails("account", "passwd", "bob", code=1, stdin=f"{secret}\n")
    assert secret not in said
    account = await within(5, database.transaction(lambda cursor: fetch_account(cursor, "åsa")))
    assert account is not None
    assert account.password_hash.startswith("$argon2id$")


@pytest.mark.parametrize(("again", "code", "says"), [("correct horse", 0, "Added"), ("correct house", 2, "differ")])
@ensureDeferred
async def test_at_a_terminal_a_password_is_typed_twice_and_not_shown(
    dsn: str, operator: Operator, again: str, code: int, says: str
) -> None:
    """Two that differ add no account."""
    outcome = await finish(Typing("correct horse", again), ("--database", dsn, "account", "add", "anna"), {})
    assert outcome.code == code
    assert says in outcome.out
    assert "correct" not in outcome.out
    assert len(await operator.reads("account", "list")) == (1 if code == 0 else 0)


@pytest.mark.parametrize("password", ["", "short", "x" * 1_001])
@ensureDeferred
async def test_impossible_passwords_are_refused_before_anything_happens(operator: Operator, password: str) -> None:
    """Too short or too long is wrong usage."""
    assert "8 to 1000 characters" in await operator.fails("account", "add", "anna", code=2, stdin=password)


@ensureDeferred
async def test_an_account_whose_address_is_not_validated_is_listed_so(operator: Operator, database: Database) -> None:
    """Its guest may be told to look into the mail."""
    now = datetime.now(UTC)
    await within(5, database.transaction(lambda cursor: sign_up(cursor, "zoe@example.org", "$argon2id$", now)))
    assert "unconfirmed" in await operator.does("account", "list")
    [account] = await operator.reads("account", "list")
    assert (account["email"], account["validated_at"]) == ("zoe@example.org", None)


@ensureDeferred
async def test_accounts_are_locked_and_unlocked(operator: Operator) -> None:
    """One can see which is which, and what becomes of open sessions."""
    await operator.does("account", "add", "anna", stdin="long enough")
    assert "wifidogctl session kick --account anna" in await operator.does("account", "disable", "Anna")
    (account,) = await operator.reads("account", "list")
    assert (account["name"], account["disabled"]) == ("anna", True)
    assert "disabled" in await operator.does("account", "list")
    await operator.does("account", "enable", "anna")
    assert (await operator.reads("account", "list"))[0]["disabled"] is False
    for verb in ("disable", "enable"):
        assert "There is no account bob" in await operator.fails("account", verb, "bob", code=1)


@ensureDeferred
async def test_a_network_is_made_and_changed(operator: Operator, tmp_path: Path) -> None:
    """Options that are not given keep their values."""
    terms = tmp_path / "terms.txt"
    terms.write_text("Be nice.\nÄ\n", "utf-8")
    said = await operator.does(
        *("network", "set", "hotel", "--title", "Grand Hôtel", "--sign-in", "account", "--time-limit", "1h30m"),
        *("--quota", "1.5GB", "--stale", "15m", "--terms-file", str(terms), "--retention", "0"),
    )
    assert said.startswith("Made network hotel")
    made = {
        "name": "hotel",
        "title": "Grand Hôtel",
        "sign_in": ["account"],
        "time_limit_seconds": 5_400,
        "quota_octets": 1_500_000_000,
        "stale_after_seconds": 900,
        "plan": None,
        "time_zone": "UTC",
        "sign_up": False,
        "grace_seconds": 1_200,
        "remember_seconds": None,
        "remember_random_seconds": None,
        "remember_mac": False,
        "mail_access_seconds": None,
        "roaming": True,
        "lets_known_through": False,
        "colour": None,
        "logo_octets": None,
        "terms": {"en": "Be nice.\nÄ"},
        "terms_version": 2,
        "retention_seconds": None,
    }
    assert (await operator.reads("network", "list"))[1] == made
    words = ("network", "set", "hotel", "--quota", "none", "--terms-file", "-")
    said = await operator.does(*words, stdin="Be nicer.\n")
    assert said == "Changed network hotel.  0 guests online: sessions keep the limits they began with.\n"
    changed = {**made, "quota_octets": None, "terms": {"en": "Be nicer."}, "terms_version": 3}
    assert (await operator.reads("network", "list"))[1] == changed
    assert "hotel    Grand Hôtel  account  -     1h30m  -      15m    en     always" in await operator.does(
        "network", "list"
    )


@ensureDeferred
async def test_a_gateway_cannot_join_a_network_that_is_not_there(operator: Operator) -> None:
    """The networks there are, and how to make one, are said."""
    words = (*ADOPT, "--network", "hotel")
    assert "(there is default)" in await operator.fails(*words, code=1)
    await operator.does("network", "set", "hotel")
    assert "of network hotel" in await operator.does(*words)


@ensureDeferred
async def test_sessions_are_listed_and_kicked(operator: Operator, database: Database) -> None:
    """Who is online leaves with the gateway's next report, and one is told so."""
    await operator.does(*ADOPT)
    await execute(database, OPEN_SESSIONS)
    pending, online = await operator.reads("session", "list")
    assert (pending["state"], online["state"], online["incoming_octets"]) == ("pending", "online", 1_500_000)
    table = await operator.does("session", "list", "--mac", "00-00-00-00-00-01", "--gateway", "lobby")
    assert "00:00:00:00:00:01  online" in table
    assert "1.5 MB" in table
    said = await operator.does("session", "kick", "--mac", "00:00:00:00:00:01")
    assert said == (
        "1 session at lobby: the guest goes offline when the router next reports the guest, within 60 seconds.\n"
    )
    assert (await operator.reads("session", "list", "--mac", "00:00:00:00:00:01"))[0]["state"] == "ending"
    assert "ended at once" in await operator.does("session", "kick", str(pending["session_id"]))
    assert "No open session" in await operator.fails("session", "kick", str(pending["session_id"]), code=1)
    assert "There is no account bob" in await operator.fails("session", "kick", "--account", "bob", code=1)


@ensureDeferred
async def test_a_cut_list_says_that_it_is(dsn: str, operator: Operator, database: Database) -> None:
    """Standard output stays clean for scripts."""
    await operator.does(*ADOPT)
    await execute(database, OPEN_SESSIONS)
    outcome = await wifidogctl("--database", dsn, "session", "list", "--limit", "1", "--json")
    assert len(json.loads(outcome.out)) == 1
    assert "--limit" in outcome.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "NOUN"),
        (("gateway",), "VERB"),
        (("gateway", "adopt", "two words"), "1 to 64 letters"),
        (("gateway", "adopt", "lobby", "--address", "8.8.8.8"), "no private address"),
        (("gateway", "adopt", "lobby", "--address", "router.lan"), "no private address"),
        (("gateway", "adopt", "lobby", "--address", "fe80::1%eth0"), "no private address"),
        (("gateway", "adopt", "lobby", "--port", "65536"), "from 1 to 65535"),
        (("gateway", "adopt", "lobby", "--interval", "2d"), "a day is the most"),
        (("gateway", "config", "lobby", "--server", "http://wifi.example/path"), "no server"),
        (("gateway", "config", "lobby", "--path", "/a b/"), "--path"),
        (("account", "add", " "), "user name"),
        (("network", "set", "Grand Hotel"), "cannot name a network"),
        (("network", "set", "hotel", "--title", "two\nlines"), "a title is one line"),
        (("network", "set", "hotel", "--sign-in", "magic"), "splash, account or voucher"),
        (("network", "set", "hotel", "--time-limit", "2"), "90s, 10m, 1h30m"),
        (("network", "set", "hotel", "--quota", "much"), "500MB"),
        (("network", "set", "hotel", "--quota", "500"), "write 500MB"),
        (("network", "set", "hotel", "--time-zone", "Louisville"), "America/Kentucky/Louisville or America/Louisville"),
        (("network", "set", "hotel", "--terms-file", "xx=terms.txt"), "'xx' is no language of the pages"),
        (("network", "set", "hotel", "--terms-file", "de-AT=terms.txt"), "'de-AT' is no language of the pages"),
        (("network", "sett", "hotel"), "invalid choice: 'sett'"),
        (("network", "set", "hotel", "--qouta", "1GB"), "--qouta"),
        (("network", "set", "hotel", "--stale", "59s"), "a minute is the least"),
        (("network", "set", "hotel", "--terms-file", "/nowhere/at/all"), "cannot read"),
        (("network", "set", "hotel", "--terms-file", "de=/nowhere/at/all"), "cannot read /nowhere"),
        (("network", "set", "hotel", "--time-zone", "Europe"), "Europe/Berlin"),
        (("network", "set", "hotel", "--time-zone", "Mars/Olympus"), "Europe/Berlin"),
        (("network", "set", "hotel", "--grace", "2d"), "from a minute to a day"),
        (("network", "set", "hotel", "--remember", "2m"), "from 1h to 366d"),
        (("network", "set", "hotel", "--remember-mac", "maybe"), "neither yes nor no"),
        (("network", "set", "hotel", "--colour", "green"), "#0a7f5a"),
        (("network", "set", "hotel", "--logo", __file__), "are the most that fit"),
        (("network", "set", "hotel", "--plan", "Day Pass"), "cannot name a network"),
        (("session", "kick"), "required"),
        (("session", "kick", "1", "--mac", "00:00:00:00:00:01"), "not allowed with"),
        (("session", "list", "--mac", "00:00"), "no MAC address"),
        (("session", "list", "--limit", "0"), "from 1 up"),
    ],
)
def test_wrong_usage_says_what_to_type_instead(
    words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And touches no database."""
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert (err.startswith("wifidogctl"), err.count("\n")) == (True, 1), "one sentence, and what to ask for more"


@ensureDeferred
async def test_what_does_not_exist_is_no_empty_list(operator: Operator) -> None:
    """A typing error in a filter looks like good news otherwise."""
    await operator.does(*ADOPT)
    for words, says in (
        (("session", "list", "--gateway", "loby"), "No gateway loby is adopted"),
        (("session", "list", "--account", "zoe"), "There is no account zoe"),
        (("voucher", "list", "--batch", "may"), "There is no batch may"),
        (("voucher", "export", "--batch", "may"), "There is no batch may"),
        (("voucher", "sheet", "--batch", "may"), "There is no batch may"),
        (("voucher", "revoke", "--batch", "may"), "There is no batch may"),
        (("network", "preview", "lobby"), "There is no network lobby"),
        (("session", "kick", "--account", "zoe"), "There is no account zoe"),
    ):
        assert says in await operator.fails(*words, code=1)
    assert "No session is open" in await operator.does("session", "list", "--gateway", "lobby")


@ensureDeferred
async def test_a_change_says_whom_it_is_for(operator: Operator, database: Database) -> None:
    """How many guests are online under the limits; nothing to set is an error."""
    await operator.does(*ADOPT)
    await operator.does("plan", "set", "day", "--data", "1GB")
    await execute(database, OPEN_SESSIONS)
    await execute(
        database,
        "INSERT INTO allowances (mac, network, plan, claimed_at) VALUES ('02:00:00:00:00:01', 'default', 'day', now())",
    )
    await execute(database, "UPDATE sessions SET allowance_id = (SELECT allowance_id FROM allowances)")
    assert "holds at once for 1 guest online" in await operator.does("plan", "set", "day", "--data", "2GB")
    changed = await operator.does("network", "set", "default", "--quota", "500MB")
    assert changed == "Changed network default.  1 guest online: sessions keep the limits they began with.\n"
    assert await operator.does("network", "set", "default", "--title", "Café") == "Changed network default.\n"
    for noun, name in (("network", "default"), ("plan", "day")):
        assert f"Nothing to set for {noun} {name} was named" in await operator.fails(noun, "set", name, code=1)


@pytest.mark.parametrize(
    ("said", "zone"),
    [("Berlin", "Europe/Berlin"), ("europe/berlin", "Europe/Berlin"), ("new york", "America/New_York"), ("utc", "UTC")],
)
@ensureDeferred
async def test_a_time_zone_is_known_by_its_city(operator: Operator, said: str, zone: str) -> None:
    await operator.does("network", "set", "default", "--time-zone", said)
    [network] = await operator.reads("network", "list")
    assert network["time_zone"] == zone


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("gateway", "adopt", "lobby", "--address", "8.8.8.8"), "no private address"),
        (("--data-dir", __file__, "status"), "not a directory"),
        (("--database", "=", "status"), "cannot be read"),
    ],
)
@ensureDeferred
async def test_wrong_usage_is_an_exit_code_of_its_own(words: tuple[str, ...], says: str) -> None:
    """Whether it shows at once or later."""
    outcome = await wifidogctl(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert says in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("gateway", "--help"),
        ("gateway", "adopt", "--help"),
        ("network", "set", "--help"),
        ("plan", "set", "--help"),
        ("--version",),
    ],
)
def test_help_fits_a_terminal(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """80 columns, on standard output."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert max(map(len, out.splitlines())) <= 80


@ensureDeferred
async def test_a_server_that_does_not_run_is_an_exit_code_of_its_own(tmp_path: Path) -> None:
    """One sentence says how to start it."""
    outcome = await wifidogctl("status", env={"WIFIDOGD_DATA_DIR": str(tmp_path)})
    assert (outcome.code, outcome.out) == (3, "")
    assert f"twistd -n wifidogd --data-dir {tmp_path}" in outcome.err
    assert outcome.err.count("\n") == 1


@ensureDeferred
async def test_a_password_in_the_dsn_is_not_repeated(tmp_path: Path) -> None:
    """Whatever PostgreSQL says about it."""
    outcome = await wifidogctl("--database", f"host={tmp_path} user=x password=hush-hush", "status")
    assert (outcome.code, outcome.out) == (3, "")
    assert "hush" not in outcome.err


@ensureDeferred
async def test_a_database_that_no_server_has_used_is_left_alone(dsn: str) -> None:
    """It may be somebody else's."""
    assert "start the server once" in await Operator(dsn).fails("status", code=1)


@ensureDeferred
async def test_a_database_of_another_version_is_left_alone(operator: Operator, database: Database) -> None:
    """An old command must not write into a newer schema."""

    async def upgrade(cursor: Cursor) -> None:
        await cursor.execute("INSERT INTO schema_versions (number, name) VALUES (9999, 'later')")

    await within(5, database.transaction(upgrade))
    assert "came with the server" in await operator.fails("status", code=1)
