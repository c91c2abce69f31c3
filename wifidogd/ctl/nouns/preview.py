"""wifidogctl network preview: an address that shows an operator what guests see."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from wifidogd.ctl.cli.command import Command, CommandFailed
from wifidogd.ctl.cli.server_address import find_server, server_options
from wifidogd.store.gateways.networks import fetch_networks
from wifidogd.store.gateways.signing_key import fetch_secret
from wifidogd.web.portal.form_state import FormState


@dataclass(frozen=True, slots=True)
class Secret:
    """The secret that signs addresses."""

    signing_secret: str


def add_preview(verbs: Callable[..., ArgumentParser]) -> None:
    """Add the verb."""
    parser = verbs(
        "preview",
        parents=[server_options()],
        help="print an address that shows each page",
        description="Print an address at which a browser shows each page of a network, for an hour.",
    )
    parser.add_argument("name", metavar="NAME", help="which network")
    parser.set_defaults(command=preview)


async def preview(command: Command) -> None:
    """Print a signed address."""
    name = command.arguments.name
    if name not in {network.name for network in await command.transaction(fetch_networks)}:
        raise CommandFailed(f"There is no network {name}: see `wifidogctl network list`.")
    state = FormState(Secret(await command.transaction(fetch_secret)), lambda: command.now)
    server = await find_server(command)
    print(f"{server.pages}preview?{urlencode({'state': state.seal_preview(name)})}")
