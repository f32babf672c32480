"""The tool `sql_query`: one reading statement on the database that is set for it."""

import asyncio
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from schemas.errors import TransientError
from schemas.lists import EffectClass
from stores.postgres.readonly import QueryError, Table
from streams.execute.settings import SqlSettings
from streams.execute.tool import Tool, ToolContext, ToolError, tool
from streams.execute.tools.sql_policy import MAX_SQL_CHARS, readable
from streams.execute.tools.sql_values import plain_rows


class ReadOnlyDatabase(Protocol):
    """A database that can only be read."""

    async def query(self, sql: str, *, row_limit: int, time_limit_s: float) -> Table:
        """Return the rows of one statement.

        Raises:
            QueryError: the database refuses the statement, or the time is over; readable.
            TransientError: it cannot be reached.

        """
        ...


class SqlQueryArguments(BaseModel):
    """What to ask."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(
        min_length=1,
        max_length=MAX_SQL_CHARS,
        description="One SELECT statement in PostgreSQL's dialect, without parameters.",
    )


def sql_query_tool(
    database: ReadOnlyDatabase | None, settings: SqlSettings, *, result_limit_bytes: int
) -> Tool:
    """Return the tool `sql_query` on `database`; None: it says that no database is set."""
    connections = asyncio.Semaphore(settings.connections)

    @tool(effect=EffectClass.PURE, name="sql_query", time_limit_s=settings.time_limit_s + 10, pool="sql")
    async def sql_query(arguments: SqlQueryArguments, _context: ToolContext) -> dict[str, Any]:
        """Read from the database with one SQL SELECT statement (PostgreSQL) and return its rows.

        Tables and columns are in information_schema.columns. Ask for few rows: aggregate, order, limit.
        """
        if database is None:
            message = "no database is set for sql_query; set MAESTRO_SQL_URL and restart the execute workers"
            raise ToolError(message)
        sql = readable(arguments.query)
        try:
            async with connections:
                table = await database.query(
                    sql, row_limit=settings.row_limit, time_limit_s=settings.time_limit_s
                )
        except QueryError as error:
            raise ToolError(error.message) from error
        except TransientError as error:
            message = "the database of sql_query cannot be reached now"
            raise ToolError(message) from error
        rows, was_cut = plain_rows(table, limit_bytes=result_limit_bytes * 9 // 10)
        return {
            "columns": [column.name for column in table.columns],
            "rows": rows,
            "row_count": len(rows),
            "truncated": table.truncated or was_cut,
        }

    return sql_query
