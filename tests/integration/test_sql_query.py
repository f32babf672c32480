"""The tool `sql_query` on a real PostgreSQL with the demo shop: answers, limits, ways out that were tried."""

# ruff: noqa: S608 - the queries are put together from constants

import asyncio
import time
from typing import Any
from urllib.parse import quote

import pytest

from llm.models import built_in_scripts
from llm.rehearsal import DEFAULT_SCRIPT
from maestro.embedded.demo.load import DATABASE, READER, load_demo, reader_url
from maestro.embedded.stack import EmbeddedStack
from schemas.errors import ErrorCode
from stores.postgres.readonly import QueryError, ReadOnlyPostgres
from streams.execute.settings import SqlSettings
from streams.execute.tool import Tool, ToolContext, ToolError
from streams.execute.tools.sql_query import SqlQueryArguments, sql_query_tool

PASSWORD = "reader's password"
CONTEXT = ToolContext(session_id="s", user_id="u", run_id="r", step_id="t")
LAST_MONTH = (
    "ordered_at >= date_trunc('month', now()) - interval '1 month'"
    " AND ordered_at < date_trunc('month', now())"
)
RUNNING = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{READER}' AND state = 'active';"
SLOW = "SELECT count(*) FROM generate_series(1, 100000) AS a, generate_series(1, 1000000) AS b"


@pytest.fixture(scope="session")
async def shop_url(stack: EmbeddedStack) -> str:
    await load_demo(stack.run_sql, reader_password=PASSWORD)
    port = stack.folder.state.ports["postgres"]
    return reader_url(host="127.0.0.1", port=port, password=quote(PASSWORD))


@pytest.fixture
def settings() -> SqlSettings:
    return SqlSettings(row_limit=50, time_limit_s=3)


@pytest.fixture
def tool(shop_url: str, settings: SqlSettings) -> Tool:
    return sql_query_tool(ReadOnlyPostgres(shop_url), settings, result_limit_bytes=20_000)


async def ask(tool: Tool, query: str) -> dict[str, Any]:
    answer: dict[str, Any] = await tool(SqlQueryArguments(query=query), CONTEXT)
    return answer


async def until_running(stack: EmbeddedStack, queries: int) -> None:
    """Wait until that many queries of the reader run at the server."""
    for _ in range(100):
        if int(await stack.run_sql("postgres", RUNNING)) == queries:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"waited in vain for {queries} running queries of {READER}")


async def test_rows_come_back_with_their_columns(tool: Tool) -> None:
    answer = await ask(tool, "SELECT id, name, price FROM shop.products WHERE id < 3 ORDER BY id")
    assert answer == {
        "columns": ["id", "name", "price"],
        "rows": [[1, "Espresso beans 1 kg", 18.9], [2, "Filter coffee 500 g", 9.5]],
        "row_count": 2,
        "truncated": False,
    }


async def test_last_month_has_the_same_orders_on_every_machine(tool: Tool) -> None:
    answer = await ask(tool, f"SELECT count(*) FROM orders WHERE {LAST_MONTH}")
    assert answer["rows"] == [[137]]
    best = await ask(
        tool,
        f"SELECT product, sum(quantity) AS n FROM order_lines WHERE {LAST_MONTH}"
        " GROUP BY 1 ORDER BY n DESC LIMIT 1",
    )
    assert best["rows"] == [["Espresso beans 1 kg", 98]]


async def test_loading_twice_keeps_the_data_and_takes_a_new_password(
    stack: EmbeddedStack, shop_url: str
) -> None:
    before = await stack.run_sql(DATABASE, "SELECT count(*) FROM store.order_lines;")
    await load_demo(stack.run_sql, reader_password=PASSWORD)
    assert await stack.run_sql(DATABASE, "SELECT count(*) FROM store.order_lines;") == before
    assert await ReadOnlyPostgres(shop_url).query("SELECT 1", row_limit=1, time_limit_s=2)


async def test_every_query_of_the_demo_script_runs_and_finds_rows(tool: Tool) -> None:
    script = built_in_scripts()[DEFAULT_SCRIPT]
    queries = [
        call.arguments["query"] for rule in script.rules for call in rule.call if call.tool == "sql_query"
    ]
    assert len(queries) >= 6
    for query in queries:
        assert (await ask(tool, query))["rows"], query


async def test_values_of_all_kinds_are_json(tool: Tool) -> None:
    answer = await ask(
        tool,
        "SELECT 1::bigint, 2.50::numeric, 1e400::numeric, 'NaN'::float8, true, NULL, DATE '2026-01-02',"
        " TIMESTAMP '2026-01-02 03:04:05', INTERVAL '90 minutes', ARRAY[1,2], '{\"a\": [1]}'::jsonb,"
        " CAST('\\x0aff' AS bytea), 9007199254740993",
    )
    row = answer["rows"][0]
    assert row[:6] == [1, 2.5, "1E+400", "nan", True, None]
    assert row[6:] == [
        "2026-01-02",
        "2026-01-02T03:04:05",
        "1:30:00",
        [1, 2],
        {"a": [1]},
        "\\x0aff",
        "9007199254740993",
    ]


async def test_rows_beyond_the_limit_are_left_out_and_it_is_said(tool: Tool) -> None:
    answer = await ask(tool, "SELECT * FROM generate_series(1, 51) AS n")
    assert (answer["row_count"], answer["truncated"]) == (50, True)
    exact = await ask(tool, "SELECT * FROM generate_series(1, 50) AS n")
    assert (exact["row_count"], exact["truncated"]) == (50, False)


