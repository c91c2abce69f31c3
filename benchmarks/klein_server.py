"""
What wifidogd's durable counters request is compared with: the least that a Klein server can do.

Like wifidogd it keeps no access log.

C{python -m benchmarks.klein_server PORT} answers a constant.  With C{run} as second argument it does so by Klein's own
C{run()}, which keeps an access log; with a DSN it keeps what a report says, in one transaction for each request.
"""

from __future__ import annotations

import sys
from functools import partial

from klein import Klein
from twisted.internet import reactor
from twisted.web.iweb import IRequest
from twisted.web.server import Site

from wifidogd.domain.tokens import hash_secret
from wifidogd.store.driver.database import Cursor, Database

ALLOWED = b"Auth: 1\n"

AS_IT_COMES = "run"

LOCK = """
    SELECT incoming, outgoing, last_incoming, last_outgoing
      FROM sessions
     WHERE token_hash = %(token_hash)s
       FOR UPDATE
"""

SAVE = """
    UPDATE sessions
       SET reported_at = now(), incoming = %(incoming)s, outgoing = %(outgoing)s,
           last_incoming = %(incoming)s, last_outgoing = %(outgoing)s
     WHERE token_hash = %(token_hash)s
"""


class Constant:
    """Lets everybody stay, and remembers nothing."""

    app = Klein()

    @app.route("/wifidog/auth/")
    def auth(self, request: IRequest) -> bytes:
        """Answer."""
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        return ALLOWED


class OneTransaction:
    """Keeps each report before it answers: what group commit is to be better than."""

    app = Klein()

    def __init__(self, database: Database) -> None:
        self._database = database

    @app.route("/wifidog/auth/")
    async def auth(self, request: IRequest) -> bytes:
        """Settle one report by itself; nothing is checked, so that nothing but the transaction costs."""
        said = {name: values[0] for name, values in request.args.items()}
        report = {
            "token_hash": hash_secret(said[b"token"].decode()),
            "incoming": int(said[b"incoming"]),
            "outgoing": int(said[b"outgoing"]),
        }
        await self._database.transaction(partial(settle, report))
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        return ALLOWED


async def settle(report: dict[str, object], cursor: Cursor) -> None:
    """
    Read under lock, then write: totals may restart, so that no server can do with the UPDATE alone.

    The UPDATE travels with COMMIT, as the ledger's does: two round trips.
    """
    await cursor.execute(LOCK, report)
    if cursor.fetchone() is None:
        raise LookupError("no such session")
    cursor.send(SAVE, report)


class Quiet(Site):
    """A site without an access log."""

    def log(self, request: object) -> None:
        """Keep no access log."""


def main(port: str, dsn: str | None = None) -> None:
    """Serve until a signal comes."""
    pages: Constant | OneTransaction = Constant()
    if dsn == AS_IT_COMES:
        pages.app.run("127.0.0.1", int(port))
        return
    if dsn is not None:
        database = Database(clock=reactor)  # type: ignore[arg-type]
        database.start(dsn)
        pages = OneTransaction(database)
    reactor.listenTCP(int(port), Quiet(pages.app.resource()), backlog=1024, interface="127.0.0.1")  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(*sys.argv[1:])
