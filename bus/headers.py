"""Message headers: CloudEvents in binary mode, and the W3C trace."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from bus.codec import CONTENT_TYPE
from schemas import records
from schemas.ids import new_id
from schemas.topics import BY_RECORD
from telemetry.tracing import HEADER, Trace

Headers = list[tuple[str, bytes]]
"""Names and values as Kafka carries them."""

_SPEC_VERSION = ("ce_specversion", b"1.0")
_CONTENT = ("content-type", CONTENT_TYPE)
_TIME_FIELDS = ("updated_at", "created_at", "occurred_at", "timestamp", "born_at", "due_at")
"""Where a record says when it happened; the first that it has counts."""

_INSTANTS_REMEMBERED = 512
"""The records of one decision share their instants."""

_TYPES: Mapping[type[records.Record], tuple[str, bytes]] = MappingProxyType(
    {record: ("ce_type", f"maestro.{record.__name__}".encode()) for record in BY_RECORD}
)
_TIMES: Mapping[type[records.Record], str | None] = MappingProxyType(
    {
        record: next((name for name in _TIME_FIELDS if name in record.model_fields), None)
        for record in BY_RECORD
    }
)


def headers_of(record: records.Record, *, trace: Trace, source: bytes) -> Headers:
    """Return the headers of `record`: one CloudEvent, whose id stays when the record is sent again.

    `source` names the publisher, for example `b"/maestro/session"`.
    """
    kind = type(record)
    return [
        _SPEC_VERSION,
        ("ce_id", event_id_of(record).encode()),
        _TYPES[kind],
        ("ce_source", source),
        ("ce_time", _time_of(record, _TIMES[kind])),
        _CONTENT,
        (HEADER, trace.traceparent.encode()),
    ]


def event_id_of(record: records.Record) -> str:
    """Return the CloudEvents id: the record's own id, with its version where an id has several."""
    special = _IDENTITIES.get(type(record))
    if special is not None:
        return special(record)
    identity: str | None = getattr(record, "id", None)
    return identity or new_id()


def _versioned(record: records.Run | records.Task | records.Session) -> str:
    return f"{record.id}:{record.term}.{record.version}"


def _of_logs(record: records.TaskLogs) -> str:
    if record.is_fence:
        return f"{record.session_id}:fence:{record.fence_previous}:{record.cause_id}"
    return f"{record.session_id}:{record.term}.{record.entries[-1].sequence if record.entries else 0}"


def _of_agent(record: records.Agent) -> str:
    return f"{record.id}:{record.updated_at.isoformat()}"


# By type: matching classes one by one would cost as much as the rest of the headers.
_IDENTITIES: Mapping[type[records.Record], Callable[[Any], str]] = MappingProxyType(
    {
        records.Run: _versioned,
        records.Task: _versioned,
        records.Session: _versioned,
        records.TaskLogs: _of_logs,
        records.Agent: _of_agent,
    }
)


def _time_of(record: records.Record, field: str | None) -> bytes:
    return _written(getattr(record, field) if field else datetime.now(UTC))


@lru_cache(maxsize=_INSTANTS_REMEMBERED)
def _written(moment: datetime) -> bytes:
    return moment.isoformat().encode()
