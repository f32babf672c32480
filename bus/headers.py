"""Message headers: CloudEvents in binary mode, and the W3C trace."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

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

_TYPES: Mapping[type[records.Record], bytes] = MappingProxyType(
    {record: f"maestro.{record.__name__}".encode() for record in BY_RECORD}
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
    return [
        _SPEC_VERSION,
        ("ce_id", event_id_of(record).encode()),
        ("ce_type", _TYPES[type(record)]),
        ("ce_source", source),
        ("ce_time", _time_of(record).encode()),
        _CONTENT,
        (HEADER, trace.traceparent.encode()),
    ]


def event_id_of(record: records.Record) -> str:
    """Return the CloudEvents id: the record's own id, with its version where an id has several."""
    match record:
        case records.Run() | records.Task() | records.Session():
            return f"{record.id}:{record.term}.{record.version}"
        case records.TaskLogs(fence_previous=None):
            return f"{record.session_id}:{record.term}.{record.entries[-1].sequence if record.entries else 0}"
        case records.TaskLogs():
            return f"{record.session_id}:fence:{record.fence_previous}:{record.cause_id}"
        case records.Agent():
            return f"{record.id}:{record.updated_at.isoformat()}"
        case _:
            identity: str | None = getattr(record, "id", None)
            return identity or new_id()


def _time_of(record: records.Record) -> str:
    field = _TIMES[type(record)]
    moment: datetime = getattr(record, field) if field else datetime.now(UTC)
    return moment.isoformat()
