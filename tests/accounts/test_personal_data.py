"""What is stored about a guest, shown to them and erased, on a real PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from tests.support.builders import LOBBY, MINUTE, NOON, adopt_all, mac, put, rows, run
from tests.support.deadline import within
from wifidogd.access.open_session import Refusal, Refused
from wifidogd.accounts.personal_data import PersonalData
from wifidogd.domain.guests import StoredData
from wifidogd.domain.sessions import Ended, Octets, Reason
from wifidogd.domain.tokens import hash_secret
from wifidogd.runtime.passwords import Passwords
from wifidogd.store.access.rate_limits import TRIES_WINDOW
from wifidogd.store.accounting.sessions import END, end_sessions, lock_sessions
from wifidogd.store.accounts import personal_data as statements
from wifidogd.store.accounts.personal_data import MOST
from wifidogd.store.driver.database import Database

ACCOUNTS = """
    INSERT INTO accounts (name, email, password_hash, created_at, validated_at)
    VALUES ('anna', 'anna@example.org', %(hashed)s, %(now)s, %(now)s), ('bob', NULL, %(hashed)s, %(now)s, %(now)s)
"""

SESSIONS = """
    INSERT INTO sessions (token_hash, gw_id, account_id, mac, ip, url, opened_at, activated_at, reported_at, incoming,
                          outgoing)
    SELECT sha256(token::bytea), 'lobby', account_id, ('02' || lpad(place::text, 10, '0'))::macaddr, '10.0.0.5',
           'http://a.example/', %(now)s, %(now)s, %(now)s, 100, 20
      FROM unnest('{first,second,other,splash}'::text[], '{anna,anna,bob,NULL}'::text[]) WITH ORDINALITY
           AS wanted (token, name, place)
      LEFT JOIN accounts USING (name)
"""

PAST = """
    INSERT INTO past_sessions (session_id, network, gw_id, account_id, mac, ip, opened_at, activated_at, ended_at,
                               reason, incoming, outgoing, allowance_id)
    SELECT n, 'default', 'lobby', account_id, '02:00:00:00:00:01', '10.0.0.5', %(now)s, %(now)s,
           %(now)s - n * interval '1 hour', 'logged out', 7, 3, 17
      FROM generate_series(1, %(past)s) AS n, accounts
"""

DEVICES = """
    INSERT INTO devices (key_hash, network, mac, account_id, remembered_at, expires_at)
    SELECT sha256(name::bytea), 'default', '02:00:00:00:00:01', account_id, %(now)s, %(now)s + interval '1 day'
      FROM accounts
"""

LINKS = """
    INSERT INTO email_links (link_hash, account_id, purpose, email, expires_at)
    SELECT sha256(name::bytea), account_id, 'validate', 'anna@example.org', %(now)s FROM accounts
"""

MAILS = """
    INSERT INTO mails (recipient, message, queued_at, next_try)
    VALUES ('anna@example.org', '', %(now)s, %(now)s), ('bob@example.org', '', %(now)s, %(now)s)
"""

MOST_TRIES = 10

SPLASH_OWNER, OTHER_OWNER = mac(0x020000000004), mac(0x020000000009)

ALLOWANCE = """
    WITH plan AS (
        INSERT INTO plans (name, title) VALUES ('day', 'A day') ON CONFLICT DO NOTHING
    ), made AS (
        INSERT INTO allowances (mac, address_hash, network, plan, claimed_at, incoming)
        VALUES (%(mac)s, %(address_hash)s, 'default', 'day', %(now)s, 5)
     RETURNING allowance_id
    )
    UPDATE sessions SET allowance_id = (SELECT allowance_id FROM made) WHERE token_hash = sha256(%(token)s::bytea)
