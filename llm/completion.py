"""The port of a model: one request, streamed text, one completion or one typed error."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from schemas.errors import ErrorCode, MaestroError

OnDelta = Callable[[str], None]
"""Takes the next piece of the answer's text as it arrives. Must be quick and must not raise."""


class ModelError(MaestroError):
    """A model call without a usable answer. `is_retryable`: the same call may succeed later."""

    code = ErrorCode.MODEL_ERROR

    def __init__(
        self,
        message: str,
        *,
        code: ErrorCode | None = None,
        is_retryable: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.is_retryable = is_retryable
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool as a model sees it. `parameters` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How to answer. None leaves the provider's default."""

    temperature: float | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """One call. `messages` are chat messages in OpenAI's shape; `id` is sent as idempotency key."""

    id: str
    model: str
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[ToolSpec, ...] = ()
    parameters: Parameters = field(default_factory=Parameters)
    timeout_s: float = 120.0


@dataclass(frozen=True, slots=True)
class AskedCall:
    """A tool call that the model asked for. `arguments`: a JSON object, or the raw text where it is none."""

    id: str
    name: str
    arguments: Mapping[str, Any] | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call: cached ones are part of the prompt, reasoning ones part of the completion."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What the model answered. `cost` is in US dollars, None when the price is unknown."""

    model: str
    text: str
    tool_calls: tuple[AskedCall, ...] = ()
    usage: Usage = field(default_factory=Usage)
    finish_reason: str | None = None
    cost: float | None = None


class Model(Protocol):
    """Something that answers."""

    async def complete(self, request: CompletionRequest, on_delta: OnDelta) -> Completion:
        """Answer `request` within its `timeout_s`; each piece of text goes to `on_delta` first.

        Raises:
            ModelError: there is no usable answer; the code says why.

        """
        ...


def checked(completion: Completion) -> Completion:
    """Return `completion` when somebody can act on it.

    Raises:
        ModelError: the provider's filter withheld it (model_content_filtered), or it says nothing, or asks
            for a tool without a name (model_nonsense).

    """
    if completion.finish_reason == "content_filter" and not completion.tool_calls:
        message = f"{completion.model}: the provider's content filter withheld the answer; ask differently"
        raise ModelError(message, code=ErrorCode.MODEL_CONTENT_FILTERED)
    if any(not call.name.strip() for call in completion.tool_calls):
        message = f"{completion.model} asked for a tool without naming it; try again or choose another model"
        raise ModelError(message, code=ErrorCode.MODEL_NONSENSE, is_retryable=True)
    if not completion.text.strip() and not completion.tool_calls:
        reason = completion.finish_reason or "no reason given"
        message = (
            f"{completion.model} answered nothing ({reason}); raise max_output_tokens or choose another model"
        )
        raise ModelError(message, code=ErrorCode.MODEL_NONSENSE, is_retryable=True)
    return completion
