"""A guest who walks to another router of the network stays online without a page, is counted on, and never twice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta

import psycopg2
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import DeferredList
from twisted.internet.defer import ensureDeferred as as_deferred

from tests.support.builders import put, rows
from tests.support.deadline import within
from tests.support.site_server import MAC, SiteServer, token_in
from wifidogd.access.roaming import Roaming
from wifidogd.domain.errors import StoreUnavailable
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.tokens import hash_secret
from wifidogd.store.driver.database import Cursor, Database

KEYED = (hash_secret("right"),)
LOBBY = Gateway("gw1", "default", "10.0.0.1", key_hashes=KEYED)
GARDEN = Gateway("garden", "default", "10.1.0.1", key_hashes=KEYED)
OTHER_NETWORK = Gateway("rooms", "rooms", "10.2.0.1", key_hashes=KEYED)
UNPROVEN = Gateway("unproven", "default", "10.3.0.1")
TRUSTED = Gateway("trusted", "default", "10.4.0.1", trust_macs=True)

OPEN = "SELECT gw_id, activated_at IS NOT NULL, ending, incoming, outgoing FROM sessions ORDER BY session_id"
PAST = "SELECT gw_id, reason, incoming, outgoing FROM past_sessions ORDER BY session_id"


@pytest_twisted.async_yield_fixture
async def server(database: Database) -> AsyncIterator[SiteServer]:
    """A server with four gateways in one network and one in another."""
    server = await SiteServer(database).open(LOBBY)
    await put(database, "INSERT INTO networks (name, title) VALUES ('rooms', 'Rooms')")
    for gateway in (GARDEN, OTHER_NETWORK, UNPROVEN, TRUSTED):
        await server.adopt(gateway)
    await server.refresh()
    yield server
    await server.close()


async def report(
    server: SiteServer, gw_id: str, stage: str, token: str, octets: tuple[int, int] = (0, 0), *, ip: str = "10.0.0.5"
) -> str:
    """Report the guest as wifidog-gateway does, with the key, and read the verdict."""
    counted = f"incoming={octets[0]}&outgoing={octets[1]}"
    reply = await server.get(f"auth/?k=right&stage={stage}&gw_id={gw_id}&ip={ip}&mac={MAC}&token={token}&{counted}")
    return reply.body.strip()


async def online(server: SiteServer) -> str:
    """Get a guest online in the lobby, who downloads something, and return the token."""
    token = token_in((await server.sign_in()).headers["location"])
    assert await report(server, "gw1", "login", token) == "Auth: 1"
    server.later(seconds=60)
    assert await report(server, "gw1", "counters", token, (1_000, 100)) == "Auth: 1"
    return token


async def roam_ng(server: SiteServer, gw_id: str = "garden", mac: str = MAC, key: str = "/right") -> str:
    """Ask as wifidog-ng does when a lease is given out."""
    return (await server.get(f"auth{key}?gw_id={gw_id}&stage=roam&ip=10.1.0.5&mac={mac}")).body


async def roam_apfree(server: SiteServer, gw_id: str = "garden", mac: str = MAC) -> dict[str, object]:
    """Ask as apfree-wifidog does; it can add no key."""
    return dict(json.loads((await server.get(f"roam?gw_id={gw_id}&mac={mac}&gw_channel=wifi")).body))


@ensureDeferred
async def test_wifidog_ng_lets_the_guest_in_on_the_answer(server: SiteServer) -> None:
    """The session begins with it, as the second version reports nothing; the old router's last octets still count."""
    token = await online(server)
    body = await roam_ng(server)
    assert body.startswith("token=")
    new = body.removeprefix("token=")
    assert (len(new), new.isalnum(), new.lower()) == (32, True, new)
    assert await rows(server.database, OPEN) == [
        ("gw1", True, "went to another gateway", 1_000, 100),
        ("garden", True, None, 0, 0),
    ]
    server.later(seconds=30)
    assert await report(server, "garden", "counters", new, (50, 5)) == "Auth: 1"
    assert await report(server, "gw1", "counters", token, (1_500, 150)) == "Auth: 0"
    assert await report(server, "gw1", "counters", token, (1_500, 150)) == "Auth: 0"
    assert await rows(server.database, OPEN) == [("garden", True, None, 50, 5)]
    assert await rows(server.database, PAST) == [("gw1", "went to another gateway", 1_500, 150)]
    assert await report(server, "garden", "counters", new, (60, 6)) == "Auth: 1"


