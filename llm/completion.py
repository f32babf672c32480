"""The port of a model: one request, streamed text, one completion or one typed error."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from msgspec import Struct

from schemas.errors import ErrorCode, MaestroError
from schemas.lists import Purpose

OnDelta = Callable[[str], None]
"""Takes the next piece of the answer's text as it arrives. Must be quick and must not raise."""


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens of one call: cached ones are part of the prompt, reasoning ones part of the completion."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0
    """Prompt tokens that the provider put into its cache: some charge more for them."""

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def plus(self, other: "Usage") -> "Usage":
        """Return both together."""
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
        )


NOTHING_USED: Final = Usage()
"""Of a call that nothing is known of."""


class ModelError(MaestroError):
    """A model call without a usable answer. `is_retryable`: the same call may succeed later.

    `usage` and `cost`: what the call is known to have used all the same; the cost is None when unknown.
    """

    code = ErrorCode.MODEL_ERROR

    def __init__(
        self,
        message: str,
        *,
        code: ErrorCode | None = None,
        is_retryable: bool = False,
        retry_after_s: float | None = None,
        usage: Usage | None = None,
        cost: float | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.is_retryable = is_retryable
        self.retry_after_s = retry_after_s
        self.usage = usage or NOTHING_USED
        self.cost = cost


class ToolSpec(Struct, frozen=True, kw_only=True):
    """A tool as a model sees it. `parameters` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]


class Parameters(Struct, frozen=True, kw_only=True):
    """How to answer. None leaves the provider's default."""

    temperature: float | None = None
    max_output_tokens: int | None = None


_AS_IT_IS: Final = Parameters()


class CompletionRequest(Struct, frozen=True, kw_only=True):
    """One call. `messages` are chat messages in OpenAI's shape; `id` is sent as idempotency key.

    `fallback_models` are asked in order where the model fails; a model that is asked once ignores them.
    """

    id: str
    model: str
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[ToolSpec, ...] = ()
    parameters: Parameters = _AS_IT_IS
    timeout_s: float = 120.0
    purpose: Purpose = Purpose.ACT
    fallback_models: tuple[str, ...] = ()


class AskedCall(Struct, frozen=True):
    """A tool call that the model asked for. `arguments`: a JSON object, or the raw text where it is none."""

    id: str
    name: str
    arguments: Mapping[str, Any] | str


class Completion(Struct, frozen=True, kw_only=True):
    """What the model answered. `cost` is in US dollars, None when the price is unknown."""

    model: str
    text: str
    tool_calls: tuple[AskedCall, ...] = ()
    usage: Usage = NOTHING_USED
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
        message = "the provider's content filter withheld the answer; ask differently"
        raise _unusable(completion, message, ErrorCode.MODEL_CONTENT_FILTERED)
    if any(not call.name.strip() for call in completion.tool_calls):
        message = "it asked for a tool without naming it; try again or choose another model"
        raise _unusable(completion, message, ErrorCode.MODEL_NONSENSE, is_retryable=True)
    if not completion.text.strip() and not completion.tool_calls:
        reason = completion.finish_reason or "no reason given"
        message = f"it answered nothing ({reason}); raise max_output_tokens or choose another model"
        # Out of tokens before the first word, it will be so again.
        is_retryable = completion.finish_reason != "length"
        raise _unusable(completion, message, ErrorCode.MODEL_NONSENSE, is_retryable=is_retryable)
    return completion


def _unusable(
    completion: Completion, message: str, code: ErrorCode, *, is_retryable: bool = False
) -> ModelError:
    return ModelError(
        f"{completion.model}: {message}",
        code=code,
        is_retryable=is_retryable,
        usage=completion.usage,
        cost=completion.cost,
    )
