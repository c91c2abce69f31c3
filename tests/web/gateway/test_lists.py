"""Lists of clients over real sockets: what each gateway is answered, and what becomes of its guests' sessions."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.support.deadline import within
from tests.support.running_server import NOON, Answer, RunningServer
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.sessions import Counters
from wifidogd.domain.tokens import hash_secret, mint_token
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.gateways import adopt

GATEWAYS = (
    Gateway("open", "default", "10.11.0.1"),
    Gateway("keyed", "default", "10.12.0.1", key_hashes=(hash_secret("secret"),)),
    Gateway("other", "default", "10.13.0.1", key_hashes=(hash_secret("secret"),)),
    Gateway("swapped", "default", "10.14.0.1", counters=Counters.SWAPPED),
    Gateway("straight", "default", "10.15.0.1", counters=Counters.STRAIGHT),
)
MINUTE = timedelta(minutes=1)
PAST = "SELECT reason, incoming, outgoing FROM past_sessions ORDER BY session_id"
OPEN = "SELECT incoming, outgoing FROM sessions WHERE activated_at IS NOT NULL ORDER BY session_id"


class Router:
    """
    A device with gateways of the server, and the guests who are on its list.

    @ivar key: in the address of each of its requests; empty for none.
    """

    def __init__(self, server: RunningServer, dsn: str) -> None:
        self.server, self.dsn, self.key = server, dsn, ""

    async def sign_in(self, gw_id: str, number: int) -> str:
        """Sign a guest in and report the login; return the token."""
        address = next(gateway.address for gateway in GATEWAYS if gateway.gw_id == gw_id)
        token, mac = mint_token(), f"02:ab:cd:ef:01:{number:02x}"
        self.server.tokens.append(token)
        query = f"gw_id={gw_id}&gw_address={address}&gw_port=2060&mac={mac}&ip=10.11.0.{number}"
        page = await self.server.get(f"/wifidog/login/?{query}")
        state = re.search(r'name="state" value="([^"]+)"', page.text)[1]
        await self.server.post("/wifidog/login", f"state={state}&again=1")
        login = f"stage=login&gw_id={gw_id}&ip=10.11.0.{number}&mac={mac}&token={token}"
        answer = await self.server.get(f"/wifidog/auth/?k=secret&{login}")
        assert answer.text == "Auth: 1\n"
        return token

    async def post(self, query: str, body: bytes) -> Answer:
        """Post a body to C{auth/}."""
        head = f"POST /wifidog/auth/?{self.key}{query} HTTP/1.1\r\nHost: a\r\nUser-Agent: ApFree-WiFiDog\r\n"
        return await self.server.ask(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def report(self, **clients: list[Any]) -> Answer:
        """Send the lists of gateways, a minute after the last."""
        self.server.now += MINUTE
        gateways = [{"gw_id": gw_id, "gw_channel": "c", "clients": listed} for gw_id, listed in clients.items()]
        return await self.post("stage=counters_v2", json.dumps({"device_id": "d1", "gateway": gateways}).encode())

    def rows(self, statement: str) -> list[tuple]:
        """Fetch what a statement finds."""
        with psycopg2.connect(self.dsn) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            found = cursor.fetchall()
        connection.close()
        return found


def client(number: int, token: str, incoming: int = 70, outgoing: int = 500, **changes: Any) -> dict[str, Any]:
    """Return a client as apfree-wifidog 9 lists it."""
    said = {"id": number, "ip": f"10.11.0.{number}", "ip6": "N/A", "mac": f"02:ab:cd:ef:01:{number:02x}"}
    counts = {"incoming_bytes": incoming, "outgoing_bytes": outgoing}
    v6 = {"incoming_bytes_v6": 0, "outgoing_bytes_v6": 0, "is_online": True, "wired": False}
    return said | {"token": token, "name": "N/A"} | counts | v6 | changes


def operations(*pairs: tuple[int, int], gw_id: str = "open") -> bytes:
    """Return the answer of these ids and codes."""
    listed = ",".join(f'{{"id":{number},"auth_code":{code}}}' for number, code in pairs)
    return f'{{"result":[{{"gw_id":"{gw_id}","auth_op":[{listed}]}}]}}'.encode()


async def until(condition: Callable[[], bool]) -> None:
    """Poll until it is so, for 10 seconds."""

    async def poll() -> None:
        while not condition():
            await deferLater(reactor, 0.05)

    await within(10, poll())


@pytest_twisted.async_yield_fixture
async def router(dsn: str, database: Database) -> AsyncIterator[Router]:
    async def furnish(cursor) -> None:
        for gateway in GATEWAYS:
            await adopt(cursor, gateway, NOON)

    await within(5, database.transaction(furnish))
    server = RunningServer(dsn)
    await within(20, server.start())
    yield Router(server, dsn)
    await server.stop()


@pytest_twisted.ensureDeferred
async def test_each_client_gets_its_code_by_the_number_it_was_sent_with(router):
    """One is a guest, one a stranger; the octets are on disk, their directions exchanged."""
    token = await router.sign_in("open", 1)
    answer = await router.report(open=[client(1, token), client(2, "nosuchtoken", id=-(2**63))])
    assert (answer.code, answer.body) == (200, operations((1, 1), (-(2**63), 0)))
    assert answer.headers["content-length"] == str(len(answer.body))
    assert router.rows(OPEN) == [(500, 70)]


@pytest_twisted.ensureDeferred
async def test_the_older_form_is_answered_in_kind(router):
    """Its names are those of the reference gateway."""
    token = await router.sign_in("open", 1)
    listed = client(1, token) | {"incoming": 900, "outgoing": 40}
    for name in [name for name in listed if name.endswith(("bytes", "bytes_v6"))]:
        del listed[name]
    answer = await router.post("stage=counters_v2", json.dumps({"gw_id": "open", "clients": [listed]}).encode())
    assert answer.body == b'{"gw_id":"open","auth_op":[{"id":1,"auth_code":1}]}'
    assert router.rows(OPEN) == [(900, 40)]


@pytest_twisted.ensureDeferred
async def test_wifidog_ng_1_is_told_who_must_go(router):
    """Chunked, with counters of 32 bits printed as signed; the MAC comes back as it was sent."""
    token = await router.sign_in("open", 1)
    listed = [
        {"ip": "10.11.0.1", "mac": "02:AB:CD:EF:01:01", "token": token, "uptime": 3, "incoming": 9, "outgoing": 4},
        {"ip": "10.11.0.2", "mac": "02:AB:CD:EF:01:02", "token": "x", "uptime": 3, "incoming": -5, "outgoing": 4},
        {"ip": "10.11.0.3", "mac": "nonsense", "token": "x"},
    ]
    body = json.dumps({"counters": listed}).encode()
    head = b"POST /wifidog/auth?gw_id=open&stage=counters HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    request = head + b"Transfer-Encoding: chunked\r\n\r\n%X\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    answer = await router.server.ask(request)
    assert answer.body == b'{"resp":[{"mac":"02:AB:CD:EF:01:02","auth":0}]}'
    assert router.rows(OPEN) == [(9, 4)]


@pytest_twisted.ensureDeferred
async def test_wifidog_ng_1_is_told_no_more_than_it_reads(router):
    """The others are reported again in half a minute."""
    listed = [{"mac": f"02:ab:cd:ef:01:{number:02x}", "token": "x"} for number in range(200)]
    answer = await router.post("stage=counters&gw_id=open", json.dumps({"counters": listed}).encode())
    assert 900 < len(answer.body) <= 1024
    assert all(each["auth"] == 0 for each in json.loads(answer.body)["resp"])


@pytest.mark.parametrize("body", [b"", b"[]", b'{"counters":7}', b'{"counters":[]}', b'{"counters":[{"mac":null}]}'])
@pytest_twisted.ensureDeferred
async def test_wifidog_ng_1_hears_nothing_that_changes_anything(router, body):
    """Whatever is wrong."""
    if body.startswith(b"{"):
        answer = await router.post("stage=counters&gw_id=open", body)
        assert answer.body == b'{"resp":[]}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b'{"gateway":7}',
        b'{"gateway":[{"gw_id":"a b","clients":[]}]}',
        b"[" * 60_000,
        b'{"gateway":' * 5_000,
        b'{"gateway":[7,null,{"clients":[]},{"gw_id":7}]}',
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_read_changes_nothing(router, body):
    """The answer says so in the words of the dialect."""
    assert (await router.post("stage=counters_v2", body)).body == b'{"result":[]}'


@pytest.mark.parametrize(
    "broken",
    [
        7,
        None,
        [],
        {},
        {"id": 1},
        {"id": True, "token": "x"},
        {"id": 2**63, "token": "x"},
        {"id": 1.5, "token": "x"},
        {"id": "1", "token": "x"},
        {"id": 9, "token": None},
        {"id": 9, "token": ["x"], "mac": {}, "ip": 7, "incoming_bytes": []},
        {"id": 9, "token": "x" * 1001},
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_malformed_client_costs_the_others_nothing(router, broken):
    """Nobody is kicked for it, and it is left out or left as it is."""
    token = await router.sign_in("open", 1)
    answer = await router.report(open=[broken, client(1, token)])
    codes = {each["id"]: each["auth_code"] for each in json.loads(answer.body)["result"][0]["auth_op"]}
    assert codes.pop(1) == 1 or codes == {}
    assert set(codes.values()) <= {-1}
    assert router.rows(OPEN) == [(500, 70)]


@pytest.mark.parametrize(
    "value", ["-1", "1e999", "NaN", "Infinity", "9" * 5000, "1.5", "true", '"\\ud800"', '"\\u0000"', "[]", str(2**63)]
)
@pytest_twisted.ensureDeferred
async def test_odd_numbers_and_texts_are_no_data(router, value):
    """The guest stays, and so does the neighbour."""
    one, two = await router.sign_in("open", 1), await router.sign_in("open", 2)
    odd = json.dumps(client(1, one)).replace('"incoming_bytes": 70', f'"name": {value}, "incoming_bytes": {value}')
    clients = f"[{odd},{json.dumps(client(2, two))}]"
    answer = await router.post(
        "stage=counters_v2", f'{{"gateway":[{{"gw_id":"open","clients":{clients}}}]}}'.encode("utf-8", "surrogatepass")
    )
    assert answer.body == operations((1, 1), (2, 1))
    assert router.rows(OPEN) == [(0, 0), (500, 70)]


@pytest_twisted.ensureDeferred
async def test_a_name_that_is_not_utf_8_costs_nothing(router):
    """Devices are called anything."""
    token = await router.sign_in("open", 1)
    body = json.dumps({"gateway": [{"gw_id": "open", "clients": [client(1, token)]}]}).encode()
    answer = await router.post("stage=counters_v2", body.replace(b"N/A", b"Zo\xeb \x01\t"))
    assert answer.body == operations((1, 1))


@pytest_twisted.ensureDeferred
async def test_the_first_of_repeated_names_wins(router):
    token = await router.sign_in("open", 1)
    body = json.dumps({"gateway": [{"gw_id": "open", "clients": [client(1, token)]}]})
    answer = await router.post("stage=counters_v2", body.replace('"id": 1', '"id": 1, "id": 2').encode())
    assert answer.body == operations((1, 1))


@pytest_twisted.ensureDeferred
async def test_two_lists_in_a_row_without_a_guest_end_the_session(router):
    """At the last report that there was; one list may have been made before the guest signed in."""
    first, second = await router.sign_in("open", 1), await router.sign_in("open", 2)
    await router.report(open=[client(1, first), client(2, second)])
    await router.report(open=[client(2, second)])
    await until(lambda: router.rows("SELECT count(missed_at) FROM sessions") == [(1,)])
    await router.report(open=[client(2, second)])
    await until(lambda: router.rows(PAST) == [("left the gateway", 500, 70)])
    [(ended_at,)] = router.rows("SELECT ended_at FROM past_sessions")
    assert ended_at == NOON + MINUTE
    assert router.rows(OPEN) == [(500, 70)]
    assert (await router.report(open=[client(1, first)])).body == operations((1, 0))


@pytest_twisted.ensureDeferred
async def test_a_guest_who_is_listed_again_has_not_left(router):
    """A router lists them anew after it has restarted."""
    token = await router.sign_in("keyed", 1)
    router.key = "k=secret&"
    for clients in ([client(1, token)], [], [client(1, token)], [], [client(1, token)]):
        await router.report(keyed=clients)
        missed = 0 if clients else 1
        await until(lambda missed=missed: router.rows("SELECT count(missed_at) FROM sessions") == [(missed,)])
    assert router.rows(PAST) == []


@pytest_twisted.ensureDeferred
async def test_a_report_of_another_kind_shows_that_the_guest_is_there(router):
    """Though no list names them yet."""
    token = await router.sign_in("keyed", 1)
    router.key = "k=secret&"
    await router.report(keyed=[])
    await until(lambda: router.rows("SELECT count(missed_at) FROM sessions") == [(1,)])
    router.server.now += timedelta(seconds=10)
    login = f"stage=login&gw_id=keyed&ip=10.11.0.1&mac=02:ab:cd:ef:01:01&token={token}"
    assert (await router.server.get(f"/wifidog/auth/?k=secret&{login}")).text == "Auth: 1\n"
    await router.report(keyed=[])
    await until(lambda: router.rows(f"SELECT count(*) FROM sessions WHERE missed_at > '{NOON + MINUTE}'") == [(1,)])
    assert router.rows(PAST) == []


@pytest.mark.parametrize("apart", [0, 5, 40])
@pytest_twisted.ensureDeferred
async def test_a_list_that_comes_again_too_soon_is_no_second_one(router, apart):
    """Three quarters of the interval must lie between the two."""
    await router.sign_in("keyed", 1)
    router.key = "k=secret&"
    await router.report(keyed=[])
    await until(lambda: router.rows("SELECT count(missed_at) FROM sessions") == [(1,)])
    router.server.now += timedelta(seconds=apart) - MINUTE
    await router.report(keyed=[])
    await router.server.get("/wifidog/ping/?gw_id=open")
    assert router.rows(PAST) == []


@pytest.mark.parametrize(
    ("key", "clients"),
    [
        ("", []),
        ("k=wrong&", []),
        ("k=secret&", [7]),
        ("k=secret&", [{"id": 3}]),
        ("k=secret&", [{"id": 3, "token": None}]),
        ("k=secret&", None),
    ],
)
@pytest_twisted.ensureDeferred
async def test_only_a_whole_list_of_the_gateway_itself_ends_anything(router, key, clients):
    """Neither a stranger's, nor one that cannot be read to the end."""
    await router.sign_in("keyed", 1)
    router.key = key
    for _ in range(3):
        await router.report(keyed=clients)
    await deferLater(reactor, 0.2)
    assert router.rows("SELECT count(*), count(missed_at) FROM sessions") == [(1, 0)]


