"""wifidogctl account: guests who sign in with name and password."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from getpass import getpass

from wifidogd.ctl.cli.arguments import JSON, add_nouns
from wifidogd.ctl.cli.command import Command, CommandFailed, WrongUsage
from wifidogd.ctl.cli.output import complain, instant, print_json, print_table
from wifidogd.domain.guests import Account
from wifidogd.domain.tokens import (
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    PasswordFlaw,
    flaw_of,
    fold_name,
    is_name,
    spellings_of,
)
from wifidogd.runtime.passwords import Passwords
from wifidogd.settings.text_files import read_line
from wifidogd.store.accounts.accounts import (
    add_account,
    list_accounts,
    set_disabled,
    set_password,
)

MOST = 10_000
"""How many accounts are listed."""


def add_parser(nouns: Callable[..., ArgumentParser]) -> None:
    """Add the noun and its verbs."""
    verbs = add_nouns(nouns("account", help="guests who sign in with name and password"))
    reads = "The password is asked for twice at a terminal; otherwise it is the first line of standard input."
    for verb, do, does in (("add", add, "add an account"), ("passwd", passwd, "change an account's password")):
        parser = verbs(verb, help=does, description=f"{does.capitalize()}. {reads}")
        parser.add_argument("name", type=account_name, metavar="NAME", help="user name; case does not matter")
        parser.set_defaults(command=do, prepare=ask_password)
    for verb, do, does in (
        ("disable", disable, "lock an account; its open sessions go on"),
        ("enable", enable, "unlock an account"),
    ):
        parser = verbs(verb, help=does, description=f"{does.capitalize()}.")
        parser.add_argument("name", type=account_name, metavar="NAME", help="user name")
        parser.set_defaults(command=do)
    verbs("list", parents=[JSON], help="list the accounts").set_defaults(command=list_all)


def account_name(text: str) -> str:
    """Read a user name, in the form that the store looks for first."""
    name = spellings_of(text)[0]
    if not is_name(fold_name(name)):
        raise ArgumentTypeError(f"{text!r} cannot be a user name: 1 to 100 characters that can be seen")
    return name


def ask_password(arguments: Namespace) -> None:
    """
    Read the password into C{arguments.password} before anything else happens.

    @raise WrongUsage: if it is too short, too long, or typed differently the second time.
    """
    if sys.stdin.isatty():
        password = getpass(f"Password for {arguments.name}: ")
        if getpass("Again: ") != password:
            raise WrongUsage("The two passwords differ: try again.")
    else:
        try:
            password = read_line(sys.stdin.buffer)
        except ValueError:
            raise WrongUsage("The password is not plain text: write it in UTF-8.") from None
    flaw = flaw_of(password)
    if flaw in (PasswordFlaw.SHORT, PasswordFlaw.LONG):
        raise WrongUsage(
            f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; this one has {len(password)}."
        )
    if flaw is not None:
        raise WrongUsage(f"The password has {flaw.value}, which guests would hardly type: choose another.")
    arguments.password = password


async def add(command: Command) -> None:
    """Add an account, unless the name is taken."""
    name, password_hash = fold_name(command.arguments.name), await _hash(command)
    if not await command.transaction(lambda cursor: add_account(cursor, name, password_hash, command.now)):
        raise CommandFailed(
            f"There is an account {name} already: `wifidogctl account passwd {name}` changes its password."
        )
    print(f"Added account {name}.")


async def passwd(command: Command) -> None:
    """Replace the password of an account."""
    name, password_hash = command.arguments.name, await _hash(command)
    _expect(await command.transaction(lambda cursor: set_password(cursor, name, password_hash)), name)
    print(f"Changed the password of {name}.  Its open sessions end when their gateways next report.")


async def disable(command: Command) -> None:
    """Lock an account."""
    name = command.arguments.name
    _expect(await command.transaction(lambda cursor: set_disabled(cursor, name, True)), name)
    print(f"Disabled {name}.  Open sessions continue: end them with `wifidogctl session kick --account {name}`.")


async def enable(command: Command) -> None:
    """Unlock an account."""
    name = command.arguments.name
    _expect(await command.transaction(lambda cursor: set_disabled(cursor, name, False)), name)
    print(f"Enabled {name}.")


async def list_all(command: Command) -> None:
    """List the accounts by name, never their passwords."""
    accounts = await command.transaction(lambda cursor: list_accounts(cursor, MOST))
    if command.arguments.json:
        print_json(
            [
                {
                    "name": account.name,
                    "disabled": account.disabled,
                    "created_at": instant(account.created_at),
                    "email": account.email,
                    "validated_at": instant(account.validated_at),
                }
                for account in accounts
            ]
        )
    elif accounts:
        print_table(
            ("NAME", "STATE", "CREATED"),
            [(account.name, _state(account), f"{account.created_at:%Y-%m-%d}") for account in accounts],
        )
    else:
        print("There are no accounts: add one with `wifidogctl account add NAME`.")
    if len(accounts) == MOST:
        complain(f"Only the first {MOST} accounts are listed.")


def _state(account: Account) -> str:
    if account.disabled:
        return "disabled"
    return "enabled" if account.validated_at is not None else "unconfirmed"


async def _hash(command: Command) -> str:
    passwords = Passwords(command.reactor, threads=1)
    passwords.start()
    try:
        return await passwords.hash(command.arguments.password)
    finally:
        passwords.stop()


def _expect(found: bool, name: str) -> None:
    if not found:
        raise CommandFailed(f"There is no account {name}: `wifidogctl account list` shows those there are.")
