"""Readers of what strangers write against text made to break them; the long form is C{make chaos CHAOS=fuzz}."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.fuzz.courses import lists, messages, queries, states
from tests.chaos.fuzz.readers import FIELDS, States, read, read_list
from tests.chaos.fuzz.requests import WORDS
from wifidogd.domain.sessions import Dialect
from wifidogd.web.gateway.websocket.router_messages import LARGEST_SENT, Greeting, read_message, write_answer

SIGNED = States()

pieces = st.one_of(st.sampled_from(WORDS), st.sampled_from([b"&", b"=", *FIELDS]), st.binary(max_size=8))


@given(st.lists(pieces, max_size=30).map(b"".join), st.sampled_from(Dialect))
def test_any_query_is_read_or_refused(query: bytes, dialect: Dialect) -> None:
    """Never anything else; and what is read is within its bounds."""
    read(query, dialect)


@given(st.lists(st.one_of(st.sampled_from(SIGNED.texts), st.text(max_size=8), st.just(".")), max_size=4).map("".join))
def test_any_state_is_ours_or_forged(text: str) -> None:
    """Never an exception, never another state than was signed."""
    SIGNED.open(text)


NAMES = (
    "gateway",
    "gw_id",
    "clients",
    "id",
    "token",
    "mac",
    "ip",
    "incoming_bytes",
    "outgoing",
    "counters",
    "device_id",
    "op",
    "type",
    "req_id",
    "response",
    "data",
    "sys_info",
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["gw1", "t", "1", "connect"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=20,
)


@given(values)
def test_any_value_of_json_is_read_or_refused(value: object) -> None:
    """As a list of clients, in either dialect."""
    read_list(json.dumps(value).encode())


@given(st.binary(max_size=60))
def test_any_octets_are_read_or_refused(body: bytes) -> None:
    """Nothing else comes of them."""
    read_list(body)


def test_thousands_of_broken_lists() -> None:
    """The same ones each time."""
    assert lists(3000, seed=5).complaints == []


@given(values)
def test_any_value_of_json_is_a_message_or_ignored(value: object) -> None:
    """Over a WebSocket; and what answers it is what a router reads at once."""
    said = read_message(json.dumps(value))
    if isinstance(said, Greeting):
        assert len(write_answer(said)) <= LARGEST_SENT


def test_thousands_of_broken_messages() -> None:
    """Over WebSockets, the same ones each time; nobody's guest is thrown off by any."""
    assert messages(3000, seed=5).complaints == []


def test_thousands_of_broken_queries() -> None:
    """The same ones each time."""
    assert queries(3000, seed=5).complaints == []


def test_thousands_of_forged_states() -> None:
    """The same ones each time."""
    assert states(2000, seed=5).complaints == []
