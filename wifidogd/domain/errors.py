"""Errors, named after what happened.  Refusing a guest is a L{Decision}, never an exception."""


class WifidogdError(Exception):
    """Base of every error that wifidogd raises on purpose."""


class ConfigurationError(WifidogdError):
    """
    The operator asked for something impossible.

    The message is one sentence that says what to write instead.
    """


class MalformedRequest(WifidogdError):
    """
    A gateway sent a query that cannot be read.

    @ivar parameter: name of the offending query parameter, e.g. C{"stage"}.
    @ivar problem: what was wrong with it, for the log.
    """

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(f"{parameter}: {problem}")
        self.parameter = parameter
        self.problem = problem


class MisnamedGateway(MalformedRequest):
    """
    A gateway has a name under which it cannot be adopted.

    @ivar shown: the name, safe to store and to show.
    """

    def __init__(self, parameter: str, shown: str) -> None:
        super().__init__(parameter, f"{shown!r} is not 1 to 64 of A-Z a-z 0-9 . _ : -; change its GatewayID")
        self.shown = shown


class StoreError(WifidogdError):
    """Base of what the database can answer instead of a result."""


class StoreUnavailable(StoreError):
    """
    PostgreSQL cannot be reached, is too slow, too busy, or went away before COMMIT was confirmed.

    The outcome of the transaction is unknown.
    """


class StoreLocked(StoreUnavailable):
    """Another transaction holds a row that was not to be waited for, or held it for too long; nothing was changed."""


class StoreConflict(StoreError):
    """
    Two transactions collided (deadlock, serialisation, unique key); nothing was changed and a second try may succeed.
    """


class StoreRefused(StoreError):
    """
    PostgreSQL refused a value or a statement; nothing was changed and a second try would fail too.

    The message is PostgreSQL's own, first line only.
    """


class Overloaded(WifidogdError):
    """A bounded queue is full; the caller should come back later."""
