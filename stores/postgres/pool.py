"""The database: a pool of connections, transactions and savepoints, with errors translated."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from types import CoroutineType
from typing import Any, TypeAlias

import asyncpg
import asyncpg.pool

from schemas.errors import MaestroError, TransientError
from stores.postgres.errors import RefusedError, translation
from stores.postgres.settings import PostgresSettings

Row = asyncpg.Record
"""One row of an answer; columns by name."""

Prepare: TypeAlias = "Callable[[asyncpg.Connection[Row]], CoroutineType[Any, Any, None]]"
"""Makes a new connection ready."""

_Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[Row]"


class Transaction:
    """One open transaction. Leaving its block without an error commits it."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    async def fetch(self, statement: str, *arguments: object) -> list[Row]:
        """Return all rows of a statement."""
        with translation():
            return await self._connection.fetch(statement, *arguments)

    async def execute(self, statement: str, *arguments: object) -> int:
        """Run a statement; return how many rows it touched."""
        with translation():
            status = await self._connection.execute(statement, *arguments)
        return _rows_of(status)

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Copy rows into a table, in binary: the quickest way for thousands of them."""
        with translation():
            try:
                await self._connection.copy_records_to_table(table, records=rows, columns=list(columns))
            except (ValueError, TypeError, OverflowError) as error:
                # Of an argument the client says in an error of its own that it cannot encode it; not here.
                message = f"the database cannot hold a row: {error}"
                raise RefusedError(message) from error

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Undo what the block did when it raises; the transaction goes on."""
        async with _transaction_on(self._connection):
            yield


class Database:
    """A pool of connections to the record. Connects when first used, and again after the server was away.

    `prepare` makes each new connection ready, for example for a type that the client does not know.
    """

    def __init__(self, settings: PostgresSettings, *, prepare: "Prepare | None" = None) -> None:
        self._settings = settings
        self._prepare = prepare
        self._pool: asyncpg.Pool[Row] | None = None
        self._opening = asyncio.Lock()

    async def start(self) -> None:
        """Open the pool.

        Raises:
            TransientError: the server cannot be reached.
            FatalError: it refuses us, or the URL cannot be used.

        """
        await self._opened()

    async def stop(self) -> None:
        """Close the pool: wait for queries in flight, but not longer than one may take."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            await asyncio.wait_for(pool.close(), self._settings.command_timeout_s)
        except TimeoutError:
            pool.terminate()

    async def fetch(self, statement: str, *arguments: object) -> list[Row]:
        """Return all rows of one statement."""
        async with self._connection() as connection:
            with translation():
                return await connection.fetch(statement, *arguments)

    async def fetch_one(self, statement: str, *arguments: object) -> Row | None:
        """Return the first row of one statement, or None."""
        async with self._connection() as connection:
            with translation():
                return await connection.fetchrow(statement, *arguments)

    async def execute(self, statement: str, *arguments: object) -> int:
        """Run one statement; return how many rows it touched."""
        async with self._connection() as connection:
            with translation():
                return _rows_of(await connection.execute(statement, *arguments))

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Transaction]:
        """Open a transaction (read committed); commit it at the end of the block, undo it on any error."""
        async with self._connection() as connection, _transaction_on(connection):
            yield Transaction(connection)

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[_Connection]:
        pool = await self._opened()
        with translation():
            connection = await pool.acquire(timeout=self._settings.acquire_timeout_s)
        try:
            yield connection
        finally:
            # A connection that broke is thrown away by the pool; its error has left the block already.
            with suppress(TransientError), translation():
                await pool.release(connection, timeout=self._settings.command_timeout_s)

    async def _opened(self) -> "asyncpg.Pool[Row]":
        if self._pool is not None:
            return self._pool
        async with self._opening:
            if self._pool is None:
                self._pool = await self._open()
        return self._pool

    async def _open(self) -> "asyncpg.Pool[Row]":
        settings = self._settings
        with translation():
            try:
                return await asyncio.wait_for(
                    asyncpg.create_pool(
                        settings.database_url.get_secret_value(),
                        min_size=min(settings.pool_min, settings.pool_max),
                        max_size=settings.pool_max,
                        timeout=settings.connect_timeout_s,
                        command_timeout=settings.command_timeout_s,
                        server_settings={"application_name": "maestro", "timezone": "UTC"},
                        init=self._prepare,
                        reset=_keep,
                    ),
                    settings.connect_timeout_s + 1,
                )
            except TimeoutError as error:
                message = f"the database did not answer within {settings.connect_timeout_s:g} s"
                raise TransientError(message) from error


@asynccontextmanager
async def _transaction_on(connection: _Connection) -> AsyncGenerator[None]:
    # Errors of the block itself pass unchanged: only what the client raises is translated.
    transaction = connection.transaction()
    with translation():
        await transaction.start()
    try:
        yield
    except BaseException:
        with suppress(MaestroError), translation():
            await transaction.rollback()
        raise
    with translation():
        await transaction.commit()


async def _keep(connection: object) -> None:
    # Nothing here changes a session's settings, listens, or locks beyond a transaction: the client's default
    # reset would cost a round trip for each use.
    del connection


def _rows_of(status: str) -> int:
    # "INSERT 0 5", "UPDATE 3", "SELECT 1"; commands without rows end in a word
    last = status.rpartition(" ")[2]
    return int(last) if last.isdigit() else 0
