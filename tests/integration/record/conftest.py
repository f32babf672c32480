"""A migrated database of its own for each test, and records to fill it with."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr

from maestro.embedded.stack import EmbeddedStack
from sinks.postgres.store import PostgresStore
from stores.postgres.migrate import migrate
from stores.postgres.pool import Database
from stores.postgres.settings import PostgresSettings
from tests.fakes.made_session import Made


async def _as_admin(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@asynccontextmanager
async def _empty(stack: EmbeddedStack) -> AsyncGenerator[str]:
    name = f"record_{uuid4().hex}"
    admin = stack.urls.admin_database_url
    assert admin is not None
    await _as_admin(admin, f"create database {name} owner maestro")
    yield f"{stack.urls.database_url.rpartition('/')[0]}/{name}"
    await _as_admin(admin, f"drop database {name} with (force)")


@pytest.fixture
async def empty_url(stack: EmbeddedStack) -> AsyncIterator[str]:
    """URL of an empty database, dropped afterwards."""
    async with _empty(stack) as url:
        yield url


@pytest.fixture(scope="module")
async def shared_database(stack: EmbeddedStack) -> AsyncIterator[Database]:
    """A migrated database for all tests of a file: what takes long to fill is filled once."""
    async with _empty(stack) as url:
        await migrate(url)
        opened = Database(PostgresSettings(database_url=SecretStr(url), command_timeout_s=300))
        yield opened
        await opened.stop()


@pytest.fixture
async def record_url(empty_url: str) -> str:
    """URL of a migrated database."""
    async with asyncio.timeout(30):
        await migrate(empty_url)
    return empty_url


@pytest.fixture
async def database(record_url: str) -> AsyncIterator[Database]:
    """The migrated database."""
    opened = Database(PostgresSettings(database_url=SecretStr(record_url)))
    yield opened
    await opened.stop()


@pytest.fixture
def store(database: Database) -> PostgresStore:
    """The record as a sink's store."""
    return PostgresStore(database, weeks_ahead=1)


@pytest.fixture
def made() -> Made:
    """A session of its own."""
    return Made(str(uuid4()))
