"""The migrated schema as text, to be read and compared: `python -m stores.postgres.schema URL`."""

import asyncio
import sys

import asyncpg

from stores.postgres.statements import statements


async def describe(dsn: str) -> str:
    """Return every table, column, index, view and function of the database's public schema, in order.

    Partitions are left out: which exist depends on the date. So is what extensions brought.
    """
    sql = statements("schema")
    connection = await asyncpg.connect(dsn, timeout=10.0, command_timeout=30.0)
    try:
        parts: list[str] = ["-- Written by `python -m stores.postgres.schema`. A test compares it."]
        for name in ("tables", "indexes", "views", "functions"):
            parts += [row["text"] for row in await connection.fetch(sql[name])]
    finally:
        await connection.close()
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    _ = sys.stdout.write(asyncio.run(describe(sys.argv[1])))
