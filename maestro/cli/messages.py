"""Messages of any topic as JSON that people and tools can read."""

import base64
import difflib
from datetime import UTC, datetime
from typing import Any

import orjson

from bus.codec import Codec
from bus.deadletter import PREFIX
from bus.letters import is_mark
from bus.message import Message
from bus.names import TopicNames
from schemas.errors import MaestroError, NotFoundError
from schemas.topics import BY_NAME, DEAD_LETTERS, TopicSpec


def topic_named(name: str, names: TopicNames) -> TopicSpec:
    """Return the topic of that name, with or without prefix.

    Raises:
        NotFoundError: there is none; the message suggests one.

    """
    bare = name.removeprefix(names.prefix)
    spec = BY_NAME.get(bare)
    if spec is None:
        near = difflib.get_close_matches(bare, BY_NAME, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(BY_NAME)}"
        message = f"no topic is named {name}: {hint}"
        raise NotFoundError(message)
    return spec


def as_json(message: Message, names: TopicNames, codec: Codec) -> dict[str, Any]:
    """Return a message with its record as JSON; what cannot be decoded is `raw` (base64) with an `error`."""
    shown: dict[str, Any] = {
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "timestamp": timestamp_of(message),
        "key": _text(message.key),
    }
    if message.headers:
        shown["headers"] = {name: _text(content) for name, content in message.headers}
    return shown | _value(message, names, codec)


def timestamp_of(message: Message) -> str:
    """Return when the broker took a message, in ISO 8601, UTC, with milliseconds."""
    return iso_time(message.timestamp)


def iso_time(unix_ms: int) -> str:
    """Return an instant in ISO 8601, UTC, with milliseconds."""
    moment = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_of_session(shown: dict[str, Any], session_id: str) -> bool:
    """Whether a message, as `as_json` returns it, is about the session."""
    value = shown.get("value")
    about = value.get("session_id") if isinstance(value, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return session_id in (shown["key"], about)


def _value(message: Message, names: TopicNames, codec: Codec) -> dict[str, Any]:
    if message.value is None:
        return {"value": None}
    spec = names.spec_of(message.topic)
    if spec is DEAD_LETTERS and is_mark(message):
        return _json(message.value)
    if spec is DEAD_LETTERS:
        # The original's value, which may well be readable: a record refused by a store, for example.
        spec = names.spec_of(dict(message.headers).get(f"{PREFIX}topic", b"").decode(errors="replace"))  # pyright: ignore[reportOptionalMemberAccess]
    if spec is None:
        return _raw(message.value, "the topic that it was written to is none of ours")
    try:
        return {"value": codec.decode(spec, message.value).model_dump(mode="json")}
    except MaestroError as error:
        return _raw(message.value, error.message)


def _json(value: bytes) -> dict[str, Any]:
    try:
        return {"value": orjson.loads(value)}
    except orjson.JSONDecodeError as error:
        return _raw(value, str(error))


def _raw(value: bytes, error: str) -> dict[str, Any]:
    return {"raw": base64.b64encode(value).decode(), "error": error}


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode(errors="replace")
