"""The closed lists. Each has `unknown` so that a reader of an older version survives a newer symbol."""

from enum import StrEnum


class TaskStatus(StrEnum):
    """Where a task stands; follows its latest run."""

    UNKNOWN = "unknown"
    OPEN = "open"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SessionStatus(StrEnum):
    """Life cycle of a session's context; archiving is a separate flag."""

    UNKNOWN = "unknown"
    ACTIVE = "active"
    IDLE = "idle"
    EXPIRED = "expired"


class RunStatus(StrEnum):
    """Where a run stands. Completed, failed, cancelled and rejected are terminal."""

    UNKNOWN = "unknown"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"

    @property
    def is_terminal(self) -> bool:
        """Whether no later status can follow."""
        return self in _TERMINAL


_TERMINAL = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.REJECTED})


class StopReason(StrEnum):
    """Why a run ended."""

    UNKNOWN = "unknown"
    ANSWERED = "answered"
    BUDGET_GENERATIONS = "budget_generations"
    BUDGET_TOKENS = "budget_tokens"
    BUDGET_COST = "budget_cost"
    BUDGET_SECONDS = "budget_seconds"
    MODEL_ERROR = "model_error"
    TOOL_OUTCOME_UNKNOWN = "tool_outcome_unknown"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    ROLLED_BACK = "rolled_back"
    DENIED = "denied"
    BUSY = "busy"
    WRONG_OWNER = "wrong_owner"
    UNKNOWN_AGENT = "unknown_agent"
    TOO_LARGE = "too_large"
    ARCHIVED = "archived"
    ERASED = "erased"
    INVALID = "invalid"


class GenerationStatus(StrEnum):
    """Outcome of one model call."""

    UNKNOWN = "unknown"
    COMPLETED = "completed"
    FAILED = "failed"


class Purpose(StrEnum):
    """What a generation is for."""

    UNKNOWN = "unknown"
    PLAN = "plan"
    ACT = "act"
    REFLECT = "reflect"
    SUMMARIZE = "summarize"
    TITLE = "title"


class ToolOutcome(StrEnum):
    """What became of a tool call."""

    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    INVALID_ARGUMENTS = "invalid_arguments"
    UNKNOWN_TOOL = "unknown_tool"
    DENIED = "denied"
    OUTCOME_UNKNOWN = "outcome_unknown"


class AgentStatus(StrEnum):
    """Whether an agent takes new runs."""

    UNKNOWN = "unknown"
    ACTIVE = "active"
    INACTIVE = "inactive"
    RETIRED = "retired"


class Role(StrEnum):
    """Who speaks in a conversation."""

    UNKNOWN = "unknown"
    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


class Action(StrEnum):
    """What a log entry says happened."""

    UNKNOWN = "unknown"
    SESSION_CREATED = "session_created"
    SESSION_RESUMED = "session_resumed"
    SESSION_CONFIGURED = "session_configured"
    SESSION_IDLE = "session_idle"
    SESSION_EXPIRED = "session_expired"
    SESSION_ARCHIVED = "session_archived"
    SESSION_UNARCHIVED = "session_unarchived"
    SESSION_FORKED = "session_forked"
    SESSION_ERASED = "session_erased"
    MESSAGE_RECEIVED = "message_received"
    MESSAGE_REJECTED = "message_rejected"
    RUN_QUEUED = "run_queued"
    RUN_STARTED = "run_started"
    PLAN = "plan"
    THOUGHT = "thought"
    GENERATION_REQUESTED = "generation_requested"
    GENERATION_COMPLETED = "generation_completed"
    GENERATION_FAILED = "generation_failed"
    TOOL_CALLED = "tool_called"
    TOOL_SUCCEEDED = "tool_succeeded"
    TOOL_FAILED = "tool_failed"
    TOOL_OUTCOME_UNKNOWN = "tool_outcome_unknown"
    APPROVAL_REQUESTED = "approval_requested"
    TOOL_APPROVED = "tool_approved"
    TOOL_DENIED = "tool_denied"
    OBSERVATION = "observation"
    REFLECTION = "reflection"
    CONTEXT_REBUILT = "context_rebuilt"
    CONTEXT_SUMMARIZED = "context_summarized"
    BUDGET_EXCEEDED = "budget_exceeded"
    DEADLINE_PASSED = "deadline_passed"
    RESULT_IGNORED = "result_ignored"
    RUN_WAITING = "run_waiting"
    RUN_COMPLETED = "run_completed"
    RUN_FAILED = "run_failed"
    RUN_CANCELLED = "run_cancelled"
    RUN_ROLLED_BACK = "run_rolled_back"
    COMMAND_IGNORED = "command_ignored"
    CHECKPOINT = "checkpoint"


class CommandKind(StrEnum):
    """What a session command asks for."""

    UNKNOWN = "unknown"
    CREATE = "create"
    CONFIGURE = "configure"
    CANCEL = "cancel"
    INTERRUPT = "interrupt"
    ROLLBACK = "rollback"
    APPROVE = "approve"
    DENY = "deny"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"
    ERASE = "erase"


class TimerKind(StrEnum):
    """What a timer is for."""

    UNKNOWN = "unknown"
    DEADLINE = "deadline"
    APPROVAL = "approval"
    IDLE = "idle"
    EXPIRY = "expiry"


class BusyPolicy(StrEnum):
    """What a new message does while a run is active."""

    UNKNOWN = "unknown"
    ENQUEUE = "enqueue"
    REJECT = "reject"
    INTERRUPT = "interrupt"
    ROLLBACK = "rollback"


class EffectClass(StrEnum):
    """What repeating a tool does."""

    UNKNOWN = "unknown"
    PURE = "pure"
    IDEMPOTENT = "idempotent"
    RECONCILE = "reconcile"
    ONCE = "once"


class DeadLetterReason(StrEnum):
    """Why a message could not be processed."""

    UNKNOWN = "unknown"
    UNDECODABLE = "undecodable"
    INVALID = "invalid"
    UNKNOWN_SCHEMA = "unknown_schema"
    TOO_LARGE = "too_large"
    REFUSED_BY_STORE = "refused_by_store"
    WRONG_OWNER = "wrong_owner"
    UNKNOWN_AGENT = "unknown_agent"
    HANDLER_ERROR = "handler_error"
