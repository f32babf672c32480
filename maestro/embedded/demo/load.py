"""Makes the demo database and the role that may only read it; again changes nothing but the password."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

DATABASE: Final = "shop"
READER: Final = "shop_reader"
MAINTENANCE_DATABASE: Final = "postgres"

RunSql = Callable[[str, str], Awaitable[str]]
"""Runs statements in a database as a superuser, each on its own; returns the rows' text, one a line."""

_SHOP = Path(__file__).parent / "shop.sql"


async def load_demo(run_sql: RunSql, *, reader_password: str) -> None:
    """Make database and reader where they are missing. An interrupted load is begun again.

    The shop and its rights are made in one transaction, so either all of it is there or nothing.
    """
    if not await _has(run_sql, "pg_roles", "rolname", READER):
        await run_sql(MAINTENANCE_DATABASE, f"CREATE ROLE {READER} LOGIN;")
    await run_sql(MAINTENANCE_DATABASE, _reader_settings(reader_password))
    if not await _has(run_sql, "pg_database", "datname", DATABASE):
        await run_sql(MAINTENANCE_DATABASE, f"CREATE DATABASE {DATABASE};")
    shop = await run_sql(DATABASE, "SELECT to_regclass('shop.order_lines') IS NOT NULL;")
    if shop.strip() != "t":
        await run_sql(DATABASE, f"BEGIN;\n{_SHOP.read_text(encoding='utf-8')}\n{_rights()}\nCOMMIT;")


def reader_url(*, host: str, port: int, password: str) -> str:
    """Return the URL for `MAESTRO_SQL_URL`."""
    return f"postgresql://{READER}:{password}@{host}:{port}/{DATABASE}"


async def _has(run_sql: RunSql, table: str, column: str, name: str) -> bool:
    # Names are constants of this module.
    answer = await run_sql(MAINTENANCE_DATABASE, f"SELECT 1 FROM {table} WHERE {column} = '{name}';")  # noqa: S608
    return answer.strip() == "1"


def _reader_settings(password: str) -> str:
    quoted = password.replace("'", "''")
    return "\n".join(
        (
            f"ALTER ROLE {READER} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD '{quoted}';",
            f"ALTER ROLE {READER} SET default_transaction_read_only = on;",
            f"ALTER ROLE {READER} SET search_path = shop;",
            f"ALTER ROLE {READER} SET work_mem = '16MB';",
            f"ALTER ROLE {READER} SET temp_file_limit = '256MB';",
            f"ALTER ROLE {READER} CONNECTION LIMIT 32;",
        )
    )


def _rights() -> str:
    return "\n".join(
        (
            f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;",
            f"GRANT CONNECT ON DATABASE {DATABASE} TO {READER};",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC;",
            f"GRANT USAGE ON SCHEMA shop TO {READER};",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA shop TO {READER};",
        )
    )