"""

TRACES = """
    WITH devices AS (SELECT ('02:00:00:00:00:0' || n)::macaddr AS mac FROM generate_series(1, 5) AS n),
    told AS (
        INSERT INTO farewells (gw_id, mac, reason, ended_at) SELECT 'lobby', mac, 'closed', now() FROM devices
    )
    INSERT INTO attempts (kind, gw_id, mac, account_id, tries, started_at)
    SELECT kind, 'lobby', mac, NULL, 3, now()
      FROM devices, unnest('{device,sign-ups on device}'::text[]) AS kind
     WHERE mac IN ('02:00:00:00:00:01', '02:00:00:00:00:04')
     UNION ALL
    SELECT 'passwords of account', NULL, NULL, account_id, 3, now()
      FROM accounts
     UNION ALL
    SELECT 'codes at gateway', 'lobby', NULL, NULL, 3, now()
"""


SUBJECTS = """
    SELECT CASE kind WHEN 'passwords of account' THEN 'account ' || name
                     WHEN 'codes at gateway' THEN 'gateway ' || gw_id
                     ELSE kind || ' ' || gw_id || ' ' || mac END
      FROM (SELECT kind, gw_id, mac, coalesce(accounts.name, attempts.name) AS name
              FROM attempts
              LEFT JOIN accounts USING (account_id)
             WHERE tries > 0) AS counted
"""


class StoredGuests:
    """The service of personal data, with two accounts that have past sessions, and a guest without an account."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOON
        self.passwords = Passwords(reactor, threads=1)  # type: ignore[arg-type]
        self.personal_data = PersonalData(database, self.passwords, utc_now=lambda: self.now)

    async def open(self, past: int = 3) -> None:
        """Store the guests, with so many past sessions for each account."""
        self.passwords.start()
        await adopt_all(self.database, LOBBY)
        values = {"now": NOON, "past": past, "hashed": await within(20, self.passwords.hash("right"))}
        for statement in (ACCOUNTS, SESSIONS, PAST, DEVICES, LINKS, MAILS):
            await put(self.database, statement, values)

    async def look(self, token: str) -> StoredData:
        """Return what is stored about the guest of a session, which must exist."""
        stored = await within(10, self.personal_data.look(token))
        assert stored is not None
        return stored

    async def erase(self, token: str, password: str = "right") -> Refused | None:
        """Erase what is stored about the guest of a session."""
        return await within(30, self.personal_data.erase(token, password))

    async def end(self, *tokens: str) -> None:
        """End sessions as a timer would, for being stale."""
        found = await run(self.database, lock_sessions, [hash_secret(token) for token in tokens])

        async def finish(cursor) -> None:  # type: ignore[no-untyped-def]
            locked = await lock_sessions(cursor, list(found))
            end_sessions(cursor, [Ended(session, NOON, Reason.STALE) for session in locked.values()])

        await run(self.database, finish)


@pytest_twisted.async_yield_fixture
async def guests(database: Database) -> AsyncIterator[StoredGuests]:
    """The guests, already stored."""
    guests = StoredGuests(database)
    try:
        await guests.open()
        yield guests
    finally:
        guests.passwords.stop()


@ensureDeferred
async def test_an_account_sees_all_that_is_its_own(guests: StoredGuests) -> None:
    """This session first, then the other open one, then past ones, newest first; nothing of other accounts."""
    stored = await guests.look("second")
    assert stored.account is not None
    assert stored.account.name == "anna"
    assert [session.mac for session in stored.sessions[:2]] == [mac(0x020000000002), mac(0x020000000001)]
    assert [session.ended_at for session in stored.sessions] == [
        None,
        None,
        *(NOON - n * 60 * MINUTE for n in (1, 2, 3)),
    ]
    assert stored.sessions[0].used == Octets(100, 20)
    assert [device.expires_at for device in stored.devices] == [NOON + timedelta(days=1)]


@ensureDeferred
async def test_who_has_no_account_sees_the_present_session_only(guests: StoredGuests) -> None:
    """Past sessions have the same MAC, which proves nothing."""
    await put(guests.database, "UPDATE past_sessions SET mac = '02:00:00:00:00:04', account_id = NULL")
    stored = await guests.look("splash")
    assert stored.account is None
    assert [session.mac for session in stored.sessions] == [mac(0x020000000004)]
    assert stored.devices == ()


