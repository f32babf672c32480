"""Field types of the records: what is checked at the edge, and how Avro spells it."""

from typing import Annotated, Any

import orjson
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
        return orjson.dumps(value).decode()
    return value


def _checked_json(text: str) -> str:
    clean = text.replace("\\u0000", "\\ufffd") if "\\u0000" in text else text
    try:
        orjson.loads(clean)
    except orjson.JSONDecodeError as error:
        message = f"is not JSON: {error}"
        raise ValueError(message) from error
    return clean


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


UUID_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

Uuid = Annotated[
    str,
    BeforeValidator(_lower),
    StringConstraints(pattern=UUID_PATTERN),
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
    AfterValidator(_without_nul),
]
"""A string that holds JSON."""

Timestamp = Annotated[AwareDatetime, Field(json_schema_extra={"avro": "timestamp-micros"})]
"""An aware instant with microseconds; on the wire microseconds since 1970-01-01 UTC."""
