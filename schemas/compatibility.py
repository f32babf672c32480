"""The gate for schema changes: every version must read every other one. `python -m schemas.compatibility`.

Full transitive compatibility, logical types included, so that any two releases may be mixed. What it
objects to is named by topic, versions and field.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import permutations
from pathlib import Path
from typing import Any, cast

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import Schema, parse

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
    if reader["name"] != writer["name"]:
        return [f"record {writer['name']} became {reader['name']}"]
    return list(_objections(reader, writer, _definitions(reader), _definitions(writer)))


def _objections(
    reader: Mapping[str, Any],
    writer: Mapping[str, Any],
    reader_types: Mapping[str, Any],
    writer_types: Mapping[str, Any],
    path: str = "",
) -> Iterator[str]:
    # Field by field, because the checker forgets where it was as soon as it has entered a union.
    written = {field["name"]: field for field in writer["fields"]}
    for field in reader["fields"]:
        name = f"{path}{field['name']}"
        other = written.get(field["name"])
        if other is None:
            if "default" not in field:
                yield f"field {name}: has no default, and the writer does not know it"
            continue
        inner, inner_other = _record_in(field["type"]), _record_in(other["type"])
        if inner is not None and inner_other is not None:
            yield from _objections(inner, inner_other, reader_types, writer_types, f"{name}.")
            continue
        checked = ReaderWriterCompatibilityChecker().get_compatibility(
            _alone(field, reader_types), _alone(other, writer_types)
        )
        if checked.compatibility is not SchemaCompatibilityType.compatible:
            yield f"field {name}: {'; '.join(sorted(map(str, checked.messages)))}"
        elif _logical(field["type"]) != _logical(other["type"]):
            # The resolution rules ignore logical types: micros would be read as millis without a word.
            was, now = (_logical(each["type"]) or "a plain type" for each in (other, field))
            yield f"field {name}: {was} became {now}"


def _alone(field: Mapping[str, Any], types: Mapping[str, Any]) -> Schema:
    return parse(json.dumps({"type": "record", "name": "Alone", "fields": [_inlined(field, types)]}))


def _inlined(field: Mapping[str, Any], types: Mapping[str, Any]) -> dict[str, Any]:
    kind = field["type"]
    branches = cast("list[Any]", kind) if isinstance(kind, list) else [kind]
    found = [types.get(branch, branch) if isinstance(branch, str) else branch for branch in branches]
    return {**field, "type": found if isinstance(kind, list) else found[0]}


def _definitions(schema: Any) -> dict[str, Any]:
    """Return the named types defined anywhere in `schema`, by full name."""
    if isinstance(schema, list):
        parts = cast("list[Any]", schema)
        return {name: kind for part in parts for name, kind in _definitions(part).items()}
    if not isinstance(schema, dict):
        return {}
    kind = cast("dict[str, Any]", schema)
    found = {f"{kind.get('namespace', '')}.{kind['name']}": kind} if kind["type"] == "enum" else {}
    for field in kind.get("fields", ()):
        found |= _definitions(field["type"])
    return found | _definitions(kind.get("items"))


def _record_in(schema: Any) -> Mapping[str, Any] | None:
    if not isinstance(schema, dict):
        return None
    kind = cast("dict[str, Any]", schema)
    return (
        _record_in(kind["items"]) if kind["type"] == "array" else kind if kind["type"] == "record" else None
    )


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
