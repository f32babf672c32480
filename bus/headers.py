"""Message headers: CloudEvents in binary mode, and the W3C trace."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
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

_Form = tuple[tuple[str, bytes], Callable[[Any], str], Callable[[Any], datetime]]
"""The header of a record type, and how a record of it names its event and the event's time."""


def headers_of(record: records.Record, *, trace: Trace, source: bytes) -> Headers:
    """Return the headers of `record`: one CloudEvent, whose id stays when the record is sent again.

    `source` names the publisher, for example `b"/maestro/session"`.
    """
    type_header, identity, time_of = _FORMS[type(record)]
    return [
        _SPEC_VERSION,
        ("ce_id", identity(record).encode()),
        type_header,
        ("ce_source", source),
        _time_header(time_of(record)),
        _CONTENT,
        (HEADER, trace.traceparent.encode()),
    ]


def event_id_of(record: records.Record) -> str:
    """Return the CloudEvents id: the record's own id, with its version where an id has several."""
    _, identity, _ = _FORMS[type(record)]
    return identity(record)


def _of_inbound(record: records.UserMessage | records.SessionCommand) -> str:
    return record.id or new_id()


def _versioned(record: records.Run | records.Task | records.Session) -> str:
    return f"{record.id}:{record.term}.{record.version}"


def _of_logs(record: records.TaskLogs) -> str:
    if record.is_fence:
        return f"{record.session_id}:fence:{record.fence_previous}:{record.cause_id}"
    return f"{record.session_id}:{record.term}.{record.entries[-1].sequence if record.entries else 0}"


def _of_agent(record: records.Agent) -> str:
    return f"{record.id}:{record.updated_at.isoformat()}"


_IDENTITIES: Mapping[type[records.Record], Callable[[Any], str]] = MappingProxyType(
    {
        records.UserMessage: _of_inbound,
        records.SessionCommand: _of_inbound,
        records.Run: _versioned,
        records.Task: _versioned,
        records.Session: _versioned,
        records.TaskLogs: _of_logs,
        records.Agent: _of_agent,
    }
)
"""Of all others it is their id."""


def _now(_record: records.Record) -> datetime:
    return datetime.now(UTC)


@lru_cache(maxsize=_INSTANTS_REMEMBERED)
def _time_header(moment: datetime) -> tuple[str, bytes]:
    return ("ce_time", moment.isoformat().encode())


def _form_of(kind: type[records.Record]) -> _Form:
    times = [name for name in _TIME_FIELDS if name in kind.model_fields]
    return (
        ("ce_type", f"maestro.{kind.__name__}".encode()),
        _IDENTITIES.get(kind, attrgetter("id")),
        attrgetter(times[0]) if times else _now,
    )


# By type: matching classes one by one would cost as much as the rest of the headers.
_FORMS = {kind: _form_of(kind) for kind in BY_RECORD}
