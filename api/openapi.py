"""Writes the API document, `docs/openapi.json`: `python -m api.openapi [--check]`. It needs no service."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from api.app import routed

PATH: Final = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"


def document() -> dict[str, Any]:
    """Return the document as every edge serves it at `/openapi.json`."""
    return routed().openapi()


def text() -> str:
    """Return the document as the file holds it."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def is_stale() -> bool:
    """Return whether the file differs from what the routes say."""
    return not PATH.is_file() or PATH.read_text() != text()


def main() -> int:
    """Write the file, or with `--check` only tell whether it is right; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when it is stale")
    if parser.parse_args().check:
        if is_stale():
            print("docs/openapi.json is stale; run: python -m api.openapi", file=sys.stderr)  # noqa: T201
            return 1
        return 0
    PATH.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
