"""A recorded decision decided once more, and where the two differ. Pure; no model and no tool is called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from pydantic import JsonValue

from schemas.records import Agent, LogEntry, TaskLogs
from streams.session.context import Context
from streams.session.decide import decide
from streams.session.event import Event, EventRecord, ms_of
from streams.session.log import chain
from streams.session.rules import Rules

_FIELDS = ("action", "run_id", "tool_name", "tool_call_id", "success")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first place where deciding again says something else: the entry, the field, both values.

    `field` is the path in the entry, for example `payload.due_ms`; `entry` where one side has no such entry.
    """

    sequence: int
    field: str
    recorded: JsonValue
    decided: JsonValue


def event_of(logs: TaskLogs, record: EventRecord) -> Event:
    """Return the event that caused a recorded decision; `record` is what it carried."""
    return Event(
        id=logs.cause_id,
        topic=logs.cause_topic,
        partition=logs.cause_partition,
        offset=logs.cause_offset,
        at_ms=ms_of(logs.occurred_at),
        trace_id=logs.trace_id,
        record=record,
    )


def difference(
    before: Context, logs: TaskLogs, record: EventRecord, agent: Agent | None, rules: Rules
) -> Difference | None:
    """Decide about `record` in the context `before`; return the first difference to `logs`, None for none."""
    event = event_of(logs, record)
    _, entries = chain(before, decide(before, event, agent, rules), event, term=logs.term)
    return first_difference(logs.entries, entries)


def first_difference(recorded: Sequence[LogEntry], decided: Sequence[LogEntry]) -> Difference | None:
    """Return the first place where two decisions that follow the same entry differ."""
    for ours, again in zip(recorded, decided, strict=False):
        found = _of_entries(ours, again)
        if found is not None:
            return found
    if len(recorded) == len(decided):
        return None
    rest, is_missing = (recorded, True) if len(recorded) > len(decided) else (decided, False)
    extra = rest[min(len(recorded), len(decided))]
    action = extra.action.value
    return Difference(
        sequence=extra.sequence,
        field="entry",
        recorded=action if is_missing else None,
        decided=None if is_missing else action,
    )


def _of_entries(recorded: LogEntry, decided: LogEntry) -> Difference | None:
    if recorded.hash == decided.hash:
        return None
    for name in _FIELDS:
        ours, again = getattr(recorded, name), getattr(decided, name)
        if ours != again:
            return Difference(sequence=recorded.sequence, field=name, recorded=ours, decided=again)
    path, ours, again = first_path(orjson.loads(recorded.payload), orjson.loads(decided.payload)) or (
        (),
        recorded.payload,
        decided.payload,
    )
    field = ".".join(("payload", *path))
    return Difference(sequence=recorded.sequence, field=field, recorded=ours, decided=again)


def first_path(one: JsonValue, other: JsonValue) -> tuple[tuple[str, ...], JsonValue, JsonValue] | None:
    """Return where two JSON values differ first, and both values there; None where they are equal."""
    match one, other:
        case dict(), dict():
            return _first([(name, one.get(name), other.get(name)) for name in {**one, **other}])
        case list(), list() if len(one) == len(other):
            return _first([(str(n), *pair) for n, pair in enumerate(zip(one, other, strict=True))])
        case _:
            return None if one == other else ((), one, other)


def _first(
    members: Sequence[tuple[str, JsonValue, JsonValue]],
) -> tuple[tuple[str, ...], JsonValue, JsonValue] | None:
    for name, one, other in members:
        found = first_path(one, other)
        if found is not None:
            path, ours, again = found
            return (name, *path), ours, again
    return None


def context_difference(one: bytes, other: bytes) -> tuple[str, JsonValue, JsonValue] | None:
    """Return the first field in which the bytes of two contexts differ, and both values; None for equal."""
    if one == other:
        return None
    left: Mapping[str, JsonValue] = orjson.loads(one)
    right: Mapping[str, JsonValue] = orjson.loads(other)
    found = first_path(dict(left), dict(right))
    if found is None:
        return "the order of the bytes", None, None
    path, ours, theirs = found
    return ".".join(path), ours, theirs
