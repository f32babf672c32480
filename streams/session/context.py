"""What a session thinks with: a frozen value, its canonical bytes, and nothing else.

It is the fold of the session's logs.
"""

from enum import StrEnum

from msgspec import DecodeError, Struct
from msgspec.json import Decoder, Encoder

from schemas import ids
from schemas.errors import ErrorCode, PoisonError
from schemas.lists import Purpose, Role, RunStatus, SessionStatus, StopReason, TaskStatus

FORMAT = 2
"""Version of the context's bytes and of the fold.

Bytes of another format count as absent: the context is rebuilt.
"""

# Bounds of the fold. They are part of the format, not settings: two processes must fold the same logs to the
# same bytes.
RECENT_EVENTS = 16
RECENT_RUNS = 32
ABANDONED_STEPS = 64
RECENT_REFLECTIONS = 3


class StepKind(StrEnum):
    """What a session waits for."""

    GENERATION = "generation"
    TOOL = "tool"
    APPROVAL = "approval"
    """A person's word about a tool call."""


class NoteKind(StrEnum):
    """What a run notes for itself in a generation without tools."""

    PLAN = "plan"
    REFLECTION = "reflection"
    DRAFT = "draft"
    """An answer that is checked before it is given."""


class AskedCall(Struct, frozen=True, kw_only=True, gc=False):
    """A tool call as the model asked for it: our id, the tool, and its arguments as JSON text."""

    id: str
    name: str
    arguments: str


class Message(Struct, frozen=True, kw_only=True, gc=False):
    """One entry of the conversation that prompts are made of. `size` is its bytes in JSON."""

    order: int
    role: Role
    content: str
    size: int
    run_id: str | None = None
    calls: tuple[AskedCall, ...] = ()
    tool_call_id: str | None = None


class Usage(Struct, frozen=True, kw_only=True, gc=False):
    """What was spent. `cost` is US dollars of the priced generations, None when none was priced."""

    generations: int = 0
    tool_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cost: float | None = None
    unpriced: int = 0


class QueuedRun(Struct, frozen=True, kw_only=True, gc=False):
    """An accepted message whose run has not started.

    `configuration` is the agent's, as canonical JSON text.
    """

    id: str
    message_id: str
    agent_id: str
    content: str
    created_at_ms: int
    configuration: str = ""
    metadata: str | None = None


class Note(Struct, frozen=True, kw_only=True, gc=False):
    """What a run said to itself. It lives as long as its run, and is no part of the conversation."""

    kind: NoteKind
    text: str


class ActiveRun(Struct, frozen=True, kw_only=True, gc=False):
    """The run in progress.

    `next_index` numbers its next generation; `batch` are the newest tool calls in call order, `has_failure`
    says whether one of them failed. `waiting_since_ms` is set while the run waits for a person, `waited_ms`
    is what such waits took before. `over` is the budget that was used up when the last answer was asked for.
    """

    id: str
    message_id: str
    agent_id: str
    configuration: str
    input: str
    status: RunStatus
    created_at_ms: int
    started_at_ms: int
    next_index: int = 0
    usage: Usage = Usage()
    sql_query: str | None = None
    batch: tuple[str, ...] = ()
    has_failure: bool = False
    notes: tuple[Note, ...] = ()
    over: StopReason | None = None
    waiting_since_ms: int | None = None
    waited_ms: int = 0
    announced_due_ms: int | None = None

    def note(self, kind: NoteKind) -> str | None:
        """Return the newest note of that kind, or None."""
        for note in reversed(self.notes):
            if note.kind is kind:
                return note.text
        return None

    def active_ms(self, now_ms: int) -> int:
        """Return the milliseconds that the run took until `now_ms`, without those that a person took."""
        until_ms = now_ms if self.waiting_since_ms is None else self.waiting_since_ms
        return max(0, until_ms - self.started_at_ms - self.waited_ms)


