"""A database that can only be read: each statement in a read-only transaction on a fresh connection."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from schemas.errors import ErrorCode, MaestroError, TransientError

_CONNECT_WITHIN_S: Final = 5.0
_CLOSE_WITHIN_S: Final = 2.0

# Whoever may read everything, or would read the record, must not be lent to a model.
_WHO_AM_I: Final = """
SELECT rolsuper AS is_superuser,
       pg_has_role(current_user, 'pg_read_server_files', 'member')
         OR pg_has_role(current_user, 'pg_execute_server_program', 'member') AS reads_files,
       EXISTS (SELECT FROM pg_class WHERE relname = 'session_heads') AS is_record
FROM pg_roles WHERE rolname = current_user
"""

MAX_ROW_BYTES: Final = 1_000_000
"""Largest row that leaves the server: one value may have a gigabyte, and a client would take all of it."""
_FETCHED_BYTES: Final = 4_000_000
"""Bytes of rows, about, after which no more are fetched."""
_ROWS_AT_ONCE: Final = 20
_TOO_LARGE: Final = "a row is too large"
# A cast that fails is the one way to raise an error in an expression. What it says depends on the row, or the
# planner would try it beforehand.
_GUARDED: Final = """
SELECT maestro_row.* FROM (
{sql}
) AS maestro_row
WHERE CASE WHEN pg_column_size(maestro_row.*) > {limit}
  THEN ('{too_large}: ' || pg_column_size(maestro_row.*))::integer ELSE 1 END = 1
"""


class QueryError(MaestroError):
    """The statement gave no rows: refused, or too slow. The message is for the model that wrote it."""

    code = ErrorCode.TOOL_FAILED


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result: its name and PostgreSQL's name of its type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as the client gives them; `truncated` tells that there are more."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool


class ReadOnlyPostgres:
    """The database at `url`, whose role must not be a superuser and which must not be the record."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_checked = False

    async def query(self, sql: str, *, row_limit: int, time_limit_s: float) -> Table:
        """Return the first `row_limit` rows of one statement that gives rows, fewer where they are large.

        After `time_limit_s` seconds the client cancels it; the server's own limit stands behind that.

        Raises:
            QueryError: the database refuses the statement, or the time is over.
            TransientError: the database cannot be reached.

        """
        async with self._connected(time_limit_s) as connection:
            try:
                await self._refuse_dangerous(connection)
                async with asyncio.timeout(time_limit_s):
                    return await _read(connection, sql, row_limit, time_limit_s)
            except (TimeoutError, asyncpg.QueryCanceledError) as error:
                message = f"the query took longer than {time_limit_s:g} s and was cancelled; ask for less"
                raise QueryError(message, code=ErrorCode.TOOL_TIMEOUT) from error
            except asyncpg.PostgresConnectionError as error:
                raise TransientError(_sentence(error)) from error
            except asyncpg.PostgresError as error:
                if _TOO_LARGE in str(error):
                    message = f"{_TOO_LARGE}: more than {MAX_ROW_BYTES} bytes; select less of it, or a part"
                    raise QueryError(message) from error
                raise QueryError(_sentence(error)) from error
            except asyncpg.InterfaceError as error:
                message = f"the query cannot be run: {error}"
                raise QueryError(message) from error

    @asynccontextmanager
    async def _connected(self, time_limit_s: float) -> "AsyncGenerator[asyncpg.Connection[asyncpg.Record]]":
        try:
            connection = await asyncpg.connect(
                self._url,
                timeout=_CONNECT_WITHIN_S,
                statement_cache_size=0,
                server_settings={
                    "application_name": "maestro sql_query",
                    "timezone": "UTC",
                    "default_transaction_read_only": "on",
                    "statement_timeout": str(int(time_limit_s * 1000) + 1000),
                    "lock_timeout": "1000",
                },
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            message = f"the database in MAESTRO_SQL_URL cannot be reached ({type(error).__name__})"
            raise TransientError(message) from error
        try:
            yield connection
        finally:
            # Closing waits for a cancellation that is on its way to the server.
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=_CLOSE_WITHIN_S)

    async def _refuse_dangerous(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        if self._is_checked:
            return
        who = await connection.fetchrow(_WHO_AM_I, timeout=_CONNECT_WITHIN_S)
        if who is None or who["is_superuser"] or who["reads_files"]:
            message = "MAESTRO_SQL_URL names a role that may do too much; give it one that may only read"
            raise QueryError(message, code=ErrorCode.MISCONFIGURED)
        if who["is_record"]:
            message = "MAESTRO_SQL_URL names the record's own database; give it another one"
            raise QueryError(message, code=ErrorCode.MISCONFIGURED)
        self._is_checked = True


async def _read(
    connection: "asyncpg.Connection[asyncpg.Record]", sql: str, row_limit: int, time_limit_s: float
) -> Table:
    # Explicit: whoever reaches set_config can switch the session's default off, but not this.
    await connection.execute("BEGIN READ ONLY")
    try:
        # Preparing accepts one statement only, whatever the text holds.
        guarded = _GUARDED.format(sql=sql, limit=MAX_ROW_BYTES, too_large=_TOO_LARGE)
        statement = await connection.prepare(guarded, timeout=time_limit_s)
        columns = tuple(
            Column(attribute.name, attribute.type.name) for attribute in statement.get_attributes()
        )
        cursor = await statement.cursor()
        rows: list[asyncpg.Record] = []
        size = 0
        while len(rows) <= row_limit and size < _FETCHED_BYTES:
            found = await cursor.fetch(min(_ROWS_AT_ONCE, row_limit + 1 - len(rows)))
            if not found:
                return Table(columns, tuple(tuple(row.values()) for row in rows), truncated=False)
            rows += found
            size += sum(
                len(value) for row in found for value in row.values() if isinstance(value, str | bytes)
            )
        return Table(columns, tuple(tuple(row.values()) for row in rows[:row_limit]), truncated=True)
    finally:
        if not connection.is_closed() and connection.is_in_transaction():
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await connection.execute("ROLLBACK", timeout=_CLOSE_WITHIN_S)


def _sentence(error: asyncpg.PostgresError) -> str:
    hint: str | None = getattr(error, "hint", None)
    state: str | None = getattr(error, "sqlstate", None)
    return f"the database says: {error.args[0] if error.args else error} ({state})" + (
        f". {hint}" if hint else ""
    )
