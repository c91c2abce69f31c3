"""Readers of what strangers write against text made to break them; the long form is C{make chaos CHAOS=fuzz}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.fuzz.readers import FIELDS, States, read
from tests.chaos.fuzz.requests import WORDS
from tests.chaos.fuzz.trial import queries, states
from wifidogd.domain.sessions import Dialect

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


def test_thousands_of_broken_queries() -> None:
    """The same ones each time."""
    assert queries(3000, seed=5).complaints == []


def test_thousands_of_forged_states() -> None:
    """The same ones each time."""
    assert states(2000, seed=5).complaints == []
