"""What commands use to reach the system: each opened for one use and closed again."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from maestro.settings import load
from stores.postgres.pool import Database
from stores.postgres.settings import PostgresSettings


@asynccontextmanager
async def database() -> AsyncGenerator[Database]:
    """Open the record.

    Raises:
        SettingsError: the environment does not fit.
        TransientError: the server cannot be reached.

    """
    (settings,) = load(PostgresSettings)
    opened = Database(settings)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.stop()
