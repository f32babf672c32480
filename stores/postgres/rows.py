"""From rows to records: the same names, ids as text."""

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from schemas.records import Record
from stores.postgres.pool import Row

R = TypeVar("R", bound=Record)


def values_of(row: Row) -> dict[str, Any]:
    """Return a row's values by column, ids as canonical text."""
    return {name: str(value) if isinstance(value, UUID) else value for name, value in row.items()}


def record_of(model: type[R], row: Row | Mapping[str, Any]) -> R:
    """Return the record that a row of its table holds; columns that the record does not have are left out."""
    values = values_of(row) if isinstance(row, Row) else row
    return model.model_validate({name: values[name] for name in model.model_fields if name in values})
