"""wifidogctl: commands for operators, which work on the server's database."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from twisted.internet.task import react

from wifidogd import __version__
from wifidogd.ctl.backup import backup, restore
from wifidogd.ctl.cli.arguments import OneLineParser, add_nouns, setting
from wifidogd.ctl.cli.command import Command, CommandFailed, ExitCode, WrongUsage
from wifidogd.ctl.cli.output import complain, printing
from wifidogd.ctl.migration import importing
from wifidogd.ctl.nouns import account, gateway, network, plan, session, status, voucher
from wifidogd.ctl.simulate import simulate
from wifidogd.domain.errors import ConfigurationError, StoreConflict, StoreRefused, StoreUnavailable
from wifidogd.settings import checked_data_dir, default_data_dir
from wifidogd.store.driver.database import Database
from wifidogd.store.embedded.data_directory import dsn_of
from wifidogd.store.migrations import fetch_schema_version, released

DESCRIPTION = """
Administer a wifidogd: its gateways, networks, plans, accounts, vouchers and
sessions.  Works on the database of the server, also while it runs; the server
follows within a second.
"""

EXIT_CODES = """
Exit codes: 0 done, 1 refused or not found, 2 wrong usage, 3 database not
reachable.
"""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """
    Run wifidogctl and exit.

    @param argv: None for the words on the command line.
    """
    with printing():
        parser = build_parser()
        arguments = parser.parse_args(argv)
        try:
            arguments.prepare(arguments)
        except WrongUsage as error:
            complain(str(error))
            sys.exit(ExitCode.WRONG_USAGE)
        react(_run, (arguments,))


def build_parser() -> ArgumentParser:
    """Return the parser of the whole command line."""
    parser = OneLineParser("wifidogctl", description=DESCRIPTION, epilog=EXIT_CODES, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"wifidogctl {__version__}")
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        default=setting("data-dir") or str(default_data_dir()),
        help="the server's --data-dir, also WIFIDOGD_DATA_DIR (default: %(default)s)",
    )
    parser.add_argument(
        "--database",
        metavar="DSN",
        default=setting("database"),
        help="the server's --database, also WIFIDOGD_DATABASE (default: the PostgreSQL in --data-dir)",
    )
    parser.set_defaults(prepare=lambda arguments: None, run=_with_database)
    nouns = add_nouns(parser, "NOUN")
    for noun in (gateway, account, voucher, plan, network, session, importing, status, simulate, backup, restore):
        noun.add_parser(nouns)
    return parser


async def _run(reactor: Any, arguments: Namespace) -> None:
    """
    Run one command.

    @raise SystemExit: if it was not done.
    """
    try:
        await arguments.run(reactor, arguments)
    except ConfigurationError as error:
        complain(str(error))
        raise SystemExit(ExitCode.WRONG_USAGE) from None
    except StoreUnavailable as error:
        complain(_why_unreachable(arguments, error))
        raise SystemExit(ExitCode.UNREACHABLE) from None
    except StoreConflict:
        complain("Somebody else changed the same thing at the same moment: try again.")
        raise SystemExit(ExitCode.REFUSED) from None
    except (CommandFailed, StoreRefused) as error:
        complain(str(error))
        raise SystemExit(ExitCode.REFUSED) from None
    except BrokenPipeError:
        raise SystemExit(ExitCode.NOBODY_READS) from None
    except OSError as error:
        complain(f"{error}.")
        raise SystemExit(ExitCode.REFUSED) from None


async def _with_database(reactor: Any, arguments: Namespace) -> None:
    database = Database(clock=reactor, size=1)
    database.start(arguments.database or dsn_of(checked_data_dir(arguments.data_dir)))
    try:
        command = Command(arguments, database, reactor, datetime.now(UTC))
        _expect_schema(await command.transaction(fetch_schema_version))
        await arguments.command(command)
    finally:
        await database.stop()


def _expect_schema(version: int) -> None:
    """Refuse to touch a database that this wifidogctl does not understand."""
    newest = released()[-1][0]
    if version == 0:
        raise CommandFailed("No wifidogd has used this database yet: start the server once, it makes the tables.")
    if version != newest:
        raise CommandFailed(
            f"The database has schema {version}, not {newest}: use the wifidogctl that came with the server."
        )


def _why_unreachable(arguments: Namespace, error: StoreUnavailable) -> str:
    """Return one sentence that says what to do; a DSN may hold a password and is not repeated."""
    if arguments.database:
        return f"PostgreSQL does not answer ({error}): check that it runs, and what --database says."
    return (
        f"The server's PostgreSQL in {arguments.data_dir} does not answer: start the server with "
        f"`twistd -n wifidogd --data-dir {arguments.data_dir}`, or name another --data-dir or --database."
    )
