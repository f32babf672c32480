"""Builds the registry of tools: the built-in ones and those of the modules that settings name."""

from maestro.settings import load
from stores.postgres.readonly import ReadOnlyPostgres
from streams.execute.registry import Registry, tools_of_modules
from streams.execute.settings import SqlSettings, ToolSettings
from streams.execute.tools.current_time import current_time
from streams.execute.tools.sql_query import sql_query_tool


def build_registry() -> Registry:
    """Return every tool that this process knows.

    Raises:
        FatalError: a module of MAESTRO_TOOL_MODULES cannot be imported or has no tools.

    """
    tools, sql = load(ToolSettings, SqlSettings)
    database = ReadOnlyPostgres(sql.url.get_secret_value()) if sql.url else None
    built_in = (
        current_time,
        sql_query_tool(database, sql, result_limit_bytes=tools.result_limit_bytes),
    )
    return Registry((*built_in, *tools_of_modules(tools.modules)))
