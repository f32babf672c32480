"""What each log entry carries: what the fold and the outputs need, and nothing that they can derive.

Fields are only ever added, with defaults: an old log must fold for ever. `order` is a place in the
conversation.
"""

from msgspec import Raw, Struct

from schemas.lists import Purpose, SessionStatus, StopReason, ToolOutcome
from streams.session.context import AskedCall, NoteKind, StepKind


class Payload(Struct, frozen=True, kw_only=True, gc=False):
    """A payload without values. Its JSON has the fields in their written order and no spaces."""


class SessionCreated(Payload, frozen=True, kw_only=True, gc=False):
    """A session begins; `user_id` is its owner."""

    user_id: str
    agent_id: str | None
    title: str
    repo_url: str | None
    ttl_s: int
    idle_s: int = 0


class SessionResumed(Payload, frozen=True, kw_only=True, gc=False):
    """An idle or expired session is used again; `idle_s` as the settings say it now, null leaves it."""

    status_before: SessionStatus
    idle_s: int | None = None


class SessionLapsed(Payload, frozen=True, kw_only=True, gc=False):
    """Nobody has used the session since `last_activity_ms`: it is idle, or its time to live is over."""

    last_activity_ms: int


class SessionErased(Payload, frozen=True, kw_only=True, gc=False):
    """Everything about the session is to be deleted, as its owner `user_id` asked."""

    user_id: str


class SessionForked(Payload, frozen=True, kw_only=True, gc=False):
    """The entries before are those of session `session_id` up to `sequence`, whose hash there is `hash`.

    `forked_by` is who asked for it.
    """

    session_id: str
    sequence: int
    hash: str
    forked_by: str


class Checkpoint(Payload, frozen=True, kw_only=True, gc=False):
    """The whole context before this entry, in its canonical bytes: a rebuild may begin here.

    A reader of another `format` goes on with what it has folded so far: by definition that is the same.
    """

    format: int
    context: Raw


class SessionConfigured(Payload, frozen=True, kw_only=True, gc=False):
    """Values of the session change; null leaves a value as it is. JSON-valued fields are texts."""

    title: str | None = None
    agent_id: str | None = None
    ttl_s: int | None = None
    metadata: str | None = None
    project_context: str | None = None
    preferences: str | None = None
    working_directory: str | None = None


class MessageReceived(Payload, frozen=True, kw_only=True, gc=False):
    """A user message is accepted; its run will end."""

    message_id: str
    agent_id: str
    content: str
    metadata: str | None


class MessageRejected(Payload, frozen=True, kw_only=True, gc=False):
    """A user message is refused. `user_id` is its sender; `content` may be cut."""

    message_id: str
    user_id: str
    agent_id: str | None
    stop_reason: StopReason
    error_code: str
    error_message: str
    content: str


class RunQueued(Payload, frozen=True, kw_only=True, gc=False):
    """A run waits for its turn; `position` counts those before it."""

    position: int
    configuration: Raw


class RunStarted(Payload, frozen=True, kw_only=True, gc=False):
    """Work begins, with the agent's whole configuration as it is now."""

    message_id: str
    agent_id: str
    order: int
    metadata: str | None
    configuration: Raw


class GenerationRequested(Payload, frozen=True, kw_only=True, gc=False):
    """A model call is asked for; the session waits until `due_ms`."""

    generation_id: str
    index: int
    purpose: Purpose
    model_name: str
    due_ms: int


class GenerationEnded(Payload, frozen=True, kw_only=True, gc=False):
    """A model call has answered or failed, and what it used."""

    generation_id: str
    index: int
    purpose: Purpose
    model_name: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost: float | None
    latency_ms: int
    finish_reason: str | None = None
    error_code: str | None = None
    error_message: str | None = None


class Thought(Payload, frozen=True, kw_only=True, gc=False):
    """What the model said before it acts, and the calls that it asked for in their order.

    A `note` has no calls: it was said in a generation without tools.
    """

    generation_id: str
    order: int
    text: str
    calls: tuple[AskedCall, ...]
    note: NoteKind | None = None


class ToolCalled(Payload, frozen=True, kw_only=True, gc=False):
    """A tool call is sent; the session waits until `due_ms`.

    `arguments` is JSON text as the model gave it. `call_id` is the call that this one repeats.
    """

    generation_id: str
    index: int
    arguments: str
    provider_call_id: str | None
    due_ms: int
    approved_by: str | None = None
    call_id: str | None = None


class ApprovalRequested(Payload, frozen=True, kw_only=True, gc=False):
    """A person is asked whether a tool call may start, until `due_ms`; then it counts as denied.

    `is_unknown`: the call was started before, and nobody knows whether it did its work.
    """

    generation_id: str
    index: int
    arguments: str
    provider_call_id: str | None
    due_ms: int
    call_id: str | None = None
    is_unknown: bool = False


class ToolApproved(Payload, frozen=True, kw_only=True, gc=False):
    """A person lets a tool call start."""

    approved_by: str
    reason: str | None


class ToolDenied(Payload, frozen=True, kw_only=True, gc=False):
    """A tool call will not be started; `text` is what the model reads. The clock denies as null."""

    denied_by: str | None
    reason: str
    order: int
    text: str


class ToolEnded(Payload, frozen=True, kw_only=True, gc=False):
    """A tool call has its outcome; `text` is what the model reads, cut to its limit."""

    outcome: ToolOutcome
    order: int
    text: str
    latency_ms: int
    error_code: str | None = None
    error_message: str | None = None
    sql_query: str | None = None


class Observation(Payload, frozen=True, kw_only=True, gc=False):
    """What a batch of tool calls brought, for a person."""

    order: int
    text: str


class ContextSummarized(Payload, frozen=True, kw_only=True, gc=False):
    """Messages up to `dropped_through` (0: none) live on in `summary`; `shortened` ones keep a beginning."""

    dropped_through: int
    summary: str
    shortened: tuple[int, ...]


class BudgetExceeded(Payload, frozen=True, kw_only=True, gc=False):
    """A run, or the session with it, has spent what it may.

    `asks_last`: nothing is waited for any more, and the model is asked for an answer with what there is.
    """

    stop_reason: StopReason
    limit: float
    spent: float
    of_session: bool = False
    asks_last: bool = False


class DeadlinePassed(Payload, frozen=True, kw_only=True, gc=False):
    """A step has not answered in time."""

    step_id: str
    kind: StepKind
    due_ms: int


class ResultIgnored(Payload, frozen=True, kw_only=True, gc=False):
    """An answer came after its run had ended."""

    step_id: str
    kind: StepKind


class RunCompleted(Payload, frozen=True, kw_only=True, gc=False):
    """A run has its answer; `stop_reason` names the budget when it had to answer before it was done."""

    output: str
    sql_query: str | None
    order: int
    stop_reason: StopReason = StopReason.ANSWERED


class RunFailed(Payload, frozen=True, kw_only=True, gc=False):
    """A run ends without an answer."""

    stop_reason: StopReason
    error_code: str
    error_message: str


class RunCancelled(Payload, frozen=True, kw_only=True, gc=False):
    """Somebody ended a run; `cause` is a command's or message's id."""

    stop_reason: StopReason
    error_code: str
    error_message: str
    cause: str


class CommandIgnored(Payload, frozen=True, kw_only=True, gc=False):
    """A command has no effect, and why."""

    kind: str
    user_id: str
    reason: str