@ensureDeferred
async def test_a_token_that_names_nothing_shows_and_erases_nothing(guests: StoredGuests) -> None:
    """It may have been guessed."""
    assert await within(5, guests.personal_data.look("unknown")) is None
    assert await guests.erase("unknown") is None
    assert await rows(guests.database, "SELECT count(*) FROM accounts") == [(2,)]


@ensureDeferred
async def test_erasing_leaves_totals_that_are_nobodys(guests: StoredGuests) -> None:
    """Account, devices, links and queued mails are gone; sessions lose account, device and address."""
    assert await guests.erase("first") is None
    assert await rows(guests.database, "SELECT name FROM accounts") == [("bob",)]
    for table in ("devices", "email_links"):
        assert await rows(guests.database, f"SELECT count(*) FROM {table}") == [(1,)]
    assert await rows(guests.database, "SELECT recipient FROM mails") == [("bob@example.org",)]
    past = "SELECT account_id IS NULL, mac, ip, allowance_id, sum(incoming) FROM past_sessions GROUP BY 1, 2, 3, 4"
    assert set(await rows(guests.database, past)) == {
        (True, None, None, None, 21),
        (False, mac(0x020000000001), "10.0.0.5", 17, 21),
    }
    open_ones = "SELECT account_id IS NULL, ending, url IS NULL, count(*) FROM sessions GROUP BY 1, 2, 3 ORDER BY 4, 2"
    assert set(await rows(guests.database, open_ones)) == {
        (True, "erased by the guest", True, 2),
        (False, None, False, 1),
        (True, None, False, 1),
    }


@ensureDeferred
async def test_an_erased_session_leaves_no_trace_however_it_ends(guests: StoredGuests) -> None:
    """Also when a timer ends it before the gateway's next report; other sessions go into the history as usual."""
    await put(guests.database, "DELETE FROM past_sessions")
    assert await guests.erase("splash") is None
    await guests.end("splash", "other")
    found = "SELECT account_id IS NULL, mac, host(ip), incoming, outgoing FROM past_sessions ORDER BY 1"
    assert await rows(guests.database, found) == [
        (False, mac(0x020000000003), "10.0.0.5", 100, 20),
        (True, None, None, 100, 20),
    ]
    assert f"'{Reason.ERASED.value}'" in END


@ensureDeferred
async def test_what_a_device_has_used_is_kept_without_the_device(guests: StoredGuests) -> None:
    """Its totals no longer belong to anybody; the allowance of another device is left as it is."""
    for owner, token in ((SPLASH_OWNER, "splash"), (OTHER_OWNER, "other")):
        await put(guests.database, ALLOWANCE, {"mac": owner, "address_hash": None, "token": token, "now": NOON})
    assert await guests.erase("splash") is None
    await guests.end("splash")
    allowances = "SELECT mac, incoming, outgoing FROM allowances ORDER BY 1"
    assert await rows(guests.database, allowances) == [(OTHER_OWNER, 5, 0), (None, 105, 20)]
    assert await rows(guests.database, "SELECT allowance_id FROM past_sessions WHERE incoming = 100") == [(None,)]


@ensureDeferred
async def test_a_session_that_no_gateway_has_confirmed_erases_nothing_of_the_device_it_claims(
    guests: StoredGuests,
) -> None:
    """Because anybody can claim any device."""
    await put(guests.database, ALLOWANCE, {"mac": SPLASH_OWNER, "address_hash": None, "token": "splash", "now": NOON})
    await put(guests.database, TRACES)
    pending = (
        "UPDATE sessions SET activated_at = NULL, mac = NULL, claimed_mac = mac WHERE token_hash = sha256('splash')"
    )
    await put(guests.database, pending)
    assert await guests.erase("splash") is None
    assert await rows(guests.database, "SELECT mac FROM allowances") == [(SPLASH_OWNER,)]
    assert await rows(guests.database, "SELECT count(*) FROM farewells") == [(5,)]


