"""Migrations: numbered SQL files, forward only, each in one transaction, under an advisory lock."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from schemas.errors import FatalError
from stores.postgres.errors import translation
from stores.postgres.pool import Database

_FILE = re.compile(r"^(?P<number>\d{4})_[a-z_]+\.sql$")
_LOCK = 0x6D616573
"""Key of the advisory lock: one migration at a time in a database."""
_STATEMENT_LIMIT_S = 600.0
"""An index on a large table may take minutes."""

_HISTORY = """
create table if not exists schema_migrations (
    name text primary key,
    sha256 text not null,
    applied_at timestamptz not null default now()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of `migrations/`."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Return the digest that proves that an applied file was not changed afterwards."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """Return all migrations of this release, in order."""
    folder = files("stores.postgres") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if _FILE.match(entry.name))
    return tuple(Migration(name, (folder / name).read_text(encoding="utf-8")) for name in names)


def pending_of(known: Sequence[Migration], applied: dict[str, str]) -> tuple[Migration, ...]:
    """Return those of `known` that are not in `applied` (digest by name). A newer release's are left alone.

    Raises:
        FatalError: a file was changed after it was applied.

    """
    for migration in known:
        if applied.get(migration.name, migration.sha256) != migration.sha256:
            message = (
                f"migration {migration.name} was changed after it was applied to this database; "
                "restore the released file, or restore the database from a backup"
            )
            raise FatalError(message)
    return tuple(migration for migration in known if migration.name not in applied)


async def migrate(
    dsn: str, *, connect_timeout_s: float = 10.0, upto: Sequence[Migration] | None = None
) -> list[str]:
    """Bring the database up to this release; return the names of the files applied now, in order.

    Safe to run from several places at once: the others wait. `upto`: others than this release's migrations.

    Raises:
        TransientError: the database cannot be reached.
        FatalError: it refuses us, or an applied file was changed.

    """
    with translation():
        connection = await asyncpg.connect(dsn, timeout=connect_timeout_s, command_timeout=_STATEMENT_LIMIT_S)
        try:
            await connection.execute("select pg_advisory_lock($1)", _LOCK)
            await connection.execute(_HISTORY)
            rows = await connection.fetch("select name, sha256 from schema_migrations")
            applied = {row["name"]: row["sha256"] for row in rows}
            pending = pending_of(upto if upto is not None else migrations(), applied)
            for migration in pending:
                await _apply(connection, migration)
        finally:
            # Closing the connection releases the lock.
            await asyncio.wait_for(connection.close(), connect_timeout_s)
    return [migration.name for migration in pending]


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.text)
        await connection.execute(
            "insert into schema_migrations (name, sha256) values ($1, $2)", migration.name, migration.sha256
        )


async def pending(database: Database) -> list[str]:
    """Return the names of this release's migrations that the database does not have yet."""
    exists = await database.fetch_one("select to_regclass('schema_migrations') is not null as it_does")
    if exists is None or not exists["it_does"]:
        return [migration.name for migration in migrations()]
    rows = await database.fetch("select name, sha256 from schema_migrations")
    applied = {row["name"]: row["sha256"] for row in rows}
    return [migration.name for migration in pending_of(migrations(), applied)]
