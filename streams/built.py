"""Records of our own making, built without validating them again.

Every value in them comes from a validated record or from our own code, and the tests validate all records of
generated histories. Validating each would cost more than the rest of a decision; pydantic's own
`model_construct` costs as much.
"""

from functools import cache
from typing import Any, TypeVar

from schemas.records import Record

RecordT = TypeVar("RecordT", bound=Record)


def built(kind: type[RecordT], **values: Any) -> RecordT:
    """Return the record of `kind` with `values`, and the defaults of the fields not named."""
    template, names = _form(kind)
    record = kind.__new__(kind)
    _set(record, "__dict__", {**template, **values})
    _set(record, "__pydantic_fields_set__", names)
    _set(record, "__pydantic_extra__", None)
    _set(record, "__pydantic_private__", None)
    return record


_set = object.__setattr__


@cache
def _form(kind: type[Record]) -> tuple[dict[str, Any], set[str]]:
    """Return all fields of `kind` in their order, which writing a record follows, and their names."""
    fields = kind.model_fields
    template = {name: None if field.is_required() else field.default for name, field in fields.items()}
    return template, set(fields)
