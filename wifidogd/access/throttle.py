"""How often guests may try: the one table of limits, and the one place that counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from wifidogd.domain.addresses import blocks_of
from wifidogd.domain.guests import Account, GuestRequest
from wifidogd.store.access.guest_sources import record_source
from wifidogd.store.access.rate_limits import TRIES_WINDOW, Subject, SubjectKind, Tries, count_tries, forgive_tries
from wifidogd.store.driver.database import Cursor

MOST: Mapping[SubjectKind, int] = {
    SubjectKind.PASSWORDS_OF_ACCOUNT: 10,
    SubjectKind.DEVICE: 10,
    # All guests of a site may share a source, hence many.  Whoever tries one password on every account would otherwise
    # be stopped by nothing, as a device is what a URL claims.
    SubjectKind.PASSWORDS_FROM_SOURCE: 300,
    # So much below that of the gateway that a stranger cannot close it to its guests alone.
    SubjectKind.CODES_FROM_SOURCE: 250,
    # Whoever guesses can name any device, so this is what holds: with a million vouchers sold, a code is found at one
    # gateway in 70 years on average.
    SubjectKind.CODES_AT_GATEWAY: 2_500,
    # A device may belong to a family.
    SubjectKind.SIGN_UPS_ON_DEVICE: 5,
    # Whichever gateways the source names: a conference arrives at a site, a stranger has no more.
    SubjectKind.SIGN_UPS_FROM_SOURCE: 300,
    SubjectKind.SIGN_UPS_AT_GATEWAY: 1_000,
    SubjectKind.MAILS_FROM_SOURCE: 100,
}
"""
Tries in a window, at most, by what they count against; from the wider blocks that a source is in, L{WIDER} as many.

What many share permits as many again, spread over the window, so that a site slows down instead of closing.
"""

WIDER: Mapping[str, int] = {"56": 2, "48": 4, "24": 4}
"""How many times the tries of a source a block of addresses has, by the length of its prefix."""


@dataclass(frozen=True, slots=True)
class Counted:
    """
    A try that has been counted.

    @ivar wait: how long the guest must wait before it may be made; None when it may be made now.
    @ivar attempt_ids: the counters, to L{forgive} it.
    """

    wait: timedelta | None
    attempt_ids: tuple[int, ...] = ()


async def count(cursor: Cursor, subjects: Sequence[Subject], now: datetime) -> Counted:
    """
    Count a try before it is made, in one round trip.

    @param subjects: what it counts against, the narrowest first: once one of them has had its tries, those that follow
        are spared, so that a guesser does not use up what others share.
    """
    limits = [(subject, most_of(subject.kind, subject.source)) for subject in subjects]
    tries = await count_tries(cursor, limits, now)
    return Counted(wait_after(tries, now), tuple(each.attempt_id for each in tries))


def forgive(cursor: Cursor, counted: Counted) -> None:
    """Take back a try that turned out right; this is sent with the next statement or COMMIT."""
    forgive_tries(cursor, counted.attempt_ids)


def spare(cursor: Cursor, request: GuestRequest) -> None:
    """Send that a guest has signed in with a password or a code, so that strangers use up nobody's tries there."""
    if request.source is not None:
        record_source(cursor, request.gateway.gw_id, blocks_of(request.source)[0], request.now)


def wait_after(tries: Iterable[Tries], now: datetime) -> timedelta | None:
    """
    Compute how long a guest must wait before they may try again.

    @return: until the last of the exceeded windows is over, or permits another try; None if none is exceeded.
    """
    ends = [_free_at(each) for each in tries if each.count > (each.permitted or most_of(each.kind, each.source))]
    return max(max(ends) - now, timedelta(seconds=1)) if ends else None


def most_of(kind: SubjectKind, source: str | None) -> int:
    """Return how many tries there may be in a window, at once."""
    return MOST[kind] * WIDER.get((source or "").rpartition("/")[2], 1)


def _free_at(tries: Tries) -> datetime:
    """Return when there may be another try; a window that has begun anew by then permits it, too."""
    most = most_of(tries.kind, tries.source)
    if tries.permitted is None or tries.permitted >= 2 * most:
        return tries.started_at + TRIES_WINDOW
    return tries.started_at + TRIES_WINDOW * (tries.permitted + 1 - most) / most


def passwords_of(account: Account | None, typed: str) -> Subject:
    """Return what tries at an account count against; where there is none, what was typed: the answers are the same."""
    if account is not None:
        return Subject(SubjectKind.PASSWORDS_OF_ACCOUNT, account_id=account.account_id)
    return Subject(SubjectKind.PASSWORDS_OF_ACCOUNT, name=typed)


def passwords_from(source: str) -> list[Subject]:
    """Return what passwords from an address count against, for whatever accounts."""
    return _from(source, SubjectKind.PASSWORDS_FROM_SOURCE)


def tries_of_device(gw_id: str, mac: str) -> Subject:
    """Return what passwords and codes typed on a device at a gateway count against."""
    return Subject(SubjectKind.DEVICE, gw_id, mac)


def codes(gw_id: str, mac: str | None, source: str | None) -> list[Subject]:
    """Return what a voucher code counts against: the device, the source at this gateway, the gateway."""
    device = [] if mac is None else [tries_of_device(gw_id, mac)]
    sources = _from(source, SubjectKind.CODES_FROM_SOURCE, gw_id)
    return [*device, *sources, _at_gateway(gw_id, SubjectKind.CODES_AT_GATEWAY, sources)]


def sign_ups(gw_id: str, mac: str | None, source: str | None) -> list[Subject]:
    """Return what a sign-up, which may send a mail, counts against."""
    device = [] if mac is None else [Subject(SubjectKind.SIGN_UPS_ON_DEVICE, gw_id, mac)]
    sources = _from(source, SubjectKind.SIGN_UPS_FROM_SOURCE)
    return [*device, *sources, _at_gateway(gw_id, SubjectKind.SIGN_UPS_AT_GATEWAY, sources)]


def mails_from(source: str) -> list[Subject]:
    """Return what addresses typed from a source count against."""
    return _from(source, SubjectKind.MAILS_FROM_SOURCE)


def _from(source: str | None, kind: SubjectKind, gw_id: str | None = None) -> list[Subject]:
    """Return the blocks of addresses that tries from a source count against, the narrowest first."""
    return [Subject(kind, gw_id, source=block) for block in (() if source is None else blocks_of(source))]


def _at_gateway(gw_id: str, kind: SubjectKind, sources: Sequence[Subject]) -> Subject:
    """Return the gateway that tries count against, unless guests have lately signed in from the narrowest source."""
    return Subject(kind, gw_id, spared=sources[0].source if sources else None)
