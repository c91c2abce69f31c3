"""Fixtures that more than one journey needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.support.browser import chromium


@pytest.fixture(scope="module")
def driver() -> Iterator[Chrome]:
    """One browser for all journeys, which takes longer to start than a journey takes."""
    with chromium() as driver:
        yield driver
