"""Writes the Avro schemas of all topics beside the models: `python -m schemas.generate [--check | --amend]`.

`avro/TOPIC.avsc` is the current schema, `avro/versions/TOPIC/N.avsc` every version ever written with, and
`avro/ids.json` the built-in id of each version. A new meaning makes a new version; a new doc does not.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from schemas.avro_schema import canonical_text, schema_id, schema_of, schema_text
from schemas.committed import AVRO_FOLDER, Committed, read_committed
from schemas.topics import ALL_TOPICS


def plan(committed: Committed, *, amend: bool = False) -> dict[str, str]:
    """Return what the folder shall hold: text by relative path.

    With `amend` a changed schema replaces the newest version instead of adding one: right only for a version
    that was never released.

    Raises:
        ValueError: two schemas have the same built-in id.

    """
    files: dict[str, str] = {}
    ids: dict[str, dict[str, int]] = {}
    for spec in ALL_TOPICS:
        if spec.record is None:
            continue
        current = schema_of(spec.record)
        versions = dict(committed.versions.get(spec.name, {}))
        newest = committed.newest(spec.name)
        if not newest or canonical_text(versions[newest]) != canonical_text(current):
            newest = max(1, newest if amend else newest + 1)
            versions[newest] = current
        files[f"{spec.name}.avsc"] = schema_text(spec.record)
        for number, schema in versions.items():
            files[f"versions/{spec.name}/{number}.avsc"] = _text(schema)
        ids[spec.name] = {str(number): schema_id(schema) for number, schema in versions.items()}
    _refuse_collisions(ids)
    files["ids.json"] = _text(ids)
    return files


def differences(files: Mapping[str, str], folder: Path = AVRO_FOLDER) -> list[str]:
    """Return the relative paths whose files are missing, different or not planned."""
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    changed = [
        name for name, text in files.items() if name not in present or (folder / name).read_text() != text
    ]
    return sorted({*changed, *(present - files.keys())})


def _text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _refuse_collisions(ids: Mapping[str, Mapping[str, int]]) -> None:
    owners: dict[int, str] = {}
    for topic, versions in ids.items():
        for number, identity in versions.items():
            owner = owners.setdefault(identity, f"{topic} {number}")
            if owner != f"{topic} {number}":
                message = f"{topic} {number} and {owner} share the schema id {identity}: reword a default"
                raise ValueError(message)


def main(arguments: list[str] | None = None, folder: Path = AVRO_FOLDER) -> int:
    """Write the files, or with --check say which are not up to date; the result is the exit code."""
    parser = argparse.ArgumentParser(prog="python -m schemas.generate", description=__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would change")
    choice.add_argument("--amend", action="store_true", help="replace the newest version (never released)")
    options = parser.parse_args(arguments)
    files = plan(read_committed(folder), amend=cast("bool", options.amend))
    changed = differences(files, folder)
    if options.check:
        for name in changed:
            sys.stderr.write(f"not up to date: {folder / name}; run python -m schemas.generate\n")
        return 1 if changed else 0
    for name in changed:
        path = folder / name
        if name in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            _ = path.write_text(files[name])
        else:
            path.unlink()
        sys.stdout.write(f"{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
