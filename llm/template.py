"""Fields in double braces: `{{ name }}`, `{{ first.units }}`, `{{ table }}`. Pure, without expressions."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from llm.prompt_state import PromptState

_FIELD = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")
_MAX_TABLE_ROWS = 20


def fields_of(state: PromptState, groups: Mapping[str, str | None], tools: Sequence[str]) -> dict[str, Any]:
    """Return the fields that a template may use.

    `question`, `tools`, `error`, `asked.NAME` (named groups of the rule's expression), `result` (value of the
    newest tool result), and where that is a table `first.COLUMN`, `value` (first cell), `row_count`, `table`.
    """
    result = state.results[-1] if state.results else None
    columns, rows = _table_of(result)
    first = dict(zip(columns, rows[0], strict=False)) if rows else {}
    return {
        "question": state.question,
        "tools": ", ".join(tools) or "none",
        "error": "; ".join(state.errors),
        "asked": groups,
        "result": result,
        "first": first,
        "value": rows[0][0] if rows and rows[0] else "nothing",
        "row_count": len(rows),
        "table": render_table(columns, rows),
    }


def fill(template: str, fields: Mapping[str, Any]) -> str:
    """Return `template` with its fields replaced; one that is not there reads `(nothing)`."""
    return _FIELD.sub(lambda match: _text(_look_up(match[1], fields)), template)


def fill_all(value: Any, fields: Mapping[str, Any]) -> Any:
    """Return `value` with the fields of every text in it replaced."""
    if isinstance(value, str):
        return fill(value, fields)
    if isinstance(value, dict):
        return {key: fill_all(item, fields) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [fill_all(item, fields) for item in cast("list[Any]", value)]
    return value


def render_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows as a Markdown table, at most 20 of them."""
    if not columns:
        return ""
    lines = [f"| {' | '.join(columns)} |", f"|{'|'.join('---' for _ in columns)}|"]
    lines += [f"| {' | '.join(_text(cell) for cell in row)} |" for row in rows[:_MAX_TABLE_ROWS]]
    if len(rows) > _MAX_TABLE_ROWS:
        lines.append(f"({len(rows) - _MAX_TABLE_ROWS} more rows)")
    return "\n".join(lines)


def _table_of(result: Any) -> tuple[list[str], list[list[Any]]]:
    if not isinstance(result, dict):
        return [], []
    fields = cast("dict[str, Any]", result)
    columns, rows = fields.get("columns"), fields.get("rows")
    if not isinstance(columns, list) or not isinstance(rows, list):
        return [], []
    names = [str(column) for column in cast("list[Any]", columns)]
    return names, [cast("list[Any]", row) for row in cast("list[Any]", rows) if isinstance(row, list)]


def _look_up(path: str, fields: Mapping[str, Any]) -> Any:
    value: Any = fields
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = cast("Mapping[str, Any]", value).get(part)
    return value


def _text(value: Any) -> str:
    if value is None:
        return "(nothing)"
    return f"{value:,.2f}" if isinstance(value, float) else str(value)
