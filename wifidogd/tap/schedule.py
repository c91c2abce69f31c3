"""What is done how often."""

from __future__ import annotations

from datetime import timedelta

from twisted.application.internet import TimerService
from twisted.internet.interfaces import IReactorTime

from wifidogd.accounting.expiry import Expiry
from wifidogd.accounting.retention import Retention
from wifidogd.accounts.outbox import Outbox
from wifidogd.gateways.activity import Activity
from wifidogd.gateways.devices import Devices
from wifidogd.gateways.heartbeats import Heartbeats
from wifidogd.gateways.observations import Observations
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.clock_watch import LOOK, ClockWatch
from wifidogd.runtime.timers import every
from wifidogd.web.portal.routes import MailServices
from wifidogd.web.server.health import BEAT, ReactorLag

REFRESH_REGISTRY = timedelta(seconds=1)
"""How often a process looks whether an operator, or another process, has adopted or changed anything."""


def make_timers(
    lag: ReactorLag,
    clock_watch: ClockWatch,
    registry: Registry,
    heartbeats: Heartbeats,
    devices: Devices,
    activity: Activity,
    observations: Observations,
    expiry: Expiry,
    retention: Retention,
    clock: IReactorTime,
) -> list[TimerService]:
    """Make the timers that every process has."""
    jobs = [
        (BEAT, lag.look, "measuring the reactor's lag"),
        (LOOK, clock_watch.look, "looking at the clocks"),
        (REFRESH_REGISTRY, registry.refresh, "reading who is adopted"),
        (timedelta(seconds=5), heartbeats.flush, "writing heartbeats"),
        (timedelta(seconds=5), devices.flush, "writing which devices gateways are on"),
        (timedelta(seconds=5), observations.flush, "writing what reports show of gateways"),
        (timedelta(seconds=5), activity.flush, "writing what gateways do"),
        (timedelta(seconds=30), expiry.record_heard, "telling other servers what was heard"),
        (timedelta(seconds=15), expiry.end_overdue, "ending sessions over their time"),
        (timedelta(seconds=30), expiry.end_stale, "ending sessions without reports"),
        (timedelta(seconds=30), expiry.end_lost_in_restart, "ending sessions lost in a restart"),
        (timedelta(seconds=30), expiry.end_unused, "ending tokens never used"),
        (timedelta(minutes=10), retention.forget, "deleting old tries and silent strangers"),
        (timedelta(hours=1), retention.purge_history, "purging old history"),
    ]
    return [every(interval, job, clock=clock, name=name) for interval, job, name in jobs]


def make_mail_timers(outbox: Outbox | None, mail: MailServices | None, clock: IReactorTime) -> list[TimerService]:
    """Make the timers that send mails, and delete links that are of no use any more."""
    if outbox is None or mail is None:
        return []
    return [
        every(timedelta(seconds=2), outbox.send_due, clock=clock, name="sending mail"),
        every(timedelta(minutes=10), mail.registration.forget, clock=clock, name="deleting old links"),
    ]
