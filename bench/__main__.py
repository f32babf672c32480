"""`python -m bench NAME`: run one benchmark."""

import asyncio
import sys
from importlib import import_module

NAMES = {
    "loop": "a whole run (message, model, tool, model, answer) beside bare aiokafka",
    "sinks": "the PostgreSQL sink beside COPY and upserts from memory",
    "api": "the HTTP edge: lists and details of one user among a million sessions",
    "runtime": "one hop through the worker runtime beside bare aiokafka",
}


def main() -> int:
    """Dispatch to a benchmark; without a known name, list them and exit 2."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] not in NAMES:
        sys.stderr.write("usage: scripts/bench NAME [options]\n")
        for name, text in NAMES.items():
            sys.stderr.write(f"  {name:<10}{text}\n")
        return 0 if arguments in (["-h"], ["--help"]) else 2
    module = import_module(f"bench.{arguments[0]}")
    return asyncio.run(module.main(arguments[1:]))


if __name__ == "__main__":
    raise SystemExit(main())