@ensureDeferred
async def test_the_body_is_the_token_to_its_last_octet(server: SiteServer) -> None:
    """wifidog-ng 1.x takes everything behind the equals sign."""
    await online(server)
    reply = await server.get(f"auth/right?gw_id=garden&stage=roam&ip=10.1.0.5&mac={MAC}")
    assert len(reply.body) == len("token=") + 32
    assert int(reply.headers["content-length"]) == len(reply.body)


@ensureDeferred
async def test_apfree_confirms_the_guest_by_its_first_report(server: SiteServer) -> None:
    """Whoever asks changes nothing; the router's report with its key does."""
    token = await online(server)
    answer = await roam_apfree(server)
    assert answer["roam"] == "yes"
    client = answer["client"]
    assert isinstance(client, dict)
    assert set(client) == {"token", "firstLogin", "gw_id"}
    assert client["gw_id"] == "garden"
    assert client["firstLogin"] == int((server.now - timedelta(seconds=60)).timestamp())
    assert await rows(server.database, OPEN) == [("gw1", True, None, 1_000, 100), ("garden", False, None, 0, 0)]
    assert await report(server, "gw1", "counters", token, (1_100, 110)) == "Auth: 1"
    assert await report(server, "garden", "counters", str(client["token"]), (7, 1)) == "Auth: 1"
    assert await report(server, "gw1", "counters", token, (1_200, 120)) == "Auth: 0"
    assert await rows(server.database, OPEN) == [("garden", True, None, 7, 1)]


@ensureDeferred
async def test_asking_again_brings_no_more(server: SiteServer) -> None:
    """Four wait at most, for three minutes, each with a token that only its asker knows; the first report decides."""
    await online(server)
    clients = [(await roam_apfree(server)).get("client") for _ in range(5)]
    assert clients[4] is None
    tokens = [client["token"] for client in clients[:4] if isinstance(client, dict)]
    assert len(set(tokens)) == 4
    assert (await roam_ng(server)).startswith("token=")
    for token in tokens:
        assert await report(server, "garden", "counters", token) == "Auth: 0"


@pytest.mark.parametrize(
    ("gw_id", "mac", "key"),
    [
        ("garden", MAC, ""),
        ("garden", MAC, "/wrong"),
        ("garden", "02:00:00:00:00:99", "/right"),
        ("garden", "", "/right"),
        ("garden", "00:00:00:00:00:00", "/right"),
        ("gw1", MAC, "/right"),
        ("rooms", MAC, "/right"),
        ("unproven", MAC, ""),
        ("nobody", MAC, ""),
        ("", MAC, ""),
        ("a b", MAC, ""),
    ],
)
@ensureDeferred
async def test_others_see_the_login_page(server: SiteServer, gw_id: str, mac: str, key: str) -> None:
    """A stranger, a guest who is online there already, one of another network; and where a MAC proves nothing."""
    await online(server)
    before = await rows(server.database, OPEN)
    assert await roam_ng(server, gw_id, mac, key) == "deny"
    assert await rows(server.database, OPEN) == before
    if key != "" or gw_id != "garden":
        expected = "yes" if (gw_id, mac) == ("garden", MAC) else "no"
        assert (await roam_apfree(server, gw_id, mac))["roam"] == expected


@ensureDeferred
async def test_a_router_whose_macs_are_trusted_needs_no_key(server: SiteServer) -> None:
    """Its operator has said so."""
    await online(server)
    assert (await roam_ng(server, "trusted", key="")).startswith("token=")


