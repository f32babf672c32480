"""Messages that nobody can process: the topic, the bytes, and who shall say what about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson

from bus.codec import Codec
from schemas import examples, topics
from schemas.lists import DeadLetterReason as Reason
from schemas.records import Record
from schemas.topics import BY_RECORD, USER_MESSAGES, TopicSpec

SESSION = "0192d3c4-5e6f-7a8b-9c0d-1e2f3a4b5c6d"
CODEC = Codec()
GARBAGE = b"\xff\xfe\x00garbage"
STAGES: Mapping[TopicSpec, tuple[str, ...]] = MappingProxyType(
    {
        topics.USER_MESSAGES: ("session",),
        topics.SESSION_COMMANDS: ("session",),
        topics.TIMERS: ("session",),
        topics.GENERATION_REQUESTS: ("generate",),
        topics.TOOL_CALLS: ("execute", "sink"),
        topics.GENERATIONS: ("session", "sink"),
        topics.TOOL_RESULTS: ("session", "sink"),
        topics.TASK_LOGS: ("sink",),
        topics.MESSAGES: ("sink",),
        topics.RUNS: ("sink",),
        topics.TASKS: ("sink",),
        topics.SESSIONS: ("sink",),
        topics.AGENTS: ("sink",),
        topics.DOCUMENTS: ("sink",),
    }
)
"""Who reads a topic, and keeps what it cannot read."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One message; `reasons` by the stage that refuses it."""

    name: str
    spec: TopicSpec
    value: bytes | None
    reasons: Mapping[str, Reason]
    has_key: bool = True
    is_large: bool = False


def at_the_session(name: str, value: bytes | None, reason: Reason, **more: Any) -> Unreadable:
    """A bad user message."""
    return Unreadable(name, USER_MESSAGES, value, {"session": reason}, **more)


def json_message(**fields: Any) -> bytes:
    """A user message as plain JSON, good but for `fields`; None leaves one out."""
    whole = {"session_id": SESSION, "user_id": "mallory", "content": "hello", **fields}
    return orjson.dumps({name: value for name, value in whole.items() if value is not None})


def nested(levels: int) -> bytes:
    """A JSON object in an object in an object."""
    return b'{"in":' * levels + b"1" + b"}" * levels


def with_nested(record: Record, name: str, levels: int) -> bytes:
    """The record as plain JSON with a deeply nested object in the field `name`."""
    fields = record.model_dump(mode="json") | {name: "HERE"}
    return orjson.dumps(fields).replace(b'"HERE"', nested(levels))


def framed(record: Record, **wrong: Any) -> bytes:
    """The record as Avro, with wrong values in some fields."""
    return CODEC.encode(record.model_copy(update=wrong))


def stored(record: Record, *, read: Reason | None = None, **wrong: Any) -> tuple[TopicSpec, bytes, Any]:
    """What PostgreSQL refuses; `read` is the reason of a session that reads the topic as well."""
    reasons = {"sink": Reason.REFUSED_BY_STORE} | ({} if read is None else {"session": read})
    return BY_RECORD[type(record)], framed(record, **wrong), reasons


def document(**wrong: Any) -> tuple[TopicSpec, bytes, Any]:
    """A document that its sinks do not take: others write them, so the fields are looked at first."""
    return topics.DOCUMENTS, framed(examples.DOCUMENT, **wrong), {"sink": Reason.INVALID}


_GOOD = framed(examples.USER_MESSAGE)
_ENTRY = examples.TASK_LOGS.entries[0]

