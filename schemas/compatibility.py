"""The gate for schema changes: every version must read every other one. `python -m schemas.compatibility`.

Full transitive compatibility, logical types included, so that readers and writers of any two releases may be mixed.
What it objects to is named by topic, versions and field.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import permutations
from pathlib import Path
from typing import Any, cast

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

from schemas.avro_schema import schema_of
from schemas.committed import AVRO_FOLDER, read_committed
from schemas.topics import ALL_TOPICS

CURRENT = "the models"


def problems(folder: Path = AVRO_FOLDER) -> list[str]:
    """Return a sentence for each objection; empty when every version of every topic fits every other."""
    committed = read_committed(folder).versions
    found: list[str] = []
    for spec in ALL_TOPICS:
        if spec.record is not None:
            versions: dict[str, Mapping[str, Any]] = {
                f"version {number}": schema for number, schema in committed.get(spec.name, {}).items()
            }
            versions[CURRENT] = schema_of(spec.record)
            for reader, writer in permutations(versions, 2):
                found += [
                    f"{spec.name}: {reader} cannot read {writer}: {objection}"
                    for objection in objections(reader=versions[reader], writer=versions[writer])
                ]
    return found


def objections(*, reader: Mapping[str, Any], writer: Mapping[str, Any]) -> list[str]:
    """Return why `reader` cannot read what `writer` wrote, a field each; empty when it can."""
    resolved = ReaderWriterCompatibilityChecker().get_compatibility(
        parse(json.dumps(reader)), parse(json.dumps(writer))
    )
    found: list[str] = []
    if resolved.compatibility is not SchemaCompatibilityType.compatible:
        places = sorted(_named(reader, location) for location in resolved.locations)
        found.append(f"{', '.join(places)}: {'; '.join(sorted(map(str, resolved.messages)))}")
    return found + list(_changed_meanings(reader, writer))


def _named(schema: Mapping[str, Any], location: str) -> str:
    """Turn the checker's path (`/fields/3/type/…`) into the names of the fields on it."""
    names: list[str] = []
    here: Any = schema
    for step in location.strip("/").split("/"):
        if step.isdigit() and isinstance(here, list):
            parts = cast("list[Any]", here)
            here = parts[int(step)] if int(step) < len(parts) else None
            if isinstance(here, dict) and "name" in here:
                names.append(str(cast("dict[str, Any]", here)["name"]))
        elif isinstance(here, dict):
            here = cast("dict[str, Any]", here).get(step, here)
    return "field " + ".".join(names) if names else f"schema {schema.get('name')}"


def _changed_meanings(reader: Mapping[str, Any], writer: Mapping[str, Any]) -> Iterator[str]:
    # The resolution rules ignore logical types: micros would be read as millis without a word.
    old = dict(_meanings(writer))
    for field, meaning in _meanings(reader):
        if field in old and old[field] != meaning:
            yield f"field {field}: {old[field] or 'a plain type'} became {meaning or 'a plain type'}"


def _meanings(schema: Any, path: str = "") -> Iterator[tuple[str, str | None]]:
    """Yield the dotted name of each field beneath `schema` with its logical type."""
    if isinstance(schema, list):
        for branch in cast("list[Any]", schema):
            yield from _meanings(branch, path)
    elif isinstance(schema, dict):
        parts = cast("dict[str, Any]", schema)
        for field in parts.get("fields", ()):
            name = f"{path}.{field['name']}".lstrip(".")
            yield name, _logical(field["type"])
            yield from _meanings(field["type"], name)
        if "items" in parts:
            yield from _meanings(parts["items"], path)


def _logical(schema: Any) -> str | None:
    if isinstance(schema, list):
        branches = [_logical(branch) for branch in cast("list[Any]", schema)]
        return next((branch for branch in branches if branch), None)
    return cast("dict[str, str]", schema).get("logicalType") if isinstance(schema, dict) else None


def main() -> int:
    """Print what is wrong; the result is the exit code."""
    found = problems()
    for problem in found:
        sys.stderr.write(f"{problem}\n")
    if found:
        sys.stderr.write("Add fields with a default, never rename, retype or remove a field without one.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
