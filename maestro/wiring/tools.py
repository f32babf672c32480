"""Builds the registry of tools: the built-in ones and those of the modules that settings name."""

from maestro.settings import load
from maestro.wiring.wires import Wires
from stores.postgres.conversation_search import ConversationSearch
from stores.postgres.readonly import ReadOnlyPostgres
from streams.execute.registry import Registry, tools_of_modules
from streams.execute.settings import HttpToolSettings, SqlSettings, ToolSettings
from streams.execute.tools.current_time import current_time
from streams.execute.tools.http_fetch import http_fetch_tool
from streams.execute.tools.save_document import save_document_tool
from streams.execute.tools.search_conversation import search_conversation_tool
from streams.execute.tools.sql_query import sql_query_tool


def build_registry(wires: Wires | None = None) -> Registry:
    """Return every tool that this process knows; without `wires` they can be described, not all be run.

    Raises:
        FatalError: a module of MAESTRO_TOOL_MODULES cannot be imported or has no tools.

    """
    tools, sql, http = load(ToolSettings, SqlSettings, HttpToolSettings)
    database = ReadOnlyPostgres(sql.url.get_secret_value()) if sql.url else None
    built_in = (
        current_time,
        sql_query_tool(database, sql, result_limit_bytes=tools.result_limit_bytes),
        search_conversation_tool(None if wires is None else ConversationSearch(wires.database)),
        save_document_tool(None if wires is None else wires.bus.publisher),
        http_fetch_tool(http, result_limit_bytes=tools.result_limit_bytes),
    )
    own = tools_of_modules(tools.modules, tools.folders if tools.modules else ())
    return Registry((*built_in, *own))
