"""`bench api`: the HTTP edge, one file for each part that is measured."""

import argparse
import sys
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import orjson

PARTS = {
    "lists": "lists and details of one user in a record of a million sessions",
    "runs": "what POST /agents/{id}/run adds to the same run started on the topic",
    "streams": "a thousand readers of one session's events on one process: memory, and delay of a token",
}
"""Each is `bench/api_<name>.py` with `main(options)` and `table(results)`."""

Part: TypeAlias = Callable[[argparse.Namespace], Awaitable[Mapping[str, Any]]]


async def main(arguments: list[str]) -> int:
    """Run the parts that are named (all), print a table of each, write JSON where asked."""
    options = _parser().parse_args(arguments)
    results: dict[str, Mapping[str, Any]] = {}
    for name in options.parts or PARTS:
        part = import_module(f"bench.api_{name}")
        run: Part = part.main
        results[name] = await run(options)
        print(f"{name}: {PARTS[name]}")
        print(part.table(results[name]))
        sys.stdout.flush()
    if options.json:
        options.json.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench api", description=__doc__)
    # No choices: with any number of words Python 3.11 compares the empty list with them.
    parser.add_argument("parts", nargs="*", type=_part, metavar="PART", help=f"{', '.join(PARTS)} (all)")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--sessions", type=int, default=1_000_000, help="sessions in the record (1000000)")
    parser.add_argument("--of-one", type=int, default=20_000, help="how many one user has (20000)")
    parser.add_argument("--users", type=int, default=50_000, help="users that share the others (50000)")
    parser.add_argument("--calls", type=int, default=300, help="calls of each kind (300)")
    return parser


def _part(name: str) -> str:
    if name not in PARTS:
        message = f"{name} is none of {', '.join(PARTS)}"
        raise argparse.ArgumentTypeError(message)
    return name