@ensureDeferred
async def test_a_guest_of_a_gateway_that_proves_nothing_does_not_roam(server: SiteServer) -> None:
    """Anybody could have reported that device there."""
    page = await server.get(f"login/?gw_id=unproven&gw_address=10.3.0.1&gw_port=2060&mac={MAC}&ip=10.0.0.5")
    assert page.status == 200
    token = "u" * 32
    await put(
        server.database,
        "INSERT INTO sessions (token_hash, gw_id, mac, ip, opened_at, activated_at, reported_at) VALUES"
        f" (sha256('{token}'), 'unproven', '{MAC}', '10.0.0.5', now(), now(), now())",
    )
    assert await roam_ng(server) == "deny"
    assert (await roam_apfree(server))["roam"] == "no"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sessions SET ending = 'ended by the operator'",
        "UPDATE sessions SET expires_at = opened_at",
        "UPDATE sessions SET quota_octets = 1100",
        "UPDATE sessions SET probation_until = opened_at",
        "UPDATE networks SET roaming = false; UPDATE directory_revision SET revision = revision + 1",
    ],
)
@ensureDeferred
async def test_a_session_that_is_over_is_not_continued(server: SiteServer, change: str) -> None:
    """Nor one in a network whose operator wants it otherwise."""
    await online(server)
    await put(server.database, change)
    await server.refresh()
    assert await roam_ng(server) == "deny"
    assert (await roam_apfree(server))["roam"] == "no"


@ensureDeferred
async def test_a_session_that_ends_meanwhile_takes_the_one_that_waits_along(server: SiteServer) -> None:
    """Otherwise a guest whom the operator ends would walk on."""
    await online(server)
    client = (await roam_apfree(server))["client"]
    assert isinstance(client, dict)
    await put(server.database, "UPDATE sessions SET ending = 'ended by the operator' WHERE gw_id = 'gw1'")
    assert await report(server, "garden", "counters", client["token"], (5, 5)) == "Auth: 0"
    assert await rows(server.database, OPEN + " LIMIT 1") == [("gw1", True, "ended by the operator", 1_000, 100)]


@ensureDeferred
async def test_guests_behind_one_repeater_are_not_taken_for_each_other(server: SiteServer) -> None:
    """Two sessions of one MAC: nobody knows which of them has come."""
    await online(server)
    page = await server.login_page(ip="10.0.0.6")
    assert page.status == 200
    await put(
        server.database,
        "INSERT INTO sessions (token_hash, gw_id, mac, ip, opened_at, activated_at, reported_at) VALUES"
        f" (sha256('second'), 'gw1', '{MAC}', '10.0.0.6', now(), now(), now())",
    )
    assert await roam_ng(server) == "deny"


@ensureDeferred
async def test_limits_go_along(server: SiteServer) -> None:
    """The end of the time stays where it was, and of the data only the rest is left."""
    await server.change_network(time_limit=timedelta(minutes=10), quota_octets=5_000)
    await online(server)
    new = (await roam_ng(server)).removeprefix("token=")
    stored = "SELECT quota_octets, expires_at - opened_at, by_mac FROM sessions WHERE gw_id = 'garden'"
    assert await rows(server.database, stored) == [(3_900, timedelta(minutes=9), True)]
    assert await report(server, "garden", "counters", new, (3_800, 99)) == "Auth: 1"
    assert await report(server, "garden", "counters", new, (3_801, 99)) == "Auth: 0"


@ensureDeferred
async def test_time_of_an_allowance_is_counted_once(server: SiteServer) -> None:
    """At the old gateway until its last report before the walk, at the new one from then on."""
    await put(
        server.database, "INSERT INTO plans (name, title, time_limit, time_counts) VALUES ('h', 'H', '1 hour', 'used')"
    )
    await server.change_network(plan="h")
    token = await online(server)
    client = (await roam_apfree(server))["client"]
    assert isinstance(client, dict)
    server.later(seconds=40)
    assert await report(server, "garden", "counters", client["token"]) == "Auth: 1"
    server.later(seconds=20)
    assert await report(server, "gw1", "counters", token, (1_001, 101)) == "Auth: 0"
    assert await rows(server.database, "SELECT used_time, incoming, outgoing FROM allowances") == [
        (timedelta(seconds=60), 1_001, 101)
    ]
    assert await report(server, "garden", "logout", client["token"], (1, 1)) == "Auth: 0"
    assert await rows(server.database, "SELECT used_time, incoming, outgoing FROM allowances") == [
        (timedelta(seconds=120), 1_002, 102)
    ]
    past = "SELECT gw_id, ended_at - activated_at FROM past_sessions ORDER BY session_id"
    assert await rows(server.database, past) == [
        ("gw1", timedelta(seconds=60)),
        ("garden", timedelta(seconds=60)),
    ]


