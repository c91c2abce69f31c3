"""A pytest plugin for CI (C{-p tests.support.ci.no_skips}): a test that did not really run is a failure."""

from __future__ import annotations

import pytest

UNTESTED = ("skipped", "xfailed", "xpassed")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail an otherwise good run in which a test was skipped or expected to fail; C{-ra} lists which and why."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and any(reporter.stats.get(kind) for kind in UNTESTED):
        reporter.write_line(f"\nNo test may be {' or '.join(UNTESTED)} here.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
