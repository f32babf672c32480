"""Records of values that our own processes wrote: what they saw to when writing is not validated again.

Validating costs as much as reading the Avro, or twice that. Ids are looked at, and texts that not every store
takes; a value that is not as our writers leave it is validated in full by the caller.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, cast, get_args

from schemas.fields import UUID_PATTERN
from schemas.records import AnyRecord

Make = Callable[[dict[str, Any]], AnyRecord | None]
"""Takes all fields of a value, instants as datetimes, and makes them the record's own. Returns None, with the
fields unchanged, when they have to be validated."""

_is_uuid = re.compile(UUID_PATTERN.removesuffix("$")).fullmatch
_NUL = "\x00"
_ESCAPED_NUL = "\\u0000"


def maker_of(record: type[AnyRecord], schema: Mapping[str, Any]) -> Make | None:
    """Return what makes records of values of `schema`, the current one; None where records are nested.

    Raises:
        TypeError: a field is an enum in the schema and not in the record.

    """
    kinds = {field["name"]: _kind_of(field["type"]) for field in schema["fields"]}
    if "array" in kinds.values():
        return None
    enums = [(name, _members(record, name)) for name in kinds if kinds[name] == "enum"]
    uuids = [name for name in kinds if kinds[name] == "uuid"]
    texts = [name for name in kinds if kinds[name] == "string"]
    fields = set(kinds)  # shared: records are frozen, and copies of them copy it

    def make(values: dict[str, Any]) -> AnyRecord | None:
        if not _is_as_we_write(values, uuids, texts):
            return None
        for name, members in enums:
            if (symbol := values[name]) is not None:
                values[name] = members[symbol]
        made: AnyRecord = cast("Any", record.__new__)(record)
        object.__setattr__(made, "__dict__", values)
        object.__setattr__(made, "__pydantic_fields_set__", fields)
        object.__setattr__(made, "__pydantic_extra__", None)
        object.__setattr__(made, "__pydantic_private__", None)
        return made

    return make


def _is_as_we_write(values: Mapping[str, Any], uuids: Sequence[str], texts: Sequence[str]) -> bool:
    for name in uuids:
        if (text := values[name]) is not None and _is_uuid(text) is None:
            return False
    for name in texts:
        if (text := values[name]) is not None and (_NUL in text or _ESCAPED_NUL in text):
            return False
    return True


def _kind_of(kind: object) -> str:
    """Return the logical type, or the type, of a field that may be null."""
    if isinstance(kind, list):
        kind = next(each for each in cast("list[object]", kind) if each != "null")
    if isinstance(kind, str):
        return kind
    parts = cast("Mapping[str, str]", kind)
    return parts.get("logicalType") or parts["type"]


def _members(record: type[AnyRecord], name: str) -> Mapping[str, Enum]:
    annotation = record.model_fields[name].annotation
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Enum):
            return {member.value: member for member in kind}
    message = f"{record.__name__}.{name} is an enum in Avro only"
    raise TypeError(message)
