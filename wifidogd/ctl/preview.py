"""wifidogctl network preview: an address that shows an operator what guests see."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from wifidogd.ctl.errand import Errand, NotDone
from wifidogd.ctl.parsing import server, setting
from wifidogd.reach import guess_url
from wifidogd.store.networks import fetch_networks
from wifidogd.store.signing import fetch_secret
from wifidogd.web.state import FormState


@dataclass(frozen=True, slots=True)
class Secret:
    """What signs addresses."""

    signing_secret: str


def add_preview(verbs: Callable[..., ArgumentParser]) -> None:
    """Describe the verb."""
    parser = verbs(
        "preview",
        help="print an address that shows each page",
        description="Print an address at which a browser shows each page of a network, for an hour.",
    )
    parser.add_argument("name", metavar="NAME", help="which network")
    parser.add_argument(
        "--server",
        metavar="URL",
        type=server,
        default=setting("public-url"),
        help="how your browser reaches the server (default: this machine's address)",
    )
    parser.add_argument(
        "--path",
        metavar="PATH",
        default=setting("path") or "/wifidog/",
        help="the server's --path (default: %(default)s)",
    )
    parser.set_defaults(command=preview)


async def preview(errand: Errand) -> None:
    """Sign an address."""
    name = errand.arguments.name
    if name not in {network.name for network in await errand.transaction(fetch_networks)}:
        raise NotDone(f"There is no network {name}: see `wifidogctl network list`.")
    state = FormState(Secret(await errand.transaction(fetch_secret)), lambda: errand.now)
    base = f"{errand.arguments.server or guess_url('tcp:8080')}/{errand.arguments.path.strip('/')}".rstrip("/")
    print(f"{base}/preview?{urlencode({'state': state.seal_preview(name)})}")
