"""Registers the current schemas of all topics, and asks the registry to keep every later one compatible."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bus.codec import RegisteredSchema
from bus.registry import FULL_TRANSITIVE, Registry
from schemas.avro_names import is_same
from schemas.avro_schema import schema_of
from schemas.errors import PoisonError
from schemas.topics import ALL_TOPICS, TopicSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What came of one subject. `problem` says why it is not as it should be; `id` is None then."""

    subject: str
    id: int | None = None
    is_new: bool = False
    """Whether this call registered the schema."""
    compatibility_was: str | None = None
    """The level that was replaced by FULL_TRANSITIVE; None when nothing had to be set."""
    problem: str | None = None


async def register_all(registry: Registry) -> tuple[Registration, ...]:
    """Register what is missing and set FULL_TRANSITIVE for every subject; doing it twice changes nothing.

    Raises:
        TransientError: the registry does not answer; what was done stays.
        FatalError: it refuses us.

    """
    known = await registry.schemas()
    return tuple(
        [
            await _registered(registry, spec, schema_of(spec.record), known)
            for spec in ALL_TOPICS
            if spec.record is not None
        ]
    )


async def missing_from(registry: Registry) -> tuple[str, ...]:
    """Return the subjects that do not have their topic's current schema.

    Raises:
        TransientError: the registry does not answer.
        FatalError: it refuses us.

    """
    known = await registry.schemas()
    return tuple(
        registry.subject(spec)
        for spec in ALL_TOPICS
        if spec.record is not None and _id_among(known, spec, schema_of(spec.record)) is None
    )


async def _registered(
    registry: Registry, spec: TopicSpec, schema: dict[str, Any], known: Sequence[RegisteredSchema]
) -> Registration:
    subject = registry.subject(spec)
    level = await registry.compatibility(spec)
    # The level comes first, so that the registry itself refuses what does not fit the versions it has.
    if level != FULL_TRANSITIVE:
        await registry.set_compatibility(spec, FULL_TRANSITIVE)
    number = _id_among(known, spec, schema)
    is_new = number is None
    if number is None:
        try:
            number = await registry.register(spec, schema)
        except PoisonError as error:
            return Registration(subject=subject, problem=error.message)
    return Registration(
        subject=subject,
        id=number,
        is_new=is_new,
        compatibility_was=None if level == FULL_TRANSITIVE else level or "the registry's own",
    )


def _id_among(known: Sequence[RegisteredSchema], spec: TopicSpec, schema: object) -> int | None:
    same = [each.id for each in known if each.topic == spec.name and is_same(each.schema, schema)]
    return same[-1] if same else None