@ensureDeferred
async def test_a_plan_for_one_device_lets_it_walk(server: SiteServer) -> None:
    """It is one device at both gateways."""
    await put(server.database, "INSERT INTO plans (name, title, devices) VALUES ('one', 'One', 1)")
    await server.change_network(plan="one")
    await online(server)
    assert (await roam_ng(server)).startswith("token=")


@ensureDeferred
async def test_a_guest_who_walks_back_stays_online(server: SiteServer) -> None:
    """Also before the first gateway has noticed that they were gone."""
    token = await online(server)
    assert (await roam_ng(server)).startswith("token=")
    server.later(seconds=5)
    body = (await server.get(f"auth/right?gw_id=gw1&stage=roam&ip=10.0.0.5&mac={MAC}")).body
    assert body.startswith("token=")
    back = body.removeprefix("token=")
    assert back != token
    assert await report(server, "gw1", "counters", back, (1_200, 120)) == "Auth: 1"
    assert await report(server, "gw1", "counters", token, (1_200, 120)) == "Auth: 0"
    total = "SELECT sum(incoming), sum(outgoing) FROM (SELECT * FROM (SELECT incoming, outgoing FROM sessions) AS o"
    total += " UNION ALL SELECT incoming, outgoing FROM past_sessions) AS every"
    assert await rows(server.database, total) == [(1_200, 120)]


@ensureDeferred
async def test_a_device_that_is_remembered_by_its_mac_comes_back(server: SiteServer) -> None:
    """Wherever it was last, and only where the network says that a MAC is enough."""
    await server.ask_for_accounts(zoe="correct horse")
    await server.change_network(remember=timedelta(days=30), remember_random=timedelta(days=30), remember_mac=True)
    page = await server.sign_in(name="zoe", password="correct horse", remember="1")
    token = token_in(page.headers["location"])
    assert await report(server, "gw1", "login", token) == "Auth: 1"
    assert await report(server, "gw1", "logout", token) == "Auth: 0"
    answer = await roam_apfree(server)
    assert answer["roam"] == "yes"
    body = await roam_ng(server)
    assert body.startswith("token=")
    assert await rows(server.database, "SELECT account_id IS NOT NULL, by_mac FROM sessions WHERE mac IS NOT NULL") == [
        (True, True)
    ]
    assert await report(server, "garden", "logout", body.removeprefix("token=")) == "Auth: 0"
    await server.change_network(remember_mac=False)
    assert (await roam_apfree(server, "trusted"))["roam"] == "no"


@ensureDeferred
async def test_trouble_of_our_own_means_no(server: SiteServer) -> None:
    """The guest sees the login page, which asks them to come back; nobody is let in unseen."""
    await online(server)
    await within(5, server.database.stop())
    assert await roam_ng(server) == "deny"
    assert (await roam_apfree(server))["roam"] == "no"


@pytest.mark.impatient
@ensureDeferred
async def test_routers_that_ask_leave_the_reports_of_others_their_connections(server: SiteServer, dsn: str) -> None:
    """Of the database, while somebody holds a table that the answers need; the routers are told no in time."""
    await online(server)
    few = Database(clock=reactor, size=3, reserved=1)  # type: ignore[arg-type]
    few.start(dsn)
    roaming = Roaming(few, server.registry, utc_now=lambda: server.now)
    with closing(psycopg2.connect(dsn)) as somebody:
        await within(5, few.transaction(_nothing))
        somebody.cursor().execute("LOCK TABLE gateways IN ACCESS EXCLUSIVE MODE")
        asked = [as_deferred(roaming.admit("garden", MAC, is_proven=True)) for _ in range(8)]
        await within(5, few.transaction(_nothing, urgent=True))
        assert not any(each.called for each in asked)
        told = await within(5, DeferredList(asked, consumeErrors=True))
    assert {failure.type for is_settled, failure in told if not is_settled} == {StoreUnavailable}
    await within(10, few.stop())


async def _nothing(cursor: Cursor) -> None:
    await cursor.execute("SELECT 1")
