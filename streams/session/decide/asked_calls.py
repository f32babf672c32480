"""The tool calls in a model's answer."""

from dataclasses import dataclass

import orjson

from schemas import ids
from schemas.records import Generation

MAX_NAME_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedCall:
    """One call: our id, its number, and what the model gave. `arguments` is JSON text."""

    id: str
    index: int
    name: str
    arguments: str
    provider_call_id: str | None


class NonsenseError(ValueError):
    """The model's tool calls are not what a model is told to answer."""


def asked_calls(generation: Generation, *, max_calls: int) -> tuple[ParsedCall, ...]:
    """Return the calls of `generation` in their order.

    Raises:
        NonsenseError: not an array of {id, name, arguments}, an unusable name, or more than `max_calls`.

    """
    calls: object = orjson.loads(generation.tool_calls)
    if not isinstance(calls, list):
        message = "its tool calls are not an array"
        raise NonsenseError(message)
    items: list[object] = calls
    if len(items) > max_calls:
        message = f"it asks for {len(items)} tool calls at once, {max_calls} are allowed"
        raise NonsenseError(message)
    return tuple(_call(generation.id, index, item) for index, item in enumerate(items))


def _call(generation_id: str, index: int, item: object) -> ParsedCall:
    if not isinstance(item, dict):
        message = f"its tool call {index} is not an object"
        raise NonsenseError(message)
    fields: dict[object, object] = item
    name, provider_id = fields.get("name"), fields.get("id")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable():
        message = f"its tool call {index} has no usable name"
        raise NonsenseError(message)
    return ParsedCall(
        id=ids.tool_call_id(generation_id, index),
        index=index,
        name=name,
        # Text that is no JSON stays a JSON string: the tool refuses it, and the model can read why.
        arguments=orjson.dumps(fields.get("arguments", {})).decode(),
        provider_call_id=provider_id if isinstance(provider_id, str) else None,
    )
