"""Field types of the records: what is checked at the edge, and how Avro spells it."""

import re
from typing import Annotated, Any

import orjson
from msgspec import DecodeError, Raw
from msgspec.json import Decoder
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    StringConstraints,
)


def _without_nul(text: str) -> str:
    # PostgreSQL's text refuses U+0000; the replacement character shows that something was there.
    return text.replace("\x00", "\ufffd") if "\x00" in text else text


def _as_json_text(value: Any) -> Any:
    # Plain JSON producers may nest an object where Avro carries a string that holds JSON.
    if isinstance(value, dict | list):
        return _json_of(value)
    return value


def _json_of(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:  # a TypeError, which pydantic would let through
        message = f"cannot be written as JSON: {error}"
        raise ValueError(message) from error


_ESCAPE = re.compile(r"\\(u0000|.)", re.DOTALL)


def json_without_nul(text: str) -> str:
    """Return JSON `text` with each escaped U+0000 replaced; an escaped backslash before "u0000" is none."""
    if "\\u0000" not in text:
        return text
    return _ESCAPE.sub(lambda escape: "\\ufffd" if escape[1] == "u0000" else escape[0], text)


def _checked_json(text: str) -> str:
    clean = json_without_nul(text)
    try:
        orjson.loads(clean)
    except orjson.JSONDecodeError as error:
        message = f"is not JSON: {error}"
        raise ValueError(message) from error
    return clean


_SKIM = Decoder(Raw).decode
"""Checks the form and makes no values: a third of the time for the long texts that most readers pass on."""


def _written_json(text: str) -> str:
    clean = json_without_nul(text)
    try:
        _ = _SKIM(clean)
    except DecodeError as error:
        message = f"is not JSON: {error}"
        raise ValueError(message) from error
    return clean


_TINY = re.compile(r"[eE]-[0-9]{4}")


_DEEPEST = 200
"""Most levels of arrays and objects: whoever puts the value into another may still write it (254)."""


def _not_too_deep(text: str) -> str:
    # Each level has a bracket: most texts need no look at their values.
    if text.count("[") + text.count("{") > _DEEPEST and _is_deeper(orjson.loads(text), _DEEPEST):
        message = f"is nested deeper than {_DEEPEST} levels"
        raise ValueError(message)
    return text


def _is_deeper(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if not isinstance(value, list):
        return False
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in value)  # pyright: ignore[reportUnknownVariableType]


def _without_tiny_numbers(text: str) -> str:
    # PostgreSQL's jsonb refuses a number with more than 16,383 digits after the point; as a double it is 0.
    return _json_of(orjson.loads(text)) if _TINY.search(text) else text


_UUID_PATTERN = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"

Uuid = Annotated[
    str,
    StringConstraints(pattern=_UUID_PATTERN, to_lower=True),
    Field(json_schema_extra={"avro": "uuid"}),
]
"""Canonical UUID text, 36 characters, lower case."""

Text = Annotated[str, AfterValidator(_without_nul)]
"""Text without U+0000."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_without_nul)]
"""A short identifier that a person or another system chose: 1 to 200 characters."""

JsonText = Annotated[
    str,
    BeforeValidator(_as_json_text),
    AfterValidator(_checked_json),
]
"""A string that holds JSON."""

OwnJson = Annotated[str, AfterValidator(_written_json)]
"""A string that holds JSON which one of our workers wrote."""

JsonInput = Annotated[JsonText, AfterValidator(_not_too_deep), AfterValidator(_without_tiny_numbers)]
"""A string that holds JSON which somebody outside wrote, in a form that every store takes."""

Timestamp = Annotated[AwareDatetime, Field(json_schema_extra={"avro": "timestamp-micros"})]
"""An aware instant with microseconds; on the wire microseconds since 1970-01-01 UTC."""
