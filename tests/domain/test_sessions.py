"""Values about sessions: the words and numbers that are stored and sent, and what nobody may read in a log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from wifidogd.domain.decisions import Refusal
from wifidogd.domain.sessions import MAX_OCTETS, AuthCode, Counters, Dialect, Octets, Reason, Report, Session, Stage

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_gateways_know_verdicts_by_number() -> None:
    """The numbers of wifidog-gateway C{src/auth.h}."""
    assert {code.name: code.value for code in AuthCode} == {
        "ERROR": -1,
        "DENIED": 0,
        "ALLOWED": 1,
        "VALIDATION": 5,
        "VALIDATION_FAILED": 6,
    }


def test_dialects_and_settings_are_stored_in_these_words() -> None:
    """A gateway's row has them, and a statement of the store."""
    assert {each.name: each.value for each in Dialect} == {
        "WIFIDOG": "wifidog",
        "APFREE": "apfree",
        "WIFIDOG_NG_1": "wifidog-ng 1",
        "WIFIDOG_NG_2": "wifidog-ng 2",
        "OTHER": "other",
    }
    assert [each.value for each in Counters] == ["auto", "straight", "swapped"]


def test_reasons_are_stored_in_these_words() -> None:
    """Rows of years are read by them: one that changes takes a migration."""
    assert {reason.name: reason.value for reason in Reason} == {
        "LOGOUT": "logged out",
        "REPLACED": "replaced",
        "TIME_IS_UP": "time is up",
        "QUOTA_IS_SPENT": "quota is spent",
        "STALE": "no more reports",
        "NEVER_USED": "never used",
        "KICKED": "ended by the operator",
        "GATEWAY_RESTARTED": "gateway restarted",
        "LEFT": "left the gateway",
        "GATEWAY_REMOVED": "gateway removed",
        "DAY_IS_SPENT": "used up for the day",
        "SPAN_IS_SPENT": "used up for a while",
        "CLOSED": "outside the opening hours",
        "NOT_VALID": "not valid at this time",
        "REVOKED": "taken back by the operator",
        "NOT_VALIDATED": "address not validated in time",
        "ERASED": "erased by the guest",
        "DEVICES": "too many devices",
        "PASSWORD_CHANGED": "password changed",
        "ROAMED": "went to another gateway",
    }


def test_the_log_tells_operators_why_a_report_was_refused() -> None:
    assert {refusal.name: refusal.value for refusal in Refusal} == {
        "UNKNOWN_TOKEN": "unknown token",
        "WRONG_GATEWAY": "token of another gateway",
        "WRONG_DEVICE": "token of another device",
        "LEFT_ADDRESS": "the guest has another address now",
        "NO_DEVICE": "the gateway reports no MAC, and its login page named one",
        "ORIGIN_ENDED": "the session that it continues has ended",
        "GATEWAY_NOT_ADOPTED": "gateway not adopted, or its key is wrong",
    }


def test_the_largest_count_is_that_of_a_bigint() -> None:
    """PostgreSQL's, whose columns hold octets."""
    assert MAX_OCTETS == 9_223_372_036_854_775_807


def test_octets_begin_at_none() -> None:
    assert (Octets().incoming, Octets().outgoing, Octets(3, 4).total) == (0, 0, 7)


def test_a_report_shows_neither_its_token_nor_its_key() -> None:
    """Reports are logged when something fails."""
    shown = repr(Report(Stage.LOGIN, Dialect.WIFIDOG, "the-token", "lobby", key="the-key"))
    assert "the-token" not in shown
    assert "the-key" not in shown
    assert "lobby" in shown


def test_a_session_does_not_show_its_token() -> None:
    """Not even hashed: two log lines about one guest must not be joined by it."""
    session = Session(b"\1\2\3" * 8, "lobby", NOON)
    assert repr(session) == repr(replace(session, token_hash=b""))
    assert "lobby" in repr(session)
