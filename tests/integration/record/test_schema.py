"""The migrations make the schema that is written down, once, whoever runs them."""

import asyncio
from pathlib import Path

import pytest

import stores.postgres
from schemas.errors import FatalError
from stores.postgres.migrate import Migration, migrate, migrations, pending
from stores.postgres.pool import Database
from stores.postgres.schema import describe

WRITTEN = Path(stores.postgres.__file__).parent / "schema.sql"


async def test_a_migrated_database_has_the_written_schema(record_url: str) -> None:
    assert await describe(record_url) == WRITTEN.read_text()


async def test_migrating_at_once_from_three_places_applies_each_file_once(empty_url: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_url) for _ in range(3)))
    assert sorted(applied, key=len) == [[], [], [migration.name for migration in migrations()]]
    assert await migrate(empty_url) == []


async def test_each_release_goes_up_from_the_one_before(empty_url: str) -> None:
    for count in range(1, len(migrations()) + 1):
        assert await migrate(empty_url, upto=migrations()[:count]) == [migrations()[count - 1].name]
    assert await describe(empty_url) == WRITTEN.read_text()


async def test_a_failing_migration_leaves_nothing_behind(empty_url: str) -> None:
    broken = Migration("0001_broken.sql", "create table half (id integer); select * from nowhere;")
    with pytest.raises(FatalError):
        await migrate(empty_url, upto=[broken])
    assert await migrate(empty_url, upto=[Migration("0001_broken.sql", "create table half (id integer)")])


async def test_what_is_pending_is_told(database: Database) -> None:
    assert await pending(database) == []
    await database.execute("delete from schema_migrations where name like '0002%'")
    assert await pending(database) == [migrations()[1].name]
