"""Payloads as the JSON text of log entries, and back."""

from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType

from msgspec.json import Decoder, Encoder

from schemas.lists import Action
from streams.session.payloads import (
    ApprovalRequested,
    BudgetExceeded,
    Checkpoint,
    CommandIgnored,
    ContextSummarized,
    DeadlinePassed,
    GenerationEnded,
    GenerationRequested,
    MessageReceived,
    MessageRejected,
    Observation,
    Payload,
    ResultIgnored,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunQueued,
    RunStarted,
    SessionConfigured,
    SessionCreated,
    SessionErased,
    SessionForked,
    SessionLapsed,
    SessionResumed,
    Thought,
    ToolApproved,
    ToolCalled,
    ToolDenied,
    ToolEnded,
)

PAYLOADS: Mapping[Action, type[Payload]] = MappingProxyType(
    {
        Action.SESSION_CREATED: SessionCreated,
        Action.SESSION_RESUMED: SessionResumed,
        Action.SESSION_CONFIGURED: SessionConfigured,
        Action.SESSION_IDLE: SessionLapsed,
        Action.SESSION_EXPIRED: SessionLapsed,
        Action.SESSION_ARCHIVED: Payload,
        Action.SESSION_UNARCHIVED: Payload,
        Action.SESSION_FORKED: SessionForked,
        Action.SESSION_ERASED: SessionErased,
        Action.MESSAGE_RECEIVED: MessageReceived,
        Action.MESSAGE_REJECTED: MessageRejected,
        Action.RUN_QUEUED: RunQueued,
        Action.RUN_STARTED: RunStarted,
        Action.GENERATION_REQUESTED: GenerationRequested,
        Action.GENERATION_COMPLETED: GenerationEnded,
        Action.GENERATION_FAILED: GenerationEnded,
        Action.PLAN: Thought,
        Action.THOUGHT: Thought,
        Action.REFLECTION: Thought,
        Action.TOOL_CALLED: ToolCalled,
        Action.TOOL_SUCCEEDED: ToolEnded,
        Action.TOOL_FAILED: ToolEnded,
        Action.TOOL_OUTCOME_UNKNOWN: ToolEnded,
        Action.APPROVAL_REQUESTED: ApprovalRequested,
        Action.TOOL_APPROVED: ToolApproved,
        Action.TOOL_DENIED: ToolDenied,
        Action.OBSERVATION: Observation,
        Action.CONTEXT_SUMMARIZED: ContextSummarized,
        Action.BUDGET_EXCEEDED: BudgetExceeded,
        Action.DEADLINE_PASSED: DeadlinePassed,
        Action.RESULT_IGNORED: ResultIgnored,
        Action.RUN_WAITING: Payload,
        Action.RUN_COMPLETED: RunCompleted,
        Action.RUN_FAILED: RunFailed,
        Action.RUN_CANCELLED: RunCancelled,
        Action.RUN_ROLLED_BACK: Payload,
        Action.COMMAND_IGNORED: CommandIgnored,
        Action.CHECKPOINT: Checkpoint,
    }
)
"""The payload of each action that this version logs."""

_TEXTS_REMEMBERED = 512
"""The entries of decisions in flight, which are projected and shown. All payloads are frozen."""

_ENCODER = Encoder()
_DECODERS: Mapping[Action, Decoder[Payload]] = MappingProxyType(
    {action: Decoder(kind) for action, kind in PAYLOADS.items()}
)


_REMEMBERED: OrderedDict[tuple[Action, str], Payload] = OrderedDict()


def text_of(payload: Payload) -> str:
    """Return the canonical JSON text of `payload`."""
    return _ENCODER.encode(payload).decode()


def read_payload(action: Action, text: str) -> Payload | None:
    """Return the payload that `text` of an entry holds, or None for an action unknown to this version."""
    decoder = _DECODERS.get(action)
    return None if decoder is None else decoder.decode(text)


def payload_of(action: Action, text: str) -> Payload | None:
    """Return what `read_payload` returns; entries that were just decided need not be read."""
    payload = _REMEMBERED.get((action, text))
    return read_payload(action, text) if payload is None else payload


def remember(action: Action, text: str, payload: Payload) -> None:
    """Let `payload_of` return `payload`, which `text` was made of, for a while."""
    _REMEMBERED[action, text] = payload
    if len(_REMEMBERED) > _TEXTS_REMEMBERED:
        _REMEMBERED.popitem(last=False)
