"""Ids: version 7 where something is born, version 5 where it follows from something (RFC 9562).

Derived ids make every consumer able to drop repeats: the same input gives the same ids everywhere.
All ids are canonical UUID text (36 characters, lower case).
"""

import os
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha1
from uuid import UUID

import uuid6

_NAMESPACE = UUID("6d616573-7472-5f6f-8000-6d61657374ff")
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_SESSIONS_REMEMBERED = 65_536
_RUNS_REMEMBERED = 1_024
"""Those of messages in flight: whether a message is known and what it causes are asked apart."""


def _kind(name: str) -> Callable[[str], str]:
    """Return what derives ids of one kind from their parts, joined by U+001F.

    uuid.uuid5 gives the same in six times the time, and a decision makes many ids. Version 5 names SHA-1.
    """
    beginning = sha1(_NAMESPACE.bytes + f"{name}\x1f".encode(), usedforsecurity=False)

    def derived(parts: str) -> str:
        digest = beginning.copy()
        digest.update(parts.encode())
        text = digest.hexdigest()
        return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANTS[text[16]]}{text[17:20]}-{text[20:32]}"

    return derived


_event = _kind("event")
_task = _kind("task")
_run = _kind("run")
_generation = _kind("generation")
_try = _kind("try")
_tool_call = _kind("tool_call")
_tool_call_again = _kind("tool_call_again")
_tool_result = _kind("tool_result")
_document = _kind("document")
_log = _kind("log")
_fork = _kind("fork")
_message = _kind("message")
_timer = _kind("timer")
_said = _kind("said")
_begun = _kind("begun")


def new_id() -> str:
    """Return a fresh time-ordered id (UUIDv7)."""
    return str(uuid6.uuid7())


def random_id() -> str:
    """Return a fresh id that tells nothing (UUIDv4): a token. Made in a quarter of `new_id`'s time."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{_VARIANTS[text[16]]}{text[17:20]}-{text[20:]}"


def event_id(topic: str, partition: int, offset: int) -> str:
    """Return the id of an inbound message that brought none: its place in the topic."""
    return _event(f"{topic}\x1f{partition}\x1f{offset}")


@lru_cache(maxsize=_SESSIONS_REMEMBERED)
def task_id(session_id: str) -> str:
    """Return the id of a session's only task."""
    return _task(session_id)


@lru_cache(maxsize=_RUNS_REMEMBERED)
def run_id(session_id: str, message_id: str) -> str:
    """Return the id of the run that a user message causes."""
    return _run(f"{session_id}\x1f{message_id}")


def generation_id(run: str, index: int) -> str:
    """Return the step id of a run's generation number `index`, counted from 0."""
    return _generation(f"{run}\x1f{index}")


def try_id(attempt: str, number: int) -> str:
    """Return the id of an attempt's model call number `number`, counted from 0."""
    return _try(f"{attempt}\x1f{number}")


def tool_call_id(generation: str, index: int) -> str:
    """Return the step id of a generation's tool call number `index`, counted from 0."""
    return _tool_call(f"{generation}\x1f{index}")


def repeated_call_id(tool_call: str) -> str:
    """Return the step id under which a tool call is made again after its outcome stayed unknown."""
    return _tool_call_again(tool_call)


def tool_result_id(tool_call: str) -> str:
    """Return the id of a tool call's only result."""
    return _tool_result(tool_call)


def document_id(step: str) -> str:
    """Return the id of the document that a step saves."""
    return _document(step)


def log_id(session_id: str, sequence: int) -> str:
    """Return the id of a session's log entry number `sequence`, counted from 1."""
    return _log(f"{session_id}\x1f{sequence}")


def fork_id(source: str, sequence: int, session_id: str, what: str) -> str:
    """Return the id of what made session `session_id` out of `source` as it was after entry `sequence`.

    `what` tells the decisions of one fork apart.
    """
    return _fork(f"{source}\x1f{sequence}\x1f{session_id}\x1f{what}")


def message_id(session_id: str, sequence_order: int) -> str:
    """Return the id of a conversation's entry number `sequence_order`, counted from 1."""
    return _message(f"{session_id}\x1f{sequence_order}")


def timer_id(session_id: str, key: str, due_ms: int) -> str:
    """Return the id of a timer's firing: one per timer and due time."""
    return _timer(f"{session_id}\x1f{key}\x1f{due_ms}")


def said_id(user_id: str, key: str) -> str:
    """Return the id of the message that a user sends under a key of their own: a retry has the same."""
    return _said(f"{user_id}\x1f{key}")


def begun_id(user_id: str, key: str) -> str:
    """Return the id of the session that a user begins under a key of their own."""
    return _begun(f"{user_id}\x1f{key}")
