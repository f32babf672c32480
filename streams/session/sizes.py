"""Bytes of texts as JSON writes them, and cutting texts to a limit."""

from collections.abc import Iterable

from msgspec.json import Encoder

from streams.session.context import AskedCall, Message

MESSAGE_OVERHEAD_BYTES = 100
"""Names, quotes and ids around a message or a call in a prompt."""

SHORTENED_CHARS = 200
"""What is left of a shortened message. Part of the context's format, like everything that the fold uses."""

SHORTENED_ARGUMENTS = '{"shortened":true}'

_ENCODER = Encoder()


def json_bytes(text: str) -> int:
    """Return the bytes of `text` inside JSON, escapes included, quotes not."""
    return len(_ENCODER.encode(text)) - 2


def message_bytes(content: str, calls: Iterable[AskedCall] = ()) -> int:
    """Return the bytes that a message with `content` and `calls` takes in a prompt."""
    size = MESSAGE_OVERHEAD_BYTES + json_bytes(content)
    for call in calls:
        size += MESSAGE_OVERHEAD_BYTES + json_bytes(call.arguments)
    return size


def cut(text: str, limit_bytes: int) -> str:
    """Return `text`, or its beginning with a note when it takes more than `limit_bytes` in JSON."""
    # Six bytes are the most that one character takes (\u001f), so short texts need no encoding.
    if len(text) * 6 <= limit_bytes:
        return text
    size = json_bytes(text)
    if size <= limit_bytes:
        return text
    note = f" … [cut: {len(text)} characters in all]"
    room = max(0, limit_bytes - json_bytes(note))
    beginning = text[: len(text) * room // size]
    while beginning and json_bytes(beginning) > room:
        beginning = beginning[: len(beginning) * 9 // 10]
    return beginning + note


def first_chars(text: str, count: int) -> str:
    """Return the first `count` characters of `text` on one line, with an ellipsis when there is more."""
    line = " ".join(text[: 2 * count + 1].split())
    return line if len(line) <= count and len(text) <= 2 * count + 1 else f"{line[:count].rstrip()}…"


def shortened(message: Message) -> Message:
    """Return `message` with the beginning of its content, and without long arguments."""
    calls = tuple(
        call
        if len(call.arguments) <= SHORTENED_CHARS
        else AskedCall(id=call.id, name=call.name, arguments=SHORTENED_ARGUMENTS)
        for call in message.calls
    )
    content = message.content
    if len(content) > SHORTENED_CHARS:
        content = f"{content[:SHORTENED_CHARS]} … [shortened]"
    return Message(
        order=message.order,
        role=message.role,
        content=content,
        size=message_bytes(content, calls),
        run_id=message.run_id,
        calls=calls,
        tool_call_id=message.tool_call_id,
    )
