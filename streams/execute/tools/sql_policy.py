"""Which SQL a model may run: one reading statement, with functions from a list. Pure.

What passes is written again from the syntax tree, and that text is what runs: what was checked and what the
database sees do not differ in quoting or comments. Rights and a read-only transaction stand behind it.
"""

import logging
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from schemas.errors import ErrorCode
from streams.execute.tool import ToolError
from streams.execute.tools.sql_functions import ALLOWED_EXPRESSIONS, ALLOWED_NAMES

MAX_SQL_CHARS: Final = 10_000
_DIALECT: Final = "postgres"
_STATEMENTS: Final = (exp.Select, exp.SetOperation, exp.Values, exp.Subquery)
_WRITES: Final = (
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Merge,
    exp.Create,
    exp.Drop,
    exp.Alter,
    exp.Command,
    exp.Into,
    exp.Lock,
    exp.Copy,
    exp.Set,
)
_PARAMETERS: Final = (exp.Parameter, exp.Placeholder, exp.SessionParameter)
# Strings with an escape syntax of their own: a second writer of such text could end it at another place.
_STRANGE_STRINGS: Final = (
    exp.ByteString,
    exp.UnicodeString,
    exp.RawString,
    exp.HexString,
    exp.BitString,
    exp.National,
)

# A function of the same name in another schema may do anything.
_QUALIFIED: Final = "call functions without their schema"

# The parser warns about statements that it does not know; those are refused here with a sentence.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


def _refused(message: str) -> ToolError:
    return ToolError(message, code=ErrorCode.INVALID_ARGUMENTS)


def readable(sql: str) -> str:
    """Return the text to run for `sql`.

    Raises:
        ToolError: it is not one reading statement, or uses what is not allowed; the message says which.

    """
    if len(sql) > MAX_SQL_CHARS:
        message = f"the query has {len(sql)} characters; at most {MAX_SQL_CHARS} are allowed"
        raise _refused(message)
    try:
        statements = [
            statement
            for statement in sqlglot.parse(sql, dialect=_DIALECT)
            if statement is not None and not isinstance(statement, exp.Semicolon)
        ]
        if len(statements) != 1:
            message = f"give exactly one statement, not {len(statements)}"
            raise _refused(message)
        statement = statements[0]
        _check(statement)
        return statement.sql(dialect=_DIALECT, comments=False)
    except (ParseError, TokenError) as error:
        message = f"the query is not SQL that can be understood: {_place_of(error)}"
        raise _refused(message) from error
    except RecursionError as error:
        message = "the query is nested too deeply"
        raise _refused(message) from error


def _check(statement: exp.Expr) -> None:
    if not isinstance(statement, _STATEMENTS):
        message = (
            "only SELECT (also with WITH, UNION and VALUES) is allowed: the database is read, never changed"
        )
        raise _refused(message)
    for node in statement.walk():
        problem = _problem(node)
        if problem is not None:
            raise _refused(problem)


def _problem(node: exp.Expr) -> str | None:
    if isinstance(node, _WRITES):
        return "only reading is allowed: no INSERT, UPDATE, DELETE, MERGE, INTO, COPY, SET or row locks"
    if isinstance(node, _PARAMETERS):
        return "there are no parameters: write the values into the query"
    if isinstance(node, _STRANGE_STRINGS):
        return "write strings plainly in single quotes, without E, U&, B, X or dollar signs"
    if isinstance(node, exp.CTE) and not isinstance(node.this, _STATEMENTS):
        return "a WITH part must be a SELECT"
    if isinstance(node, exp.Table):
        return _table_problem(node)
    return _function_problem(node)


def _table_problem(table: exp.Table) -> str | None:
    if isinstance(table.this, exp.Func) and len(table.parts) > 1:
        return _QUALIFIED
    names = [part.name.lower() for part in table.parts if not isinstance(part, exp.Func)]
    if any(name.startswith("pg_") for name in names):
        return (
            "PostgreSQL's own tables are not allowed; information_schema.columns shows the tables there are"
        )
    return None


def _function_problem(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Func):
        return _QUALIFIED
    if not isinstance(node, exp.Func):
        return None
    if isinstance(node, exp.Anonymous):
        name, is_allowed = node.name.lower(), node.name.lower() in ALLOWED_NAMES
    else:
        name, is_allowed = node.sql_name().lower(), type(node).__name__ in ALLOWED_EXPRESSIONS
    return None if is_allowed else f"the function {name} is not allowed"


def _place_of(error: ParseError | TokenError) -> str:
    if isinstance(error, ParseError) and error.errors:
        first = error.errors[0]
        return f"{first.get('description')} (line {first.get('line')}, column {first.get('col')})"
    return "a string, a name in quotes or a comment does not end"
