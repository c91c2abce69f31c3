"""The configuration of routers, as `gateway adopt` and `gateway config` print it."""

from __future__ import annotations

import pytest
from pytest_twisted import ensureDeferred

from tests.ctl.test_ctl import ADOPT, Operator, execute, operator, wifidogctl
from wifidogd.gateways.configurations.router_formats import RouterFormat
from wifidogd.store.driver.database import Database

__all__ = ["operator"]

SERVER = ("--server", "https://wifi.example")


@pytest.mark.parametrize(
    ("user_agent", "words", "begins"),
    [
        ("ApFree-WiFiDog", (), "ExternalInterface wan\n"),
        ("LuaSocket 3.0.0", (), "uci set 'wifidog-ng.@gateway[0].enabled=1'\n"),
        ("WiFiDog 1.3.0", (), "GatewayID lobby\n"),
        ("WiFiDog 1.3.0", ("--for", "openwrt"), "cat > /etc/wifidog.conf <<END\n"),
    ],
)
@ensureDeferred
async def test_adoption_prints_what_the_router_reads(
    dsn: str, database: Database, operator: Operator, user_agent: str, words: tuple[str, ...], begins: str
) -> None:
    """As the software that has called reads it, with the key that is shown this once only."""
    await execute(
        database,
        "INSERT INTO waiting_gateways (gw_id, first_seen, last_seen, source, version)"
        f" VALUES ('lobby', now(), now(), '203.0.113.7', '{user_agent}')",
    )
    adopted = await operator.does("gateway", "adopt", "lobby", "--address", "192.168.1.1", *SERVER, *words)
    said, _, configuration = adopted.partition("\n\n")
    assert said.startswith("Adopted lobby")
    assert configuration.startswith(begins)
    assert "wifi.example" in configuration


@pytest.mark.parametrize("router_format", list(RouterFormat))
@ensureDeferred
async def test_every_format_is_printed_for_a_router_without_a_key(
    dsn: str, operator: Operator, router_format: RouterFormat
) -> None:
    """Standard output holds nothing else."""
    await operator.does(*ADOPT)
    outcome = await wifidogctl("--database", dsn, "gateway", "config", "lobby", *SERVER, "--for", router_format.value)
    assert outcome.code == 0
    assert "wifi.example" in outcome.out
    assert "wifidogctl:" not in outcome.out


@ensureDeferred
async def test_no_key_is_made_for_software_that_cannot_have_it(operator: Operator) -> None:
    """Neither for a new router, which is not adopted then, nor for one that has none yet."""
    words = ("gateway", "adopt", "lobby", "--address", "192.168.1.1", "--expect", "--for", "apfree-uci", *SERVER)
    assert "no place for a key" in await operator.fails(*words, code=1)
    assert (await operator.reads("gateway", "list"))["adopted"] == []
    await operator.does(*words, "--no-key")
    config = ("gateway", "config", "lobby", "--for", "apfree-uci", *SERVER)
    assert "no place for a key" in await operator.fails(*config, "--new-key", code=1)
    assert (await operator.reads("gateway", "list"))["adopted"][0]["keys"] == 0
    assert "wifidogx.common.auth_server_hostname" in await operator.does(*config)


@ensureDeferred
async def test_the_command_for_a_new_key_names_the_format(dsn: str, operator: Operator) -> None:
    """Whoever follows it gets the same with the key in it."""
    await operator.does("gateway", "adopt", "lobby", "--address", "192.168.1.1", "--expect", *SERVER)
    outcome = await wifidogctl("--database", dsn, "gateway", "config", "lobby", *SERVER, "--for", "apfree")
    assert "`wifidogctl gateway config lobby --for apfree --new-key`" in outcome.err
    assert "k=YOUR-KEY&" in outcome.out