MESSAGES = (
    at_the_session("undecodable bytes", GARBAGE, Reason.UNDECODABLE),
    at_the_session("undecodable bytes without a key", GARBAGE, Reason.UNDECODABLE, has_key=False),
    at_the_session("an empty value", b"", Reason.UNDECODABLE),
    at_the_session("a tombstone", None, Reason.UNDECODABLE),
    at_the_session("nothing at all", None, Reason.UNDECODABLE, has_key=False),
    at_the_session("a wrong magic byte", b"\x01" + _GOOD[1:], Reason.UNDECODABLE),
    at_the_session("half a frame", _GOOD[:3], Reason.UNDECODABLE),
    at_the_session("a frame without a value", _GOOD[:5], Reason.UNDECODABLE),
    at_the_session("an unknown schema id", b"\x00\x7f\xff\xff\xff" + _GOOD[5:], Reason.UNKNOWN_SCHEMA),
    at_the_session("truncated Avro", _GOOD[:-4], Reason.UNDECODABLE),
    at_the_session("Avro and more", _GOOD + b"more", Reason.UNDECODABLE),
    at_the_session("Avro of another record", framed(examples.RUN), Reason.INVALID),
    at_the_session("another record's fields", _GOOD[:5] + framed(examples.RUN)[5:], Reason.UNDECODABLE),
    at_the_session("Avro with a bad UUID", framed(examples.USER_MESSAGE, session_id="7"), Reason.INVALID),
    at_the_session("Avro without content", framed(examples.USER_MESSAGE, content=""), Reason.INVALID),
    at_the_session("broken JSON", json_message()[:-3], Reason.UNDECODABLE),
    at_the_session("a JSON array", b"[" + json_message() + b"]", Reason.UNDECODABLE),
    at_the_session("JSON with half a character", json_message(content="\u00e9")[:-3], Reason.UNDECODABLE),
    at_the_session(
        "JSON with a lone surrogate", json_message().replace(b"hello", b"\\ud800"), Reason.UNDECODABLE
    ),
    at_the_session("a JSON object without fields", b"{}", Reason.INVALID),
    at_the_session("no session", json_message(session_id=None), Reason.INVALID),
    at_the_session("no user", json_message(user_id=None), Reason.INVALID),
    at_the_session("no content", json_message(content=None), Reason.INVALID),
    at_the_session("empty content", json_message(content=""), Reason.INVALID),
    at_the_session("an empty user", json_message(user_id=""), Reason.INVALID),
    at_the_session("an endless user", json_message(user_id="u" * 201), Reason.INVALID),
    at_the_session("a number as content", json_message(content=7), Reason.INVALID),
    at_the_session("an object as content", json_message(content={"text": "hello"}), Reason.INVALID),
    at_the_session("an unknown field", json_message(colour="red"), Reason.INVALID),
    at_the_session("a bad session id", json_message(session_id="session-7"), Reason.INVALID),
    at_the_session("a bad message id", json_message(id="7"), Reason.INVALID),
    at_the_session("an unheard-of policy", json_message(on_busy="shout"), Reason.INVALID),
    at_the_session("metadata that is no JSON", json_message(metadata="{'a': 1}"), Reason.INVALID),
    at_the_session(
        "metadata 300 levels deep", json_message(metadata="X").replace(b'"X"', nested(300)), Reason.INVALID
    ),
    at_the_session(
        "JSON 3,000 levels deep", json_message(metadata="X").replace(b'"X"', nested(3000)), Reason.UNDECODABLE
    ),
    at_the_session(
        "metadata 3,000 levels deep as text", json_message(metadata=nested(3000).decode()), Reason.INVALID
    ),
    at_the_session("a value above our limit", json_message(content="x" * 920_000), Reason.TOO_LARGE),
    at_the_session(
        "a value just below the broker's limit",
        json_message(content="x" * 1_048_000),
        Reason.TOO_LARGE,
        is_large=True,
    ),
)

ELSEWHERE = (
    *(
        Unreadable(f"garbage on {spec.name}", spec, GARBAGE, dict.fromkeys(stages, Reason.UNDECODABLE))
        for spec, stages in STAGES.items()
    ),
    *(
        Unreadable(f"plain JSON on {spec.name}", spec, b"{}", dict.fromkeys(stages, Reason.UNDECODABLE))
        for spec, stages in STAGES.items()
        if not spec.inbound
    ),
    *(
        Unreadable(f"no value on {spec.name}", spec, None, dict.fromkeys(stages, Reason.UNDECODABLE))
        for spec, stages in STAGES.items()
        if not spec.is_compacted
    ),
    *(
        Unreadable(f"a user message on {spec.name}", spec, _GOOD, dict.fromkeys(stages, Reason.INVALID))
        for spec, stages in STAGES.items()
        if spec is not USER_MESSAGES
    ),
    Unreadable("a generation with a bad id", *stored(examples.GENERATION, read=Reason.INVALID, id="7")),
    Unreadable("a generation without JSON", *stored(examples.GENERATION, read=Reason.INVALID, prompt="[")),
    Unreadable("a tool result without JSON", *stored(examples.TOOL_RESULT, read=Reason.INVALID, result="{")),
    Unreadable(
        "a log without JSON",
        *stored(
            examples.TASK_LOGS,
            session_id="0192d3c4-0000-7000-8000-00000000000a",
            term=0,
            entries=(_ENTRY.model_copy(update={"payload": "{"}),),
        ),
    ),
    Unreadable("a document without JSON", *document(metadata="{")),
    Unreadable("a document of nobody's session", *document(session_id="7")),
    Unreadable(
        "a deep document",
        topics.DOCUMENTS,
        with_nested(examples.DOCUMENT, "metadata", 300),
        {"sink": Reason.INVALID},
    ),
    Unreadable(
        "a deep agent",
        topics.AGENTS,
        with_nested(examples.AGENT, "configuration", 300),
        {"sink": Reason.INVALID},
    ),
)
