"""The named SQL statements of `queries/*.sql`, loaded once."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_NAME = re.compile(r"^-- name: (?P<name>[a-z_]+)\n(?P<rest>.*?)(?=^-- name: |\Z)", re.DOTALL | re.MULTILINE)


def parse(text: str, *, source: str) -> dict[str, str]:
    """Return the statements of one file by name. Each begins with `-- name: x` and a sentence.

    Raises:
        ValueError: a statement without a sentence, or a name used twice.

    """
    found: dict[str, str] = {}
    for match in _NAME.finditer(text):
        name, rest = match["name"], match["rest"].strip()
        if not rest.startswith("-- "):
            message = f"{source}: statement {name} has no sentence that says what it does"
            raise ValueError(message)
        if name in found:
            message = f"{source}: statement {name} is there twice"
            raise ValueError(message)
        found[name] = rest.rstrip(";")
    return found


@cache
def statements(topic: str) -> Mapping[str, str]:
    """Return the statements of `queries/<topic>.sql` by name."""
    source = f"{topic}.sql"
    text = (files("stores.postgres") / "queries" / source).read_text(encoding="utf-8")
    return MappingProxyType(parse(text, source=source))
