"""The committed schemas by id, and by subject and version, as a schema registry numbers them. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from bus.names import TopicNames
from schemas.avro_schema import schema_id
from schemas.committed import Committed
from schemas.topics import ALL_TOPICS

_NUMBERS = 2**31
_MOST_DIGITS = len(str(_NUMBERS))
LATEST = frozenset({"latest", "-1"})


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a topic's value schema."""

    subject: str
    number: int
    id: int
    text: str
    """The Avro schema as JSON, docs included."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """Every version of every topic's value schema. Subjects are `<full topic name>-value`."""

    by_subject: Mapping[str, tuple[Version, ...]]
    """Oldest first."""
    by_id: Mapping[int, tuple[Version, ...]]
    """The versions that share an id: they differ in docs only. Oldest first."""

    @classmethod
    def of(cls, committed: Committed, names: TopicNames) -> Self:
        """Return the subjects of all topics that carry records."""
        by_subject: dict[str, tuple[Version, ...]] = {}
        by_id: dict[int, tuple[Version, ...]] = {}
        for spec in ALL_TOPICS:
            if spec.record is None:
                continue
            subject = f"{names.full(spec)}-value"
            found = committed.versions.get(spec.name, {})
            versions = tuple(
                Version(subject, number, schema_id(schema), json.dumps(schema, ensure_ascii=False))
                for number, schema in sorted(found.items())
            )
            by_subject[subject] = versions
            for version in versions:
                by_id[version.id] = (*by_id.get(version.id, ()), version)
        return cls(MappingProxyType(by_subject), MappingProxyType(by_id))

    def version(self, subject: str, wanted: str) -> Version | None:
        """Return a version of a subject: by number, or `latest`; None when there is none."""
        versions = self.by_subject.get(subject, ())
        if wanted in LATEST:
            return versions[-1] if versions else None
        return next((each for each in versions if each.number == number_of(wanted)), None)


def is_version(text: str) -> bool:
    """Return whether `text` can name a version: `latest`, or a number from 1."""
    return text in LATEST or 0 < number_of(text) < _NUMBERS


def number_of(text: str) -> int:
    """Return the number that `text` writes, 0 when it is none that an id or a version could be."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    return int(text) if is_number else 0
