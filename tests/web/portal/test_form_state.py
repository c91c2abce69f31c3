"""Signed form state: what it carries, how long, and what it refuses."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from itsdangerous import URLSafeSerializer

from wifidogd.domain.errors import StoreUnavailable
from wifidogd.domain.sessions import LoginQuery
from wifidogd.gateways.registry import Registry
from wifidogd.store.driver.database import Database
from wifidogd.web.portal import form_state
from wifidogd.web.portal.form_state import LIFETIME, MAX_LENGTH, ForgedState, FormState, StaleState

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
UNTIL = int(NOON.timestamp()) + 60
TOKEN = "0123456789abcdefghijklmnopqrstuv"
QUERY = LoginQuery("gw1", "10.0.0.1", 2060, "02:00:00:00:00:01", "10.0.0.5", "http://a.example/?é")


class OneShot:
    """A wall clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def moment() -> OneShot:
    """A wall clock at noon."""
    return OneShot()


@pytest.fixture
def registry(moment: OneShot) -> Registry:
    """A registry that knows a secret and nothing else."""
    registry = Registry(Database(clock=None), utc_now=moment)  # type: ignore[arg-type]
    registry.signing_secret = "secret"
    return registry


@pytest.fixture
def state(registry: Registry, moment: OneShot) -> FormState:
    """The signer under test."""
    return FormState(registry, moment)


def test_a_login_query_comes_back_unchanged(state: FormState, moment: OneShot) -> None:
    """Until the last second."""
    sealed = state.seal_login_query(QUERY)
    moment.now += LIFETIME - timedelta(seconds=1)
    assert state.open_login_query(sealed) == QUERY


def test_an_old_state_still_says_whom_it_was_for(state: FormState, moment: OneShot) -> None:
    """So that the guest can be led back to a fresh form."""
    sealed = state.seal_login_query(QUERY)
    moment.now += LIFETIME
    with pytest.raises(StaleState) as stale:
        state.open_login_query(sealed)
    assert stale.value.login_query == QUERY


def test_a_token_comes_back_however_late(state: FormState, moment: OneShot) -> None:
    """A session may last for days; its log-out button must work all the time."""
    sealed = state.seal_token(TOKEN)
    moment.now += timedelta(days=30)
    assert state.open_token(sealed) == TOKEN


def test_one_form_is_not_another(state: FormState) -> None:
    """Each purpose has its own salt."""
    with pytest.raises(ForgedState):
        state.open_login_query(state.seal_token(TOKEN))
    with pytest.raises(ForgedState):
        state.open_token(state.seal_login_query(QUERY))


def test_another_secret_signs_another_state(state: FormState, registry: Registry) -> None:
    """States of strangers are forged."""
    sealed = state.seal_login_query(QUERY)
    registry.signing_secret = "another"
    with pytest.raises(ForgedState):
        state.open_login_query(sealed)


@pytest.mark.parametrize("position", range(0, 200, 7))
def test_no_character_may_change(state: FormState, position: int) -> None:
    """Neither in what is signed nor in the signature."""
    sealed = state.seal_login_query(QUERY)
    changed = sealed[:position] + ("A" if sealed[position] != "A" else "B") + sealed[position + 1 :]
    with pytest.raises(ForgedState):
        state.open_login_query(changed)


@pytest.mark.parametrize("text", ["", ".", "a.b", "é", "\x00", "a" * (MAX_LENGTH + 1), "null.AAAA"])
def test_nonsense_is_forged(state: FormState, text: str) -> None:
    """Whatever a client sends."""
    with pytest.raises(ForgedState):
        state.open_login_query(text)


def signed(values: object) -> str:
    """Sign as a server of another version would, that knows the secret."""
    how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return str(URLSafeSerializer("secret", salt="wifidogd.visitor", signer_kwargs=how).dumps(values))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"until": UNTIL},
        {"visitor": {"gw_id": "gw1"}},
        {"visitor": {"gw_id": "gw1", "colour": "red"}, "until": UNTIL},
        {"visitor": {}, "until": UNTIL},
        {"visitor": {"gw_id": "gw1"}, "until": None},
        {"visitor": {"gw_id": "gw1"}, "until": "soon"},
        {"visitor": None, "until": UNTIL},
        ["gw1"],
    ],
)
def test_a_form_of_another_version_is_forged(state: FormState, values: object) -> None:
    """Its guest gets a fresh form instead of an error."""
    with pytest.raises(ForgedState):
        state.open_login_query(signed(values))


def test_no_state_is_longer_than_the_longest(state: FormState, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever signed it: what is longer is not even checked."""
    assert MAX_LENGTH == 8192
    sealed = state.seal_login_query(QUERY)
    monkeypatch.setattr(form_state, "MAX_LENGTH", len(sealed))
    assert state.open_login_query(sealed) == QUERY
    monkeypatch.setattr(form_state, "MAX_LENGTH", len(sealed) - 1)
    with pytest.raises(ForgedState, match="too long"):
        state.open_login_query(sealed)


def test_the_largest_login_query_fits(state: FormState) -> None:
    """A thousand characters that hardly compress, four bytes each."""
    url = "http://a.example/" + "".join(chr(0x10000 + i * 977 % 0xFFFF) for i in range(983))
    query = LoginQuery(
        "g" * 64, "2001:db8:1111:2222:3333:4444:5555:6666", 65535, "02:00:00:00:00:01", "2001:db8::1", url
    )
    assert state.open_login_query(state.seal_login_query(query)) == query


def test_without_the_secret_nobody_can_say(state: FormState, registry: Registry) -> None:
    """Before the store has been read once."""
    registry.signing_secret = None
    with pytest.raises(StoreUnavailable):
        state.seal_login_query(QUERY)
    with pytest.raises(StoreUnavailable):
        state.open_token("x")
