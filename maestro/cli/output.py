"""How commands speak: results on stdout, everything else on stderr, errors as a sentence and an exit code."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_CANCELLED = 3
EXIT_REJECTED = 4
EXIT_TIMEOUT = 5

_PIPE_WIDTH = 10_000
"""Columns of tables that a program reads: ids are not folded there."""

err = Console(stderr=True, highlight=False, soft_wrap=True)
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_WIDTH)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


def print_json(value: Any) -> None:
    """Print one value as one line of JSON."""
    sys.stdout.buffer.write(orjson.dumps(value, default=str) + b"\n")
    sys.stdout.buffer.flush()


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print rows as a table, or as JSON lines with all their fields."""
    if as_json:
        for row in rows:
            print_json(row)
        return
    if not rows:
        err.print("nothing found", style="dim")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(column))) for column in columns))
    out.print(table)


def print_fields(value: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one object: a line per field, or one line of JSON."""
    if as_json:
        print_json(value)
        return
    width = max((len(name) for name in value), default=0)
    for name, field in value.items():
        out.print(f"[bold]{name.replace('_', ' '):<{width}}[/bold]  ", end="")
        out.print(_cell(field), markup=False)


def note(text: str) -> None:
    """Say something to the person on stderr."""
    err.print(text, style="dim", markup=False)


def fail(message: str, *, code: str = "", exit_code: int = EXIT_FAILED) -> NoReturn:
    """Print an error on stderr and leave with `exit_code`."""
    err.print(f"[bold red]error[/bold red]{f' ({code})' if code else ''}: ", end="")
    err.print(message, markup=False)
    raise SystemExit(exit_code)


def lines(values: Iterable[str]) -> str:
    """Return values as indented lines."""
    return "\n".join(f"  {value}" for value in values)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return str(value)
