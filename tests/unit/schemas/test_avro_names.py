"""Two ways of writing the names of a schema mean the same."""

import copy
import json
from typing import Any

import pytest

from schemas.avro_names import in_full, is_same
from schemas.avro_schema import schema_of
from schemas.topics import ALL_TOPICS

TYPES = [spec.record for spec in ALL_TOPICS if spec.record is not None]


def shortened(schema: Any, around: str | None = None) -> Any:
    """The schema as registries in Java write it: without the namespace of the type around it."""
    if isinstance(schema, list):
        return [shortened(branch, around) for branch in schema]
    if isinstance(schema, str):
        return schema.removeprefix(f"{around}.")
    if not isinstance(schema, dict):
        return schema
    short = {key: part for key, part in schema.items() if key != "namespace" or part != around}
    inner = schema.get("namespace", around)
    if "fields" in schema:
        short["fields"] = [{**each, "type": shortened(each["type"], inner)} for each in schema["fields"]]
    return short | {key: shortened(schema[key], inner) for key in ("items",) if key in schema}


@pytest.mark.parametrize("record", TYPES, ids=lambda record: record.__name__)
def test_names_without_the_namespace_around_them_are_the_same(record: Any) -> None:
    schema = schema_of(record)
    assert is_same(schema, shortened(schema))
    assert in_full(in_full(schema)) == in_full(schema)


def test_another_default_is_another_schema() -> None:
    schema = schema_of(TYPES[0])
    other = copy.deepcopy(schema)
    other["fields"][-1]["default"] = "x"
    assert not is_same(schema, other)
    assert json.dumps(schema) == json.dumps(schema_of(TYPES[0]))
