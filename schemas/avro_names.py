"""Avro schemas with every name in full: registries write names shorter than we do and mean the same. Pure."""

from typing import Any, cast

from schemas.avro_schema import canonical_text

_PRIMITIVE = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_COMPLEX = frozenset({"record", "enum", "fixed", "array", "map"})


def is_same(one: object, other: object) -> bool:
    """Whether two schemas mean the same to every reader, however their names and docs are written."""
    return canonical_text(in_full(one)) == canonical_text(in_full(other))


def in_full(schema: object, namespace: str = "") -> Any:
    """Return `schema` with a namespace at each named type, and every reference by its full name.

    `namespace` is that of the type around it, which Avro lets the inner ones inherit.
    """
    if isinstance(schema, list):
        return [in_full(branch, namespace) for branch in cast("list[object]", schema)]
    if isinstance(schema, str):
        is_reference = schema not in _PRIMITIVE | _COMPLEX and "." not in schema
        return f"{namespace}.{schema}" if is_reference and namespace else schema
    if not isinstance(schema, dict):
        return schema
    parts = cast("dict[str, Any]", schema)
    full = dict(parts)
    if "name" in parts:
        own, _, name = str(parts["name"]).rpartition(".")
        namespace = own or parts.get("namespace", namespace)
        full |= {"name": name, "namespace": namespace}
    if "fields" in parts:
        full["fields"] = [{**field, "type": in_full(field["type"], namespace)} for field in parts["fields"]]
    return full | {
        part: in_full(parts[part], namespace) for part in ("type", "items", "values") if part in parts
    }