@pytest_twisted.ensureDeferred
async def test_without_a_key_a_list_speaks_only_of_those_it_named_before(router):
    """Or anybody could end the sessions of all guests by two empty lists."""
    await router.sign_in("open", 1)
    for _ in range(3):
        await router.report(open=[])
    await deferLater(reactor, 0.2)
    assert router.rows("SELECT count(*), count(missed_at) FROM sessions") == [(1, 0)]


@pytest_twisted.ensureDeferred
async def test_a_client_under_several_gateways_is_settled_once(router):
    """At the gateway of the session; the others do not deny it."""
    token = await router.sign_in("keyed", 1)
    router.key = "k=secret&"
    answer = await router.report(other=[client(1, token)], keyed=[client(1, token)])
    codes = [each["auth_op"] for each in json.loads(answer.body)["result"]]
    assert codes == [[{"id": 1, "auth_code": 1}]] * 2
    assert router.rows(OPEN) == [(500, 70)]


@pytest_twisted.ensureDeferred
async def test_gateways_that_may_not_be_asked_change_nothing(router):
    """A key that is wrong, or a gateway that nobody has adopted: its guests stay as they are."""
    token = await router.sign_in("keyed", 1)
    router.key = "k=wrong&"
    answer = await router.report(keyed=[client(1, token)], nobody=[client(2, "x")])
    assert answer.code == 403
    codes = [each["auth_op"] for each in json.loads(answer.body)["result"]]
    assert codes == [[{"id": 1, "auth_code": -1}], [{"id": 2, "auth_code": -1}]]
    assert router.rows(OPEN) == [(0, 0)]


