"""A generation request's JSON texts as what a model is asked. Pure."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any, Final, Protocol, cast

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from llm.completion import CompletionRequest, Parameters, ToolSpec
from schemas.errors import ErrorCode, PoisonError
from schemas.records import GenerationRequest


class Specs(Protocol):
    """Tools by name, as a model sees them."""

    def specs(self, names: Iterable[str]) -> tuple[ToolSpec, ...]:
        """Return the named tools that exist."""
        ...


class _Parameters(BaseModel):
    # A request of a newer session step may carry more than this version knows.
    model_config = ConfigDict(extra="ignore", frozen=True)

    temperature: float | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    fallback_models: tuple[str, ...] = ()


_NAMES = TypeAdapter(tuple[str, ...])
_OPTIONS_REMEMBERED: Final = 256
"""Tool names and parameters are an agent's: its requests repeat them."""


def completion_request(request: GenerationRequest, tools: Specs, *, timeout_s: float) -> CompletionRequest:
    """Return what to ask the model.

    Raises:
        PoisonError: a JSON text has another shape; the message names the field.

    """
    messages = _messages(request.messages)
    names = _names(request.tools)
    parameters, fallback_models = _parameters(request.parameters)
    return CompletionRequest(
        id=request.id,
        model=request.model_name,
        messages=messages,
        tools=tools.specs(names),
        parameters=parameters,
        timeout_s=timeout_s,
        purpose=request.purpose,
        fallback_models=fallback_models,
    )


def _messages(text: str) -> tuple[dict[str, Any], ...]:
    # By hand: that these are objects is all there is to check, and a library takes twice as long for it.
    try:
        messages: object = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _unfit(str(error), field="messages") from error
    if not isinstance(messages, list) or set(map(type, cast("list[object]", messages))) != {dict}:
        problem = "there must be a list of objects, one at least"
        raise _unfit(problem, field="messages")
    return tuple(cast("list[dict[str, Any]]", messages))


@lru_cache(maxsize=_OPTIONS_REMEMBERED)
def _names(text: str) -> tuple[str, ...]:
    try:
        return _NAMES.validate_json(text)
    except ValidationError as error:
        raise _unfit(error.errors()[0]["msg"], field="tools") from error


@lru_cache(maxsize=_OPTIONS_REMEMBERED)
def _parameters(text: str) -> tuple[Parameters, tuple[str, ...]]:
    """Return how to answer, and the fall-back models."""
    try:
        found = _Parameters.model_validate_json(text)
    except ValidationError as error:
        raise _unfit(error.errors()[0]["msg"], field="parameters") from error
    own = Parameters(temperature=found.temperature, max_output_tokens=found.max_output_tokens)
    return own, found.fallback_models


def _unfit(problem: str, *, field: str) -> PoisonError:
    return PoisonError(f"the request's {field} do not fit: {problem}", code=ErrorCode.INVALID)
