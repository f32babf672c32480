"""What is streamed of a session: from entries of its live feed, or of its log, to events. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, cast

import orjson

from api.streams.ids import BEFORE_ALL, TOKEN_PART, EventId, Place, place_of
from schemas.lists import Action, RunStatus
from stores.redis.feed import FeedItem

STAGE: Final = "stage"
DELTA: Final = "delta"
"""Kinds of feed entries, as the session and generate roles write them."""

RUN, THOUGHT, PLAN = "run", "thought", "plan"
TOOL_CALL, TOOL_RESULT = "tool_call", "tool_result"
TOKEN, MESSAGE, ERROR, DONE = "token", "message", "error", "done"
NAMES: Final = (RUN, THOUGHT, PLAN, TOOL_CALL, TOOL_RESULT, TOKEN, MESSAGE, ERROR, DONE)
"""Every name that an event may have."""

_CUT: Final = "…"
_MOST_CHARS: Final = 4_000
"""Longest text of a stage; a longer one was cut there and ends with an ellipsis."""

Data = Mapping[str, Any]
_Part = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of a stream."""

    id: EventId
    name: str
    run_id: str | None
    data: bytes
    """JSON object."""

    def wire(self) -> bytes:
        """Return the event as it is sent (WHATWG HTML, server-sent events). JSON has no line breaks."""
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (str(self.id).encode(), self.name.encode(), self.data)


class Translation:
    """Turns feed entries, in their order, into events. `sequence` is the last log entry that was passed."""

    def __init__(self, sequence: int = 0) -> None:
        self.sequence = sequence

    def events_of(self, items: Iterable[FeedItem]) -> Iterator[Event]:
        """Yield the events of the next entries. What is no JSON of ours is passed over."""
        for item in items:
            data = _object(item.data)
            if data is None:
                continue
            place = place_of(item.id)
            if item.kind == DELTA:
                yield _token(data, self.sequence, place)
            elif item.kind == STAGE and isinstance(data.get("sequence"), int):
                self.sequence = max(self.sequence, data["sequence"])
                yield from stage_events(data, place)


def stage_events(stage: Data, place: Place | None) -> Iterator[Event]:
    """Yield the events of one stage; none of a stage that is the session's alone."""
    parts = _SHOWN.get(str(stage.get("stage")))
    run_id = stage.get("run_id")
    if parts is None or run_id is None:
        return
    shared = {
        "run_id": run_id,
        "sequence": stage["sequence"],
        "at_ms": stage.get("at_ms"),
    }
    for part, (name, details) in enumerate(parts(stage)):
        yield Event(
            id=EventId(stage["sequence"], part, place=place),
            name=name,
            run_id=run_id,
            data=orjson.dumps({**shared, **details}),
        )


def first_sequence(items: Iterable[FeedItem]) -> int | None:
    """Return the log entry of the first stage among feed entries, None where there is none."""
    for item in items:
        data = _object(item.data) if item.kind == STAGE else None
        if data is not None and isinstance(data.get("sequence"), int):
            return int(data["sequence"])
    return None


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        value: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _token(delta: Data, sequence: int, place: Place) -> Event:
    data = {name: delta.get(name) for name in ("run_id", "generation_id", "attempt_id", "n", "text")}
    # The first words of each attempt take the place of whatever an earlier one has said.
    data["starts_over"] = delta.get("n") == 0
    return Event(
        id=EventId(sequence, TOKEN_PART, place if place > BEFORE_ALL else (0, 1), place),
        name=TOKEN,
        run_id=delta.get("run_id"),
        data=orjson.dumps(data),
    )


def _copied(stage: Data, *names: str) -> dict[str, Any]:
    return {name: stage.get(name) for name in names}


def _run(status: RunStatus, *names: str) -> Callable[[Data], tuple[_Part, ...]]:
    return lambda stage: ((RUN, {"status": status, "stage": stage["stage"], **_copied(stage, *names)}),)


