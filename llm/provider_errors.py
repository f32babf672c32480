"""A provider's exception as our typed error: the code says what it was, the sentence what to do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, cast

from llm.completion import ModelError
from llm.retry_after import retry_after_s
from schemas.errors import ErrorCode

_MAX_DETAIL_CHARS: Final = 300
_KEY: Final = re.compile(r"\b[sp]k-[\w*.-]{6,}")
"""What looks like a secret key: providers repeat a wrong one in their message."""


@dataclass(frozen=True, slots=True)
class _Kind:
    code: ErrorCode
    sentence: str
    is_retryable: bool = False


_AUTHENTICATION: Final = _Kind(
    ErrorCode.MODEL_AUTHENTICATION,
    "the key is missing, wrong or not allowed: set the provider's key variable or MAESTRO_MODEL_API_KEY",
)
_TIMEOUT: Final = _Kind(
    ErrorCode.MODEL_TIMEOUT,
    "it did not answer in time: try later or name a fall-back model",
    is_retryable=True,
)
_NONSENSE: Final = _Kind(
    ErrorCode.MODEL_NONSENSE,
    "its answer does not have the agreed form: try again, or check the address and the model",
    is_retryable=True,
)
_DOWN: Final = _Kind(
    ErrorCode.MODEL_UNAVAILABLE, "it is down, overloaded or cannot be reached: try later", is_retryable=True
)
_QUOTA: Final = _Kind(
    ErrorCode.MODEL_RATE_LIMITED, "the account's quota is used up: raise it or take another model"
)
_NO_QUOTA: Final = re.compile("insufficient_quota|exceeded your current quota|credit balance is too low")
_FIRST_SERVER_STATUS: Final = 500
_REFUSED: Final = _Kind(
    ErrorCode.MODEL_REFUSED_REQUEST, "it refused the request: check the agent's model, tools and parameters"
)

_BY_CLASS: Final[Mapping[str, _Kind]] = MappingProxyType(
    {
        # The first name found among an exception's classes decides: the special ones stand first.
        "ContextWindowExceededError": _Kind(
            ErrorCode.MODEL_CONTEXT_TOO_LONG,
            "the prompt is too long for it: take another model",
        ),
        "ContentPolicyViolationError": _Kind(
            ErrorCode.MODEL_CONTENT_FILTERED, "its content filter refused the request: ask differently"
        ),
        "AuthenticationError": _AUTHENTICATION,
        "PermissionDeniedError": _AUTHENTICATION,
        "PaymentRequiredError": _AUTHENTICATION,
        "NotFoundError": _Kind(
            ErrorCode.MODEL_NOT_FOUND, "there is no such model: check the agent's `model`"
        ),
        "RateLimitError": _Kind(
            ErrorCode.MODEL_RATE_LIMITED, "too many requests: try later", is_retryable=True
        ),
        "Timeout": _TIMEOUT,
        "APITimeoutError": _TIMEOUT,
        "APIResponseValidationError": _NONSENSE,
        "ServiceUnavailableError": _DOWN,
        "BadGatewayError": _DOWN,
        "InternalServerError": _DOWN,
        "APIConnectionError": _DOWN,
        "BadRequestError": _REFUSED,
        "UnprocessableEntityError": _REFUSED,
    }
)


# The library has no class of its own for some refusals.
_BY_STATUS: Final[Mapping[int, _Kind]] = MappingProxyType(
    {402: _AUTHENTICATION, 403: _AUTHENTICATION, 408: _TIMEOUT, 425: _DOWN}
)


def translated(error: BaseException, model: str) -> ModelError:
    """Return the typed error for what the provider library raised."""
    names = {cls.__name__ for cls in type(error).__mro__}
    if "LLM Provider NOT provided" in str(error):
        message = (
            f"{model} names no provider; write provider/model, for example openai/gpt-4o-mini, or rehearsal"
        )
        return ModelError(message, code=ErrorCode.MODEL_NOT_FOUND)
    kind = _kind_of(error, names)
    return ModelError(
        f"{model}: {kind.sentence}. {_detail(error)}",
        code=kind.code,
        is_retryable=kind.is_retryable,
        retry_after_s=_wait_of(error),
    )


def _kind_of(error: BaseException, names: set[str]) -> _Kind:
    if _is_undecodable(error):
        return _NONSENSE
    if "RateLimitError" in names and _NO_QUOTA.search(str(error)):
        return _QUOTA
    for name, kind in _BY_CLASS.items():
        if name in names:
            return kind
    status: int = getattr(error, "status_code", 0) or 0
    if status >= _FIRST_SERVER_STATUS:
        return _DOWN
    return _BY_STATUS.get(status, _Kind(ErrorCode.MODEL_ERROR, "the call failed: try another model"))


def _is_undecodable(error: BaseException) -> bool:
    # The library reports a body that is not what was agreed as its own internal or connection error.
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None:
            return False
        if type(seen).__name__ in {"JSONDecodeError", "ValidationError", "APIResponseValidationError"}:
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _detail(error: BaseException) -> str:
    text = _KEY.sub("sk-***", " ".join(str(error).split()))
    return text if len(text) <= _MAX_DETAIL_CHARS else text[: _MAX_DETAIL_CHARS - 1] + "…"


def _wait_of(error: BaseException) -> float | None:
    response = cast("Any", getattr(error, "response", None))
    found: tuple[Any, ...] = (
        getattr(error, "litellm_response_headers", None),
        getattr(response, "headers", None),
    )
    for headers in found:
        if headers is not None:
            plain = {str(name).lower(): str(value) for name, value in dict(headers).items()}
            wait_s = retry_after_s(plain, datetime.now(UTC))
            if wait_s is not None:
                return wait_s
    return None
