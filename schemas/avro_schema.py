"""Avro schemas of the records, derived from the pydantic models. Pure: no files, no clients."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache
from hashlib import sha256
from types import NoneType, UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

from schemas.records import Record

NAMESPACE = "maestro"
_PRIMITIVES: Mapping[object, str] = {str: "string", bool: "boolean", int: "long", float: "double"}
_ID_BITS = 0x7FFFFFFF


@cache
def schema_text(record: type[Record]) -> str:
    """Return the Avro schema of `record` as readable JSON, docs included."""
    return json.dumps(schema_of(record), indent=2, ensure_ascii=False) + "\n"


def schema_of(record: type[Record]) -> dict[str, Any]:
    """Return the Avro schema of `record`: fields with docs, enums with default `unknown`, logical types.

    Raises:
        TypeError: a field's type has no Avro form here, or a field has no description.

    """
    return _record(record, set())


def canonical_text(schema: object) -> str:
    """Return `schema` without docs, keys sorted: schemas with the same text mean the same to every reader."""
    return json.dumps(_without_docs(schema), sort_keys=True, separators=(",", ":"))


def schema_id(schema: object) -> int:
    """Return the built-in id of `schema`: 31 positive bits of the SHA-256 of its canonical text."""
    digest = sha256(canonical_text(schema).encode()).digest()
    return (int.from_bytes(digest[:4], "big") & _ID_BITS) or 1


def without_logical_types(schema: object) -> Any:
    """Return `schema` with logical types reduced to the plain types beneath them."""
    if isinstance(schema, list):
        return [without_logical_types(part) for part in cast("list[object]", schema)]
    if not isinstance(schema, dict):
        return schema
    parts = cast("dict[str, object]", schema)
    if "logicalType" in parts:
        return parts["type"]
    return {name: without_logical_types(part) for name, part in parts.items()}


def _record(record: type[Record], named: set[str]) -> dict[str, Any]:
    hints = get_type_hints(record, include_extras=True)
    named.add(record.__name__)
    return {
        "type": "record",
        "name": record.__name__,
        "namespace": NAMESPACE,
        "doc": _first_paragraph(record.__doc__),
        "fields": [_field(name, hints[name], field, named) for name, field in record.model_fields.items()],
    }


def _field(name: str, hint: object, field: FieldInfo, named: set[str]) -> dict[str, Any]:
    if not field.description:
        message = f"field {name} has no description"
        raise TypeError(message)
    avro: dict[str, Any] = {"name": name, "type": _type(hint, named), "doc": field.description}
    if not field.is_required():
        avro["default"] = _default(field.get_default(call_default_factory=False))
    return avro


def _default(value: object) -> object:
    if isinstance(value, StrEnum):
        return value.value
    return list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value


def _type(hint: object, named: set[str]) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(arguments, named)
    if origin in {Union, UnionType}:
        # Null comes first, because Avro wants a union's default to be of its first branch.
        others = [_type(argument, named) for argument in arguments if argument is not NoneType]
        return ["null", *others]
    if origin is tuple:
        return {"type": "array", "items": _type(arguments[0], named)}
    if isinstance(hint, type):
        return _class(hint, named)
    message = f"{hint!r} has no Avro form"
    raise TypeError(message)


def _annotated(arguments: Sequence[object], named: set[str]) -> Any:
    logical = next(filter(None, map(_marker, arguments[1:])), None)
    if logical is None:
        return _type(arguments[0], named)
    return {"type": "string" if logical == "uuid" else "long", "logicalType": logical}


def _marker(annotation: object) -> str | None:
    extra = annotation.json_schema_extra if isinstance(annotation, FieldInfo) else None
    return cast("dict[str, str]", extra).get("avro") if isinstance(extra, dict) else None


def _class(hint: type, named: set[str]) -> Any:
    if hint in _PRIMITIVES:
        return _PRIMITIVES[hint]
    if hint is datetime:
        return {"type": "long", "logicalType": "timestamp-micros"}
    if hint.__name__ in named:
        return f"{NAMESPACE}.{hint.__name__}"
    if issubclass(hint, StrEnum):
        named.add(hint.__name__)
        return {
            "type": "enum",
            "name": hint.__name__,
            "namespace": NAMESPACE,
            "doc": _first_paragraph(hint.__doc__),
            "symbols": [member.value for member in hint],
            "default": "unknown",
        }
    if issubclass(hint, Record):
        return _record(hint, named)
    message = f"{hint!r} has no Avro form"
    raise TypeError(message)


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").strip().split("\n\n")[0].split())


def _without_docs(schema: object) -> object:
    if isinstance(schema, list):
        return [_without_docs(part) for part in cast("list[object]", schema)]
    if isinstance(schema, dict):
        parts = cast("dict[str, object]", schema)
        # A default may be any JSON value: nothing in it is a schema.
        return {
            name: part if name == "default" else _without_docs(part)
            for name, part in parts.items()
            if name != "doc"
        }
    return schema