@pytest_twisted.ensureDeferred
async def test_a_key_may_be_in_the_path(router):
    """As everywhere."""
    token = await router.sign_in("keyed", 1)
    body = json.dumps({"gateway": [{"gw_id": "keyed", "clients": [client(1, token)]}]}).encode()
    head = f"POST /wifidog/auth/secret?stage=counters_v2 HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = await router.server.ask(head.encode() + body)
    assert answer.body == operations((1, 1), gw_id="keyed")


@pytest_twisted.ensureDeferred
async def test_the_setting_of_a_gateway_says_which_direction_is_which(router):
    """Under either name of the counters."""
    one, two = await router.sign_in("straight", 1), await router.sign_in("swapped", 2)
    await router.report(straight=[client(1, one, incoming=900, outgoing=40)])
    classic = f"stage=counters&gw_id=swapped&ip=10.11.0.2&mac=02:ab:cd:ef:01:02&token={two}&incoming=30&outgoing=800"
    assert (await router.server.get(f"/wifidog/auth/?{classic}")).text == "Auth: 1\n"
    assert router.rows(OPEN) == [(900, 40), (800, 30)]


@pytest_twisted.ensureDeferred
async def test_the_sum_is_right_when_the_setting_changes(router, database):
    """Nothing looks like a restart."""
    token = await router.sign_in("open", 1)
    await router.report(open=[client(1, token, incoming=100, outgoing=900)])
    straight = Gateway("open", "default", "10.11.0.1", counters=Counters.STRAIGHT)
    await within(5, database.transaction(lambda cursor: adopt(cursor, straight, NOON)))
    await until(lambda: router.server.service.components.registry.gateway("open").counters is Counters.STRAIGHT)
    await router.report(open=[client(1, token, incoming=150, outgoing=1900)])
    assert router.rows(OPEN) == [(900 + 50, 100 + 1000)]


@pytest_twisted.ensureDeferred
async def test_two_thousand_clients_are_settled_with_one_answer(router):
    """From an address that the router is known at."""
    token = await router.sign_in("open", 1)
    strangers = [{"id": number, "token": f"{number:032d}", "name": "x" * 150} for number in range(2, 2001)]
    answer = await router.report(open=[client(1, token), *strangers])
    codes = [each["auth_code"] for each in json.loads(answer.body)["result"][0]["auth_op"]]
    assert codes == [1, *[0] * 1999]


@pytest_twisted.ensureDeferred
async def test_a_list_that_is_too_long_is_read_as_far_as_it_goes(router):
    """The rest are as they were, and nobody has left."""
    await router.sign_in("keyed", 1)
    router.key = "k=secret&"
    for _ in range(2):
        answer = await router.report(keyed=[{"id": number, "token": "x"} for number in range(2001)])
        assert len(json.loads(answer.body)["result"][0]["auth_op"]) == 2000
    assert router.rows("SELECT count(*), count(missed_at) FROM sessions") == [(1, 0)]
