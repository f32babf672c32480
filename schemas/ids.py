"""Ids: version 7 where something is born, version 5 where it follows from something (RFC 9562).

Derived ids make every consumer able to drop repeats: the same input gives the same ids, whoever computes them.
All ids are canonical UUID text (36 characters, lower case).
"""

from uuid import UUID, uuid5

import uuid6

_NAMESPACE = UUID("6d616573-7472-5f6f-8000-6d61657374ff")


def _derived(*parts: str | int) -> str:
    return str(uuid5(_NAMESPACE, "\x1f".join(map(str, parts))))


def new_id() -> str:
    """Return a fresh time-ordered id (UUIDv7)."""
    return str(uuid6.uuid7())


def event_id(topic: str, partition: int, offset: int) -> str:
    """Return the id of an inbound message that brought none: its place in the topic."""
    return _derived("event", topic, partition, offset)


def task_id(session_id: str) -> str:
    """Return the id of a session's only task."""
    return _derived("task", session_id)


def run_id(session_id: str, message_id: str) -> str:
    """Return the id of the run that a user message causes."""
    return _derived("run", session_id, message_id)


def generation_id(run: str, index: int) -> str:
    """Return the step id of a run's generation number `index`, counted from 0."""
    return _derived("generation", run, index)


def tool_call_id(generation: str, index: int) -> str:
    """Return the step id of a generation's tool call number `index`, counted from 0."""
    return _derived("tool_call", generation, index)


def tool_result_id(tool_call: str) -> str:
    """Return the id of a tool call's only result."""
    return _derived("tool_result", tool_call)


def log_id(session_id: str, sequence: int) -> str:
    """Return the id of a session's log entry number `sequence`, counted from 1."""
    return _derived("log", session_id, sequence)


def message_id(session_id: str, sequence_order: int) -> str:
    """Return the id of a conversation's entry number `sequence_order`, counted from 1."""
    return _derived("message", session_id, sequence_order)


def timer_id(session_id: str, key: str, due_ms: int) -> str:
    """Return the id of a timer's firing: one per timer and due time."""
    return _derived("timer", session_id, key, due_ms)
