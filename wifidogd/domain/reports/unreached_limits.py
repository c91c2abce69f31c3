"""Limits that do not reach guests at some gateways, in words for operators; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wifidogd.domain.gateways import Gateway
from wifidogd.domain.plans import Network, Plan
from wifidogd.domain.reports.capabilities import capabilities_of

_UNREACHED = (
    "has limits that do not reach guests at {gateways}: wifidog-ng 2 reports nobody, so data are not counted, and a "
    "guest whose time is over stays on until they log out."
)


def doubts_about_limits(gateways: Iterable[Gateway], networks: Iterable[Network]) -> list[str]:
    """Return a sentence for each network with limits that routers are in which report nobody."""
    silent: dict[str, list[str]] = {}
    for gateway in _silent(gateways):
        silent.setdefault(gateway.network, []).append(gateway.gw_id)
    return [
        f"Network {network.name} {_UNREACHED.format(gateways=first_of(silent[network.name]))}"
        for network in networks
        if network.name in silent and (network.plan or network.time_limit or network.quota_octets)
    ]


def doubts_about_plan(plan: Plan, gateways: Iterable[Gateway]) -> list[str]:
    """
    Return a sentence if a plan has limits, and guests may have it where routers report nobody.

    @param gateways: where guests may have it.
    """
    silent = [gateway.gw_id for gateway in _silent(gateways)]
    if not silent or plan == Plan(plan.name, plan.title):
        return []
    return [f"Plan {plan.name} {_UNREACHED.format(gateways=first_of(silent))}"]


def first_of(gw_ids: Sequence[str]) -> str:
    """Return the first of some gateways, and how many others there are."""
    first, *others = gw_ids
    if not others:
        return first
    return f"{first} and {len(others)} other gateway{'s' if len(others) > 1 else ''}"


def _silent(gateways: Iterable[Gateway]) -> list[Gateway]:
    return [gateway for gateway in gateways if not capabilities_of(gateway.dialect).reports_use]
