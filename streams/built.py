"""Records of our own making, built without validating them again.

Every value in them comes from a validated record or from our own code, and the tests validate all records of
generated histories. Validating each would cost more than the rest of a decision; pydantic's own
`model_construct` costs as much.
"""

from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel

from schemas.records import Record

RecordT = TypeVar("RecordT", bound=Record)


def built(kind: type[RecordT], **values: Any) -> RecordT:
    """Return the record of `kind` with `values`, and the defaults of the fields not named.

    Whoever names all fields, in their order, saves the defaults' merging.
    """
    template, names = _form(kind)
    record = _new(kind)
    _set_values(record, values if len(values) == len(template) else {**template, **values})
    _set_names(record, names)
    _set_extra(record, None)
    _set_private(record, None)
    return record


_new = object.__new__
# What `object.__setattr__` would look up by name each time: records are frozen against any other way.
_set_values, _set_names, _set_extra, _set_private = (
    vars(BaseModel)[name].__set__
    for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


@cache
def _form(kind: type[Record]) -> tuple[dict[str, Any], set[str]]:
    """Return all fields of `kind` in their order, which writing a record follows, and their names."""
    fields = kind.model_fields
    template = {name: None if field.is_required() else field.default for name, field in fields.items()}
    return template, set(fields)
