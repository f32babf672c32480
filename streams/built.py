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
    record = kind.__new__(kind)
    object.__setattr__(record, "__dict__", {**_template(kind), **values})
    object.__setattr__(record, "__pydantic_fields_set__", set(values))
    object.__setattr__(record, "__pydantic_extra__", None)
    object.__setattr__(record, "__pydantic_private__", None)
    return record


@cache
def _template(kind: type[Record]) -> dict[str, Any]:
    """Return all fields of `kind` in their order: writing a record follows it."""
    return {name: None if field.is_required() else field.default for name, field in kind.model_fields.items()}
