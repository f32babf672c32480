"""Which SQL passes the policy, and what is said about the rest."""

# ruff: noqa: S608 - nothing here runs

import pytest

from streams.execute.tool import ToolError
from streams.execute.tools.sql_policy import readable


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "SELECT a, count(*) FILTER (WHERE b) FROM t GROUP BY 1 HAVING count(*) > 1 ORDER BY 2 DESC LIMIT 3;",
        "WITH a AS (SELECT 1 AS x), b AS (SELECT x FROM a) SELECT * FROM b UNION ALL SELECT 2",
        "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5) SELECT * FROM n",
        "VALUES (1, 'a'), (2, 'b')",
        "(SELECT 1) EXCEPT (SELECT 2)",
        "SELECT date_trunc('month', now()) - interval '1 month', extract(year FROM d) FROM t",
        "SELECT sum(a) OVER (PARTITION BY b ORDER BY c ROWS 1 PRECEDING) FROM t",
        "SELECT coalesce(a, b), to_char(d, 'YYYY'), round(a::numeric, 2), CASE WHEN a THEN 1 END FROM t",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a), string_agg(b, ', ' ORDER BY b) FROM t",
        "SELECT d->>'a', jsonb_array_elements(d->'b') FROM t, LATERAL (SELECT 1) AS x",
        "SELECT * FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog')",
        "SELECT make_date(2026, 1, 1), age(now(), d), d AT TIME ZONE 'Europe/Madrid' FROM t",
        "SELECT DISTINCT ON (a) a, row_number() OVER () FROM t WHERE b ~* 'x' AND c ILIKE '%y%'",
        "SELECT 1 WHERE NOT EXISTS (SELECT 1) OR a IN (1, 2) AND b BETWEEN 1 AND 2 OR c IS NULL",
    ],
)
def test_reading_is_allowed(sql: str) -> None:
    assert readable(sql)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DROP TABLE t", "only SELECT"),
        ("INSERT INTO t VALUES (1)", "only SELECT"),
        ("UPDATE t SET a = 1", "only SELECT"),
        ("DELETE FROM t", "only SELECT"),
        ("TRUNCATE t", "only SELECT"),
        ("CREATE TABLE x AS SELECT 1", "only SELECT"),
        ("COPY t TO PROGRAM 'curl x'", "only SELECT"),
        ("COPY (SELECT 1) TO '/tmp/x'", "only SELECT"),
        ("SET ROLE postgres", "only SELECT"),
        ("DO $$ BEGIN END $$", "only SELECT"),
        ("CALL p()", "only SELECT"),
        ("EXPLAIN ANALYZE DELETE FROM t", "only SELECT"),
        ("PREPARE x AS SELECT 1", "only SELECT"),
        ("LISTEN x", "only SELECT"),
        ("BEGIN", "only SELECT"),
        ("MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN DELETE", "only SELECT"),
        ("SELECT 1; DROP TABLE t", "exactly one statement, not 2"),
        ("SELECT 1; SELECT 2", "exactly one statement, not 2"),
        ("", "exactly one statement, not 0"),
        ("-- nothing", "exactly one statement, not 0"),
        ("SELECT * INTO x FROM t", "only reading"),
        ("SELECT * FROM t FOR UPDATE", "only reading"),
        ("WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d", "WITH part"),
        ("WITH i AS (INSERT INTO t VALUES (1) RETURNING 1) SELECT * FROM i", "WITH part"),
        ("SELECT * FROM (WITH u AS (UPDATE t SET a = 1 RETURNING 1) SELECT * FROM u) AS x", "WITH part"),
        ("SELECT $1", "no parameters"),
        ("SELECT E'a\\' ; DROP TABLE t; --'", "plainly"),
        ("SELECT U&'\\0061'", "plainly"),
        ("SELECT $x$a$x$", "plainly"),
        ("SELECT * FROM pg_shadow", "own tables"),
        ("SELECT * FROM pg_catalog.pg_authid", "own tables"),
        ('SELECT * FROM "pg_catalog"."pg_authid"', "own tables"),
        ("SELECT * FRM t WHERE (", "not SQL that can be understood"),
        ("SELECT 'open", "does not end"),
        ("SELECT " + "(" * 600 + "1" + ")" * 600, "."),
        ("SELECT " + "x" * 10_001, "characters"),
    ],
)
def test_everything_else_is_refused_with_a_reason(sql: str, words: str) -> None:
    with pytest.raises(ToolError, match=words):
        readable(sql)


@pytest.mark.parametrize(
    "call",
    [
        "set_config('transaction_read_only', 'off', false)",
        "SET_CONFIG('a', 'b', true)",
        '"set_config"(1)',
        "set_config /* hidden */ ('a', 'b', true)",
        "pg_catalog.set_config('a', 'b', true)",
        "current_setting('config_file')",
        "pg_sleep(10)",
        "pg_read_file('/etc/passwd')",
        "pg_ls_dir('/')",
        "pg_stat_file('/')",
        "lo_import('/etc/passwd')",
        "lo_export(1, '/tmp/x')",
        "query_to_xml('delete from t', true, true, '')",
        "cursor_to_xml('c', 1, true, true, '')",
        "table_to_xml('t', true, true, '')",
        "database_to_xml(true, true, '')",
        "dblink('host=x', 'select 1')",
        "dblink_exec('delete from t')",
        "pg_advisory_lock(1)",
        "pg_terminate_backend(1)",
        "pg_notify('a', 'b')",
        "nextval('s')",
        "setval('s', 1)",
        "repeat('x', 1000000000)",
        "xmlparse(document 'x')",
        "evil.count(1)",
        "pg_catalog.lower('A')",
        "my_function(1)",
        "version()",
    ],
)
def test_only_listed_functions_may_be_called_wherever_they_stand(call: str) -> None:
    for sql in (
        f"SELECT {call}",
        f"SELECT * FROM {call} AS x",
        f"SELECT 1 WHERE 1 = (SELECT 1 FROM t WHERE {call} IS NULL)",
        f"WITH a AS (SELECT {call}) SELECT 1 FROM a",
        f"SELECT 1 ORDER BY {call}",
        f"VALUES ({call})",
    ):
        with pytest.raises(ToolError):
            readable(sql)


def test_what_runs_is_written_anew_from_what_was_checked() -> None:
    assert readable("SELECT/* a */ 'it''s' -- b\n") == "SELECT 'it''s'"
    assert readable("select 'a\\' || 'b'") == "SELECT 'a\\' || 'b'"
