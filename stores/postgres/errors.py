"""What the client's errors mean for us: try again, this row can never be stored, or stop."""

from collections.abc import Generator
from contextlib import contextmanager

import asyncpg

from schemas.errors import ErrorCode, FatalError, PoisonError, TransientError


class RefusedError(PoisonError):
    """The database refuses a row: data that it cannot hold, or that breaks a constraint."""

    code = ErrorCode.REFUSED_BY_STORE


# https://www.postgresql.org/docs/current/errcodes-appendix.html
_REFUSED_CLASSES = frozenset({"21", "22", "23", "54"})
_FATAL_CLASSES = frozenset({"0A", "26", "28", "3D", "3F", "42"})


def translated(error: Exception) -> TransientError | RefusedError | FatalError:
    """Return what `error` of the client means for us; the caller raises it `from` the original.

    What is not known to be the data's or the installation's fault is transient: nothing is given up for it.
    """
    if isinstance(error, asyncpg.PostgresError):
        state: str = getattr(error, "sqlstate", None) or ""
        if state[:2] in _REFUSED_CLASSES:
            return RefusedError(f"the database refuses the row: {_unquoted(error)} ({state})")
        if state[:2] in _FATAL_CLASSES:
            return FatalError(
                f"the database does not fit this program: {error} ({state}); "
                "check DATABASE_URL and run `maestro migrate`"
            )
        return TransientError(f"the database cannot answer now: {error} ({state})")
    if isinstance(error, asyncpg.DataError):
        # The client could not encode an argument: the value is outside the column's type.
        return RefusedError(f"the database cannot hold the row: {_unquoted(error)}")
    if isinstance(error, ValueError):
        return FatalError(f"DATABASE_URL cannot be used: {error}")
    return TransientError(f"the database cannot be reached: {type(error).__name__} {error}".rstrip())


def _unquoted(error: Exception) -> str:
    """Return what an error says without the row or the value that it quotes: what people wrote is in no log.

    The server shows whole rows in its details, the client the value that it could not encode.
    """
    said: str | None = getattr(error, "message", None)
    if said is not None:
        return said
    head, colon, _ = str(error).partition(": ")
    return f"{head}: {error.__cause__}" if colon and error.__cause__ else str(error)


@contextmanager
def translation() -> Generator[None]:
    """Translate every error of the client that leaves the block.

    Raises:
        TransientError: connection lost, time out, deadlock, shutting down, out of resources.
        RefusedError: the data can never be stored.
        FatalError: missing tables, wrong password, unknown database, unusable URL.

    """
    try:
        yield
    except (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,  # includes TimeoutError
        ValueError,
    ) as error:
        raise translated(error) from error