@pytest.mark.parametrize(
    ("token", "macs", "subjects"),
    [
        ("splash", {1, 2, 3, 5}, {"account anna", "account bob", "device lobby 1", "sign-ups on device lobby 1"}),
        ("first", {3, 4}, {"account bob", "device lobby 4", "sign-ups on device lobby 4"}),
    ],
)
@ensureDeferred
async def test_nothing_tells_of_an_erased_device(
    guests: StoredGuests, token: str, macs: set[int], subjects: set[str]
) -> None:
    """Erased are end notices and tries of all present and past devices of the account, and of no other device."""
    await put(guests.database, TRACES)
    await put(guests.database, "UPDATE past_sessions SET mac = '02:00:00:00:00:05' WHERE account_id = 1")
    assert await guests.erase(token) is None
    assert {int(found[-2:]) for (found,) in await rows(guests.database, "SELECT mac FROM farewells")} == macs
    found = {subject for (subject,) in await rows(guests.database, SUBJECTS)}
    assert {re.sub("02(:00)*:0", "", subject) for subject in found} == subjects | {"gateway lobby"}


@ensureDeferred
async def test_who_typed_the_address_without_owning_it_leaves_no_trace_of_it(guests: StoredGuests) -> None:
    """Their allowance has a hash of the address, with which anybody who guesses the address could confirm it."""
    owner = {"mac": None, "address_hash": hash_secret("anna@example.org")}
    await put(guests.database, ALLOWANCE, owner | {"token": "splash", "now": NOON})
    assert await guests.erase("first") is None
    assert await rows(guests.database, "SELECT mac, address_hash FROM allowances") == [(None, None)]


@ensureDeferred
async def test_what_an_erased_account_has_used_is_nobodys(guests: StoredGuests) -> None:
    """Its allowance is kept for sessions that still draw on it, and can be forgotten like that of a device."""
    await put(guests.database, ALLOWANCE, {"mac": None, "address_hash": None, "token": "first", "now": NOON})
    await put(
        guests.database, "UPDATE allowances SET account_id = (SELECT account_id FROM accounts WHERE name = 'anna')"
    )
    assert await guests.erase("first") is None
    assert await rows(guests.database, "SELECT account_id, incoming FROM allowances") == [(None, 5)]


@ensureDeferred
async def test_an_account_is_erased_by_its_password_only(guests: StoredGuests) -> None:
    """A token read on the router's status page is not enough to remove it, and guesses are limited."""
    for _ in range(MOST_TRIES):
        assert await guests.erase("first", "wrong") == Refused(Refusal.WRONG_PASSWORD)
    assert await guests.erase("first") == Refused(Refusal.TOO_MANY_TRIES, TRIES_WINDOW)
    assert await rows(guests.database, "SELECT count(*) FROM accounts") == [(2,)]
    guests.now += TRIES_WINDOW
    assert await guests.erase("first") is None
    assert await rows(guests.database, "SELECT count(*) FROM accounts") == [(1,)]


@ensureDeferred
async def test_who_has_no_account_needs_no_password(guests: StoredGuests) -> None:
    """There is none; the session ends with the gateway's next report."""
    assert await guests.erase("splash", "") is None
    ending = "SELECT ending FROM sessions WHERE token_hash = sha256('splash')"
    assert await rows(guests.database, ending) == [("erased by the guest",)]


@ensureDeferred
async def test_a_long_past_is_erased_in_small_transactions(database: Database, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """None of them takes long enough to delay a busy server."""
    monkeypatch.setattr(statements, "MOST", 4)
    guests = StoredGuests(database)
    try:
        await guests.open(past=11)
        assert len((await guests.look("first")).sessions) == 2 + 4
        assert await guests.erase("first") is None
    finally:
        guests.passwords.stop()
    assert await rows(database, "SELECT count(*) FROM past_sessions WHERE account_id IS NULL") == [(11,)]
    assert MOST == 1_000