class Pending(Struct, frozen=True, kw_only=True, gc=False):
    """A step that was asked for and has not answered; everything that asking again needs.

    `term` and `sequence` name the log entry that asked; `due_ms` is when the session stops waiting. `call_id`
    is the call as the model asked for it, where `step_id` is a repetition of it. `is_unknown`: the person is
    asked whether to repeat a call that may have done its work.
    """

    step_id: str
    kind: StepKind
    run_id: str
    index: int
    born_at_ms: int
    due_ms: int
    term: int
    sequence: int
    purpose: Purpose | None = None
    generation_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    provider_call_id: str | None = None
    call_id: str | None = None
    approved_by: str | None = None
    is_unknown: bool = False

    @property
    def asked_id(self) -> str:
        """The id under which the model asked for this call."""
        return self.call_id or self.step_id


class EndedRun(Struct, frozen=True, kw_only=True, gc=False):
    """A run that the last decision ended, whole, so that its outputs can be made again from the context."""

    id: str
    message_id: str
    user_id: str
    agent_id: str | None
    status: RunStatus
    stop_reason: StopReason
    input: str
    created_at_ms: int
    started_at_ms: int | None = None
    output: str | None = None
    sql_query: str | None = None
    usage: Usage = Usage()
    error_code: str | None = None
    error_message: str | None = None


class KnownRun(Struct, frozen=True, kw_only=True, gc=False):
    """A recent run and where it stands."""

    id: str
    status: RunStatus


class Context(Struct, frozen=True, kw_only=True, gc=False):
    """A session as its logs left it.

    Times are milliseconds since 1970; `sequence` 0 means that nothing was logged yet. `spent` counts all
    runs, `spent_ms` is how long the ended ones took. `idle_s` 0: the session is never called idle. Of an
    erased session nothing else is left.
    """

    session_id: str
    format: int = FORMAT
    sequence: int = 0
    hash: str = ""
    since_checkpoint: int = 0
    user_id: str = ""
    agent_id: str | None = None
    title: str = ""
    prompt: str = ""
    repo_url: str | None = None
    status: SessionStatus = SessionStatus.ACTIVE
    archived: bool = False
    erased: bool = False
    task_status: TaskStatus = TaskStatus.OPEN
    ttl_s: int = 86_400
    idle_s: int = 0
    metadata: str = "{}"
    project_context: str = "{}"
    working_directory: str | None = None
    preferences: str = "{}"
    context_summary: str = ""
    messages: tuple[Message, ...] = ()
    total_messages: int = 0
    last_message: str | None = None
    created_at_ms: int = 0
    updated_at_ms: int = 0
    last_activity_ms: int = 0
    run: ActiveRun | None = None
    queue: tuple[QueuedRun, ...] = ()
    pending: tuple[Pending, ...] = ()
    abandoned: tuple[str, ...] = ()
    ended: tuple[EndedRun, ...] = ()
    runs: tuple[KnownRun, ...] = ()
    runs_dropped: int = 0
    forgotten: bytes = b""
    applied: tuple[str, ...] = ()
    spent: Usage = Usage()
    spent_ms: int = 0

    @property
    def task_id(self) -> str:
        """The session's only task."""
        return ids.task_id(self.session_id)

    @property
    def is_new(self) -> bool:
        """Whether the session has no logs yet."""
        return self.sequence == 0

    def awaits(self, step_id: str) -> Pending | None:
        """Return the pending step of that id, or None."""
        for step in self.pending:
            if step.step_id == step_id:
                return step
        return None


_ENCODER = Encoder()
_DECODER = Decoder(Context)


def empty(session_id: str) -> Context:
    """Return the context of a session without logs."""
    return Context(session_id=session_id)


def to_bytes(context: Context) -> bytes:
    """Return the canonical JSON of `context`: fields in their written order, no spaces, UTF-8."""
    return _ENCODER.encode(context)


def from_bytes(data: bytes) -> Context:
    """Return the context that `to_bytes` wrote.

    Raises:
        PoisonError: not a context of this format (undecodable); the caller treats it as absent and rebuilds.

    """
    try:
        context = _DECODER.decode(data)
    except DecodeError as error:
        message = f"the stored context is not of format {FORMAT}: {error}"
        raise PoisonError(message, code=ErrorCode.UNDECODABLE) from error
    if context.format != FORMAT:
        message = f"the stored context has format {context.format}, this version reads {FORMAT}"
        raise PoisonError(message, code=ErrorCode.UNDECODABLE)
    return context
