"""wifidogctl plan, as operators and scripts run it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred

from tests.ctl.test_ctl import Operator, operator  # noqa: F401 - a fixture
from tests.support.builders import NOON, mac, run
from wifidogd.ctl import main
from wifidogd.domain.plans import AllowanceOwner
from wifidogd.store.accounting.usage import claim_allowance
from wifidogd.store.driver.database import Database

FULL = (
    *("--title", "Day pass", "--time", "2h", "--time-counts", "used", "--data", "500MB", "--down", "400MB"),
    *("--up", "none", "--devices", "2", "--when-full", "replace", "--valid-from", "2027-01-01"),
    *("--valid-until", "2027-01-31", "--hours", "mon-fri 08:00-18:00", "--day-time", "1h", "--day-data", "100MB"),
    *("--span", "24h", "--span-time", "2h", "--span-data", "1GB"),
)


@ensureDeferred
async def test_a_plan_is_made_changed_and_removed(operator: Operator) -> None:  # noqa: F811
    """Options that are not given keep their values; the output names what uses the plan."""
    assert "plan set NAME" in await operator.does("plan", "list")
    assert "network set NETWORK --plan pass" in await operator.does("plan", "set", "pass", *FULL)
    made = {
        "name": "pass",
        "title": "Day pass",
        "time_limit_seconds": 7_200,
        "time_counts": "used",
        "total_octets": 500_000_000,
        "incoming_octets": 400_000_000,
        "outgoing_octets": None,
        "devices": 2,
        "when_full": "replace",
        "valid_from": "2027-01-01T00:00:00Z",
        "valid_until": "2027-02-01T00:00:00Z",
        "hours": "mon-fri 08:00-18:00",
        "day_time_seconds": 3_600,
        "day_octets": 100_000_000,
        "span_seconds": 86_400,
        "span_time_seconds": 7_200,
        "span_octets": 1_000_000_000,
    }
    assert await operator.reads("plan", "list") == [made]
    changes = ("--time", "none", "--devices", "none", "--valid-until", "2027-01-31T18:00+01:00", "--hours", "none")
    assert await operator.does("plan", "set", "pass", *changes) == (
        "Changed plan pass, which holds at once for 0 guests online.\n"
    )
    changed = {"time_limit_seconds": None, "devices": None, "valid_until": "2027-01-31T17:00:00Z", "hours": ""}
    assert await operator.reads("plan", "list") == [made | changed]
    table = await operator.does("plan", "list")
    assert "500 MB (400 MB down, - up)" in table
    assert "1h or 100 MB" in table
    assert "2h or 1.0 GB in 1d" in table
    assert await operator.does("plan", "remove", "pass") == "Removed plan pass.\n"
    assert "There is no plan pass" in await operator.fails("plan", "remove", "pass", code=1)


@ensureDeferred
async def test_a_plan_that_is_used_is_not_removed(operator: Operator, database: Database) -> None:  # noqa: F811
    """It is said what uses it."""
    await operator.does("plan", "set", "pass", "--time", "2h")
    await operator.does("network", "set", "hotel", "--plan", "pass")
    await run(database, claim_allowance, AllowanceOwner(mac=mac(1)), "hotel", "pass", NOON)
    assert "used by 1 network, 1 allowance" in await operator.fails("plan", "remove", "pass", code=1)
    await operator.does("network", "set", "hotel", "--plan", "none")
    assert (await operator.reads("network", "list"))[1]["plan"] is None
    assert "(there is pass)" in await operator.fails("network", "set", "hotel", "--plan", "gold", code=1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--span", "24h"), "--span-time or --span-data"),
        (("--span-time", "2h"), "--span 24h"),
        (("--valid-from", "2027-02-01", "--valid-until", "2027-01-31"), "later --valid-until"),
    ],
)
@ensureDeferred
async def test_limits_that_contradict_each_other_are_refused(
    operator: Operator,  # noqa: F811
    words: tuple[str, ...],
    says: str,
) -> None:
    """Nothing is changed."""
    assert says in await operator.fails("plan", "set", "pass", *words, code=1)
    assert await operator.reads("plan", "list") == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("Day Pass",), "cannot name a plan"),
        (("none",), "cannot name a plan"),
        (("pass", "--time", "soon"), "90s, 10m, 1h30m"),
        (("pass", "--time-counts", "both"), "wall or used"),
        (("pass", "--when-full", "wait"), "refuse or replace"),
        (("pass", "--devices", "101"), "100 devices are the most"),
        (("pass", "--devices", "0"), "from 1 up"),
        (("pass", "--hours", "8-18"), "mon-fri 08:00-18:00"),
        (("pass", "--hours", "8:00"), "mon-fri 08:00-18:00"),
        (("pass", "--data", "500"), "write 500MB"),
        (("pass", "--day-data", "2G"), "write 2GB"),
        (("pass", "--span-data", "1.5"), "write 1.5MB"),
        (("pass", "--hours", ", ".join(["mon 08:00-18:00"] * 30)), "400 characters"),
        (("pass", "--span", "59m"), "1h to 31d"),
        (("pass", "--span", "32d"), "1h to 31d"),
        (("pass", "--valid-until", "tomorrow"), "2027-01-31"),
        (("pass", "--valid-from", "2027-01-31T18:00"), "+01:00"),
    ],
)
def test_wrong_usage_says_what_to_type_instead(
    words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And touches no database."""
    with pytest.raises(SystemExit) as end:
        main(("plan", "set", *words))
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


@ensureDeferred
async def test_a_network_gets_all_it_can_offer(operator: Operator, tmp_path: Path) -> None:  # noqa: F811
    """Terms in several languages; another version each time that they change, and only then."""
    (tmp_path / "en").write_text("Be nice.")
    (tmp_path / "de").write_text("Sei nett.")
    (tmp_path / "none").write_text("\n")
    (tmp_path / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    await operator.does("plan", "set", "pass", "--time", "2h")
    await operator.does(
        *("network", "set", "hotel", "--plan", "pass", "--time-zone", "Europe/Berlin", "--sign-up", "yes"),
        *("--grace", "30m", "--remember", "30d", "--remember-random", "1d", "--remember-mac", "yes"),
        *("--colour", "#0A7F5A", "--logo", str(tmp_path / "logo.svg")),
        *("--terms-file", str(tmp_path / "en"), "--terms-file", f"de={tmp_path / 'de'}"),
    )
    made = (await operator.reads("network", "list"))[1]
    assert made["terms"] == {"de": "Sei nett.", "en": "Be nice."}
    expected = {
        "plan": "pass",
        "time_zone": "Europe/Berlin",
        "sign_up": True,
        "grace_seconds": 1_800,
        "remember_seconds": 2_592_000,
        "remember_random_seconds": 86_400,
        "remember_mac": True,
        "roaming": True,
        "lets_known_through": False,
        "colour": "#0a7f5a",
        "logo_octets": 41,
        "terms_version": 2,
    }
    assert {name: made[name] for name in expected} == expected
    await operator.does("network", "set", "hotel", "--terms-file", f"de={tmp_path / 'de'}", "--title", "Hotel")
    assert (await operator.reads("network", "list"))[1]["terms_version"] == 2
    removing = ("--terms-file", f"de={tmp_path / 'none'}", "--colour", "none", "--logo", "none", "--remember", "none")
    await operator.does("network", "set", "hotel", *removing)
    changed = (await operator.reads("network", "list"))[1]
    assert (changed["terms"], changed["terms_version"]) == ({"en": "Be nice."}, 3)
    assert (changed["colour"], changed["logo_octets"], changed["remember_seconds"]) == (None, None, None)
