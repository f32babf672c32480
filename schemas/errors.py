"""Errors by what to do about them, and the stable codes that leave the program."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable codes of runs, results, dead letters and HTTP problems. Codes are added, never renamed."""

    UNKNOWN = "unknown"
    # a message or command that is not accepted
    INVALID = "invalid"
    TOO_LARGE = "too_large"
    WRONG_OWNER = "wrong_owner"
    UNKNOWN_AGENT = "unknown_agent"
    BUSY = "busy"
    ARCHIVED = "archived"
    ERASED = "erased"
    # a run that ends without an answer
    BUDGET_GENERATIONS = "budget_generations"
    BUDGET_TOKENS = "budget_tokens"
    BUDGET_COST = "budget_cost"
    BUDGET_SECONDS = "budget_seconds"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    ROLLED_BACK = "rolled_back"
    DENIED = "denied"
    # a generation that failed
    MODEL_NOT_FOUND = "model_not_found"
    MODEL_AUTHENTICATION = "model_authentication"
    MODEL_RATE_LIMITED = "model_rate_limited"
    MODEL_UNAVAILABLE = "model_unavailable"
    MODEL_TIMEOUT = "model_timeout"
    MODEL_REFUSED_REQUEST = "model_refused_request"
    MODEL_CONTEXT_TOO_LONG = "model_context_too_long"
    MODEL_CONTENT_FILTERED = "model_content_filtered"
    MODEL_NONSENSE = "model_nonsense"
    MODEL_ERROR = "model_error"
    # a tool call that failed
    UNKNOWN_TOOL = "unknown_tool"
    INVALID_ARGUMENTS = "invalid_arguments"
    TOOL_FAILED = "tool_failed"
    TOOL_TIMEOUT = "tool_timeout"
    TOOL_OUTCOME_UNKNOWN = "tool_outcome_unknown"
    # bytes and stores
    UNDECODABLE = "undecodable"
    UNKNOWN_SCHEMA = "unknown_schema"
    REFUSED_BY_STORE = "refused_by_store"
    HANDLER_ERROR = "handler_error"
    UNAVAILABLE = "unavailable"
    MISCONFIGURED = "misconfigured"
    TOPIC_RECREATED = "topic_recreated"
    FENCED = "fenced"
    NOT_FOUND = "not_found"
    # a call over HTTP that is not let in
    UNAUTHENTICATED = "unauthenticated"
    RATE_LIMITED = "rate_limited"


class MaestroError(Exception):
    """An error with a stable code and a sentence that says what to do."""

    code: ErrorCode = ErrorCode.UNKNOWN

    def __init__(self, message: str, *, code: ErrorCode | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class TransientError(MaestroError):
    """The same input may succeed later: keep it, wait, try again."""

    code = ErrorCode.UNAVAILABLE


class PoisonError(MaestroError):
    """This input can never succeed: dead-letter it with the code as the reason and go on."""

    code = ErrorCode.INVALID


class FatalError(MaestroError):
    """The process cannot go on: stop it with exit code 1 and let the supervisor restart it."""

    code = ErrorCode.MISCONFIGURED


class NotFoundError(MaestroError):
    """What was asked for is not in the record (or belongs to somebody else)."""

    code = ErrorCode.NOT_FOUND