async def test_large_rows_are_left_out_and_it_is_said(tool: Tool) -> None:
    answer = await ask(
        tool,
        "SELECT (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 60) AS n), m"
        " FROM generate_series(1, 40) AS m",
    )
    assert answer["truncated"]
    assert 0 < answer["row_count"] < 40


@pytest.mark.parametrize(
    "query",
    [
        "SELECT string_agg(md5(n::text), '') FROM generate_series(1, 100000) AS n",
        "SELECT array_agg(n) FROM generate_series(1, 1000000) AS n",
        "SELECT 1 AS a, 2 AS a, jsonb_agg(n) FROM generate_series(1, 500000) AS n",
    ],
)
async def test_a_value_that_would_fill_the_memory_stays_at_the_server(tool: Tool, query: str) -> None:
    with pytest.raises(ToolError, match="a row is too large"):
        await ask(tool, query)


async def test_many_large_rows_are_fetched_up_to_a_size(shop_url: str) -> None:
    wide = "SELECT (SELECT string_agg(md5(k::text), '') FROM generate_series(1, 20000) AS k), n FROM"
    table = await ReadOnlyPostgres(shop_url).query(
        f"{wide} generate_series(1, 200) AS n", row_limit=200, time_limit_s=10
    )
    assert table.truncated
    assert len(table.rows) == 20


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("VALUES (1, 'a'), (2, 'b')", [[1, "a"], [2, "b"]]),
        ("WITH x AS (SELECT 3 AS n) SELECT n FROM x UNION ALL SELECT 1", [[3], [1]]),
        ("SELECT n FROM generate_series(1, 30) AS n ORDER BY n DESC LIMIT 3", [[30], [29], [28]]),
        ("SELECT 1 AS a, 2 AS a", [[1, 2]]),
        ("(SELECT 1) -- and a comment", [[1]]),
        ("SELECT NULL, 'x'", [[None, "x"]]),
    ],
)
async def test_every_form_of_a_reading_statement_is_run(
    tool: Tool, query: str, rows: list[list[Any]]
) -> None:
    assert (await ask(tool, query))["rows"] == rows


async def test_a_slow_query_is_cancelled_at_the_server(shop_url: str, stack: EmbeddedStack) -> None:
    started = time.monotonic()
    with pytest.raises(QueryError, match=r"longer than 0\.5 s") as caught:
        await ReadOnlyPostgres(shop_url).query(SLOW, row_limit=1, time_limit_s=0.5)
    assert time.monotonic() - started < 3
    assert caught.value.code is ErrorCode.TOOL_TIMEOUT
    await until_running(stack, 0)


async def test_a_cancelled_step_leaves_no_query_behind(tool: Tool, stack: EmbeddedStack) -> None:
    asking = asyncio.create_task(ask(tool, SLOW))
    await until_running(stack, 1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await until_running(stack, 0)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT * FROM shop.nothing", "does not exist"),
        ("SELECT nme FROM shop.products", 'column "nme" does not exist'),
        ("SELECT 1 / 0", "division by zero"),
        ("SELECT 'x'::integer", "invalid input syntax"),
        ("SELECT * FROM store.orders", "permission denied"),
    ],
)
async def test_the_databases_refusal_is_readable(tool: Tool, query: str, words: str) -> None:
    with pytest.raises(ToolError, match=words):
        await ask(tool, query)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMP TABLE x (a int)",
        "INSERT INTO shop.products VALUES (1)",
        "SELECT 1; SELECT 2",
        "WITH gone AS (DELETE FROM shop.products RETURNING 1) SELECT * FROM gone",
        "COPY shop.products TO '/tmp/out'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT set_config('transaction_read_only', 'off', false), lo_create(0)",
        "SELECT query_to_xml('delete from store.orders', true, true, '')",
        "VACUUM",
    ],
)
async def test_the_database_itself_refuses_what_the_policy_would_miss(shop_url: str, statement: str) -> None:
    """Behind the parser stand one prepared statement, a read-only transaction and the role's rights."""
    with pytest.raises(QueryError):
        await ReadOnlyPostgres(shop_url).query(statement, row_limit=5, time_limit_s=2)


async def test_nothing_a_query_does_outlives_it(shop_url: str) -> None:
    database = ReadOnlyPostgres(shop_url)
    await database.query("SELECT set_config('search_path', 'store', false)", row_limit=1, time_limit_s=2)
    table = await database.query("SELECT current_setting('search_path')", row_limit=1, time_limit_s=2)
    assert table.rows == (("shop",),)


async def test_a_superuser_is_not_lent_to_a_model(stack: EmbeddedStack) -> None:
    assert stack.urls.admin_database_url is not None
    with pytest.raises(QueryError, match="may do too much"):
        await ReadOnlyPostgres(stack.urls.admin_database_url).query("SELECT 1", row_limit=1, time_limit_s=2)


async def test_a_database_that_is_away_is_said(settings: SqlSettings) -> None:
    away = ReadOnlyPostgres("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(ToolError, match="cannot be reached"):
        await ask(sql_query_tool(away, settings, result_limit_bytes=20_000), "SELECT 1")


async def test_without_a_database_the_tool_says_which_setting_is_missing(settings: SqlSettings) -> None:
    with pytest.raises(ToolError, match="MAESTRO_SQL_URL"):
        await ask(sql_query_tool(None, settings, result_limit_bytes=20_000), "SELECT 1")
