"""Plans and networks: the words that are stored, and what holds where the operator has said nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from wifidogd.domain.plans import Network, Plan, SignInMethod, TimeCounts, WhenFull


def test_choices_are_stored_in_these_words() -> None:
    """The CHECKs of the schema list them."""
    assert [method.value for method in SignInMethod] == ["splash", "account", "voucher"]
    assert [counts.value for counts in TimeCounts] == ["wall", "used"]
    assert [full.value for full in WhenFull] == ["refuse", "replace"]


def test_a_network_of_which_nothing_is_said_lets_everybody_in_by_a_button() -> None:
    """For as long as they like; history is kept for a year; mails must be validated within twenty minutes."""
    network = Network("lobby", "Lobby")
    assert network.methods == (SignInMethod.SPLASH,)
    assert (network.time_limit, network.quota_octets, network.plan) == (None, None, None)
    assert network.stale_after == timedelta(seconds=600)
    assert network.retention == timedelta(hours=8760)
    assert (dict(network.terms), network.terms_version) == ({}, 1)
    assert (network.sign_up, network.grace) == (False, timedelta(seconds=1200))
    assert (network.remember, network.remember_random, network.remember_mac) == (None, None, False)
    assert (network.time_zone, network.colour, network.logo) == ("UTC", "", None)


def test_a_plan_of_which_nothing_is_said_limits_nothing() -> None:
    """Where devices are limited, one more is refused; time counts from the first use."""
    plan = Plan("p", "P")
    assert (plan.time_counts, plan.when_full, plan.hours) == (TimeCounts.WALL, WhenFull.REFUSE, "")


def test_a_logo_is_not_printed() -> None:
    """It has thousands of octets."""
    network = Network("lobby", "Lobby")
    assert repr(replace(network, logo=b"\x89PNG")) == repr(network)
