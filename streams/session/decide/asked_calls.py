"""The tool calls in a model's answer."""

from msgspec import DecodeError, Raw, Struct
from msgspec.json import Decoder

from schemas import ids
from schemas.records import Generation

MAX_NAME_CHARS = 200


class ParsedCall(Struct, frozen=True, kw_only=True, gc=False):
    """One call: our id, its number, and what the model gave. `arguments` is JSON text."""

    id: str
    index: int
    name: str
    arguments: str
    provider_call_id: str | None


class _AskedItem(Struct, frozen=True):
    name: str
    id: str | int | None = None
    arguments: Raw = Raw(b"{}")


_CALLS = Decoder(list[_AskedItem])


class NonsenseError(ValueError):
    """The model's tool calls are not what a model is told to answer."""


def asked_calls(generation: Generation, *, max_calls: int) -> tuple[ParsedCall, ...]:
    """Return the calls of `generation` in their order.

    Raises:
        NonsenseError: not an array of {id, name, arguments}, an unusable name, or more than `max_calls`.

    """
    try:
        items = _CALLS.decode(generation.tool_calls)
    except DecodeError as error:
        message = f"its tool calls are not an array of id, name and arguments: {error}"
        raise NonsenseError(message) from error
    if len(items) > max_calls:
        message = f"it asks for {len(items)} tool calls at once, {max_calls} are allowed"
        raise NonsenseError(message)
    return tuple([_call(generation.id, index, item) for index, item in enumerate(items)])


def _call(generation_id: str, index: int, item: _AskedItem) -> ParsedCall:
    if not 0 < len(item.name) <= MAX_NAME_CHARS or not item.name.isprintable():
        message = f"its tool call {index} has no usable name"
        raise NonsenseError(message)
    return ParsedCall(
        id=ids.tool_call_id(generation_id, index),
        index=index,
        name=item.name,
        # Text that is no JSON stays a JSON string: the tool refuses it, and the model can read why.
        arguments=bytes(item.arguments).decode(),
        provider_call_id=None if item.id is None else str(item.id),
    )
