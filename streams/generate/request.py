"""A generation request's JSON texts as what a model is asked. Pure."""

from collections.abc import Iterable
from typing import Annotated, Any, Protocol

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
    model_config = ConfigDict(extra="ignore")

    temperature: float | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    fallback_models: tuple[str, ...] = ()


_MESSAGES = TypeAdapter(Annotated[list[dict[str, Any]], Field(min_length=1)])
_NAMES = TypeAdapter(list[str])


def completion_request(request: GenerationRequest, tools: Specs, *, timeout_s: float) -> CompletionRequest:
    """Return what to ask the model.

    Raises:
        PoisonError: a JSON text has another shape; the message names the field.

    """
    field = "messages"
    try:
        messages = _MESSAGES.validate_json(request.messages)
        field = "tools"
        names = _NAMES.validate_json(request.tools)
        field = "parameters"
        parameters = _Parameters.model_validate_json(request.parameters)
    except ValidationError as error:
        message = f"the request's {field} do not fit: {error.errors()[0]['msg']}"
        raise PoisonError(message, code=ErrorCode.INVALID) from error
    return CompletionRequest(
        id=request.id,
        model=request.model_name,
        messages=tuple(messages),
        tools=tools.specs(names),
        parameters=Parameters(
            temperature=parameters.temperature, max_output_tokens=parameters.max_output_tokens
        ),
        timeout_s=timeout_s,
        purpose=request.purpose,
        fallback_models=parameters.fallback_models,
    )