def _said(name: str) -> Callable[[Data], tuple[_Part, ...]]:
    return lambda stage: ((name, {"stage": stage["stage"], "text": stage.get("text")}),)


def _call(state: str, *names: str) -> Callable[[Data], tuple[_Part, ...]]:
    return lambda stage: (
        (TOOL_CALL, {"state": state, **_copied(stage, "tool_call_id", "tool_name", *names)}),
    )


def _result(stage: Data) -> tuple[_Part, ...]:
    names = ("tool_call_id", "tool_name", "outcome", "text", "success")
    return ((TOOL_RESULT, _copied(stage, *names)),)


def _denied(stage: Data) -> tuple[_Part, ...]:
    told = _copied(stage, "tool_call_id", "tool_name", "denied_by")
    return ((TOOL_RESULT, {**told, "outcome": "denied", "text": stage.get("reason"), "success": False}),)


def _completed(stage: Data) -> tuple[_Part, ...]:
    output = str(stage.get("output") or "")
    message = {
        "role": "assistant",
        "content": output,
        "sql_query": stage.get("sql_query"),
        # A view has no room for more: the whole stands at /runs/{id}.
        "is_cut": len(output) > _MOST_CHARS and output.endswith(_CUT),
    }
    return (MESSAGE, message), (DONE, _ended(RunStatus.COMPLETED, stage))


def _failed(status: RunStatus) -> Callable[[Data], tuple[_Part, ...]]:
    def parts(stage: Data) -> tuple[_Part, ...]:
        error = {
            "code": stage.get("error_code"),
            "detail": stage.get("error_message"),
            "stop_reason": stage.get("stop_reason"),
        }
        return (ERROR, error), (DONE, _ended(status, stage))

    return parts


def _ended(status: RunStatus, stage: Data) -> dict[str, Any]:
    return {"status": status, "stop_reason": stage.get("stop_reason")}


_SHOWN: Final[Mapping[str, Callable[[Data], tuple[_Part, ...]]]] = MappingProxyType(
    {
        Action.RUN_QUEUED: _run(RunStatus.QUEUED, "position"),
        Action.RUN_STARTED: _run(RunStatus.RUNNING),
        Action.GENERATION_REQUESTED: _run(RunStatus.RUNNING, "purpose"),
        Action.RUN_WAITING: _run(RunStatus.WAITING),
        Action.BUDGET_EXCEEDED: _run(RunStatus.RUNNING, "stop_reason", "asks_last"),
        Action.DEADLINE_PASSED: _run(RunStatus.RUNNING),
        Action.RUN_ROLLED_BACK: _run(RunStatus.CANCELLED),
        Action.PLAN: _said(PLAN),
        Action.THOUGHT: _said(THOUGHT),
        Action.REFLECTION: _said(THOUGHT),
        Action.OBSERVATION: _said(THOUGHT),
        Action.APPROVAL_REQUESTED: _call("approval_requested", "arguments", "due_ms", "is_unknown"),
        Action.TOOL_APPROVED: _call("approved", "approved_by"),
        Action.TOOL_CALLED: _call("called", "arguments"),
        Action.TOOL_SUCCEEDED: _result,
        Action.TOOL_FAILED: _result,
        Action.TOOL_OUTCOME_UNKNOWN: _result,
        Action.TOOL_DENIED: _denied,
        Action.RUN_COMPLETED: _completed,
        Action.RUN_FAILED: _failed(RunStatus.FAILED),
        Action.RUN_CANCELLED: _failed(RunStatus.CANCELLED),
        Action.MESSAGE_REJECTED: _failed(RunStatus.REJECTED),
    }
)

SHOWN_ACTIONS: Final = tuple(Action(name) for name in sorted(_SHOWN))
"""Log entries that a stream shows."""


def in_order(events: Iterable[Event], after: EventId) -> Iterator[Event]:
    """Yield the events behind `after`, each once: what comes again, or too late, is left out."""
    last = after
    for event in events:
        if event.id > last:
            last = event.id
            yield event
