"""The records of every topic: one topic, one record type, one table of the same columns.

All are frozen. JSON-valued fields are strings that hold JSON. `term` and `sequence` (or `version`) say which
log entry of the session a record comes from; readers believe a record only where that entry was accepted.
"""

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import JsonInput, JsonText, Name, OwnJson, Text, Timestamp, Uuid
from schemas.lists import (
    Action,
    AgentStatus,
    BusyPolicy,
    CommandKind,
    GenerationStatus,
    Purpose,
    Role,
    RunStatus,
    SessionStatus,
    StopReason,
    TaskStatus,
    TimerKind,
    ToolOutcome,
)


class Record(BaseModel):
    """A value on a topic."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_timedelta="float")


class UserMessage(Record):
    """What a user says to a session. A first message makes the session."""

    id: Uuid | None = Field(
        default=None,
        description="Message id; derived from topic, partition and offset when absent.",
    )
    session_id: Uuid = Field(description="Session that the message belongs to; a new id makes a new session.")
    user_id: Name = Field(description="Who says it; must own the session.")
    content: Text = Field(min_length=1, description="The text.")
    agent_id: Name | None = Field(
        default=None,
        description="Agent that shall answer; the session's or the default one when absent.",
    )
    title: Text | None = Field(
        default=None, description="Title of a new session; its first words when absent."
    )
    repo_url: Text | None = Field(default=None, description="Code repository that the task is about.")
    on_busy: BusyPolicy | None = Field(
        default=None,
        description="What to do while a run is active; the agent's setting when absent.",
    )
    metadata: JsonInput | None = Field(default=None, description="JSON object kept with the message.")


class SessionCommand(Record):
    """What somebody asks of a session other than an answer."""

    id: Uuid | None = Field(
        default=None,
        description="Command id; derived from topic, partition and offset when absent.",
    )
    session_id: Uuid = Field(description="Session that is addressed.")
    user_id: Name = Field(description="Who asks; must own the session.")
    kind: CommandKind = Field(description="What is asked.")
    run_id: Uuid | None = Field(default=None, description="Run that cancel, interrupt and rollback aim at.")
    step_id: Text | None = Field(default=None, description="Tool call that approve and deny aim at.")
    reason: Text | None = Field(default=None, description="Why, in the asker's words.")
    payload: JsonInput | None = Field(
        default=None, description="JSON object: values of create and configure."
    )


class TimerFired(Record):
    """A moment that a session waited for has come."""

    id: Uuid = Field(description="Derived from session, key and due time.")
    session_id: Uuid = Field(description="Session that set the timer.")
    kind: TimerKind = Field(description="What the timer is for.")
    key: Text = Field(description="What it guards: a step id, or the kind for session timers.")
    due_at: Timestamp = Field(description="When it was due.")


class GenerationRequest(Record):
    """One model call to be made, with its whole prompt."""

    id: Uuid = Field(description="Step id of the generation.")
    task_id: Uuid = Field(description="Task of the session.")
    session_id: Uuid = Field(description="Session that asks.")
    run_id: Uuid = Field(description="Run that asks.")
    user_id: Name = Field(description="Owner of the session.")
    agent_id: Name = Field(description="Agent whose configuration is used.")
    generation_index: int = Field(ge=0, description="Number of the generation in its run, from 0.")
    purpose: Purpose = Field(description="What the generation is for.")
    model_name: Name = Field(description="Model to call.")
    messages: OwnJson = Field(
        description="JSON array of chat messages: role, content, tool_calls, tool_call_id."
    )
    tools: OwnJson = Field(description="JSON array of tool names that the model may call.")
    parameters: OwnJson = Field(description="JSON object of model parameters and fall-back models.")
    born_at: Timestamp = Field(description="When the request was decided; a repetition keeps it.")
    deadline_at: Timestamp = Field(description="When the session stops waiting.")
    term: int = Field(ge=0, description="Term of the log entry that asked.")
    sequence: int = Field(ge=0, description="Sequence of the log entry that asked.")


class Generation(Record):
    """The outcome of one model call."""

    id: Uuid = Field(description="Step id: derived from run and index.")
    task_id: Uuid = Field(description="Task of the session.")
    session_id: Uuid = Field(description="Session that asked.")
    run_id: Uuid = Field(description="Run that asked.")
    user_id: Name = Field(description="Owner of the session.")
    agent_id: Name | None = Field(default=None, description="Agent whose configuration was used.")
    generation_index: int = Field(ge=0, description="Number of the generation in its run, from 0.")
    purpose: Purpose = Field(description="What the generation was for.")
    model_name: Name = Field(description="Model that answered.")
    prompt: OwnJson = Field(description="JSON array of the chat messages that were sent.")
    response: Text = Field(
        description="Text that the model answered; empty when it only called tools or failed."
    )
    tool_calls: OwnJson = Field(
        description="JSON array of {id, name, arguments}: the calls that the model asked for."
    )
    created_at: Timestamp = Field(description="When the outcome was known.")
    status: GenerationStatus = Field(description="Whether it succeeded.")
    finish_reason: Text | None = Field(
        default=None, description="Why the model stopped, in the provider's word."
    )
    prompt_tokens: int = Field(default=0, ge=0, description="Tokens of the prompt.")
    completion_tokens: int = Field(default=0, ge=0, description="Tokens of the answer.")
    cached_tokens: int = Field(default=0, ge=0, description="Prompt tokens that the provider had cached.")
    reasoning_tokens: int = Field(default=0, ge=0, description="Answer tokens spent on hidden reasoning.")
    total_tokens: int = Field(default=0, ge=0, description="Prompt and answer tokens together.")
    cost_estimate: float | None = Field(
        default=None, ge=0, description="US dollars; null when the price is unknown."
    )
    latency_ms: int = Field(
        default=0, ge=0, description="Milliseconds from request to outcome, retries included."
    )
    error_code: Text | None = Field(default=None, description="Stable code when it failed.")
    error_message: Text | None = Field(default=None, description="What failed and what to do about it.")
    attempt_id: Uuid | None = Field(default=None, description="Attempt that produced it.")


class ToolCall(Record):
    """One tool invocation to be made."""

    id: Text = Field(min_length=1, description="Step id: derived from generation and index.")
    task_id: Uuid = Field(description="Task of the session.")
    session_id: Uuid = Field(description="Session that asks.")
    run_id: Uuid = Field(description="Run that asks.")
    generation_id: Uuid = Field(description="Generation that asked for the call.")
    user_id: Name = Field(description="Owner of the session.")
    agent_id: Name | None = Field(default=None, description="Agent whose tools may be called.")
    call_index: int = Field(ge=0, description="Number of the call in its generation, from 0.")
    name: Name = Field(description="Tool to call.")
    arguments: OwnJson = Field(description="JSON arguments as the model gave them.")
    provider_call_id: Text | None = Field(
        default=None, description="Id that the model's provider gave the call."
    )
    created_at: Timestamp = Field(description="When the call was decided.")
    born_at: Timestamp = Field(description="As created_at; a repetition keeps it.")
    deadline_at: Timestamp = Field(description="When the session stops waiting.")
    approved_by: Name | None = Field(
        default=None, description="Who approved the call; null when nobody was asked."
    )
    term: int = Field(ge=0, description="Term of the log entry that asked.")
    sequence: int = Field(ge=0, description="Sequence of the log entry that asked.")


class ToolResult(Record):
    """The one outcome of a tool call."""

    id: Uuid = Field(description="Derived from the tool call.")
    tool_call_id: Text = Field(min_length=1, description="Tool call that it answers.")
    task_id: Uuid = Field(description="Task of the session.")
    session_id: Uuid = Field(description="Session that asked.")
    run_id: Uuid = Field(description="Run that asked.")
    user_id: Name = Field(description="Owner of the session.")
    tool_name: Name = Field(description="Tool that was called.")
    outcome: ToolOutcome = Field(description="What became of the call.")
    success: bool = Field(description="Whether the outcome is `succeeded`.")
    result: OwnJson = Field(description="JSON value that the tool returned; null when it failed.")
    error_code: Text | None = Field(default=None, description="Stable code when it failed.")
    error_message: Text | None = Field(default=None, description="What failed, for the model and the person.")
    created_at: Timestamp = Field(description="When the outcome was known.")
    latency_ms: int = Field(default=0, ge=0, description="Milliseconds that the tool took.")
    attempt_id: Uuid | None = Field(default=None, description="Attempt that produced it.")


class LogEntry(Record):
    """One TaskLog: what changed in a session, and why."""

    id: Uuid = Field(description="Derived from session and sequence.")
    sequence: int = Field(ge=1, description="Place in the session's log, from 1, without gaps.")
    action: Action = Field(description="What happened.")
    run_id: Uuid | None = Field(default=None, description="Run that it is about.")
    tool_name: Text | None = Field(default=None, description="Tool that it is about.")
    tool_call_id: Text | None = Field(default=None, description="Tool call that it is about.")
    success: bool = Field(default=True, description="Whether it is good news.")
    payload: JsonText = Field(description="JSON object with everything that the fold needs.")
    previous_hash: Text = Field(description="Hash of the entry before; empty for the first.")
    hash: Text = Field(
        description="SHA-256, hexadecimal, over the previous hash and this entry's canonical text."
    )


class TaskLogs(Record):
    """One decision of a session: all its log entries, there whole or not at all. A fence has no entries."""

    session_id: Uuid = Field(description="Session that decided.")
    task_id: Uuid = Field(description="Task of the session.")
    user_id: Name = Field(description="Owner of the session; empty-handed fences carry `-`.")
    term: int = Field(
        ge=0,
        description="Fence in force when it was decided (its offset + 1); 0 before any fence.",
    )
    fence_previous: int | None = Field(
        default=None,
        description="Set on a fence only: the term of the fence before it, 0 for none.",
    )
    cause_id: Uuid = Field(description="Event that caused the decision.")
    cause_topic: Text = Field(description="Topic of that event.")
    cause_partition: int = Field(description="Partition of that event.")
    cause_offset: int = Field(description="Offset of that event.")
    trace_id: Text = Field(description="W3C trace id, 32 hexadecimal digits.")
    occurred_at: Timestamp = Field(description="The broker's time of that event.")
    entries: tuple[LogEntry, ...] = Field(default=(), description="The TaskLogs in order.")

    @property
    def is_fence(self) -> bool:
        """Whether this is a fence rather than a decision."""
        return self.fence_previous is not None


class ConversationMessage(Record):
    """One entry of a conversation, as a person would read it."""

    id: Uuid = Field(description="Derived from session and order.")
    session_id: Uuid = Field(description="Conversation that it belongs to.")
    task_id: Uuid = Field(description="Task of the session.")
    run_id: Uuid | None = Field(default=None, description="Run that it belongs to.")
    user_id: Name = Field(description="Owner of the session.")
    role: Role = Field(description="Who speaks.")
    content: Text = Field(description="The text.")
    timestamp: Timestamp = Field(description="The broker's time of the event that caused it.")
    metadata: JsonText | None = Field(
        default=None, description="JSON object; `stage` names the step of the chain."
    )
    tool_calls: JsonText | None = Field(
        default=None, description="JSON array of calls that the assistant asked for."
    )
    tool_results: JsonText | None = Field(default=None, description="JSON array of results, for role tool.")
    sql_query: Text | None = Field(default=None, description="SQL that the answer rests on; assistant only.")
    sequence_order: int = Field(ge=1, description="Place in the conversation, from 1.")
    term: int = Field(ge=0, description="Term of the log entry that it comes from.")
    sequence: int = Field(ge=0, description="Sequence of the log entry that it comes from.")


class Run(Record):
    """The work done for one user message, at one change of its status."""

    id: Uuid = Field(description="Derived from session and message.")
    task_id: Uuid = Field(description="Task of the session.")
    session_id: Uuid = Field(description="Session that runs.")
    agent_id: Name | None = Field(default=None, description="Agent that answers.")
    message_id: Uuid = Field(description="User message that caused it.")
    user_id: Name = Field(description="Who sent the message.")
    status: RunStatus = Field(description="Where it stands.")
    stop_reason: StopReason | None = Field(default=None, description="Why it ended; null while it runs.")
    input: Text = Field(description="The user's text.")
    output: Text | None = Field(default=None, description="The answer.")
    sql_query: Text | None = Field(default=None, description="SQL that the answer rests on.")
    generations: int = Field(default=0, ge=0, description="Model calls made.")
    tool_calls: int = Field(default=0, ge=0, description="Tool calls made.")
    prompt_tokens: int = Field(default=0, ge=0, description="Tokens of all prompts.")
    completion_tokens: int = Field(default=0, ge=0, description="Tokens of all model answers.")
    total_tokens: int = Field(default=0, ge=0, description="Both together.")
    cost_estimate: float | None = Field(
        default=None,
        description="US dollars of the priced generations; null when none is priced.",
    )
    created_at: Timestamp = Field(description="When the message was accepted.")
    started_at: Timestamp | None = Field(default=None, description="When work began.")
    completed_at: Timestamp | None = Field(default=None, description="When it ended.")
    error_code: Text | None = Field(default=None, description="Stable code when it ended without an answer.")
    error_message: Text | None = Field(default=None, description="What happened and what to do about it.")
    term: int = Field(ge=0, description="Term of the log entry that it comes from.")
    version: int = Field(
        ge=0,
        description="Sequence of the log entry that it comes from; greater (term, version) wins.",
    )


class Task(Record):
    """What somebody asked for, as it stands."""

    id: Uuid = Field(description="Derived from the session.")
    session_id: Uuid = Field(description="Its only session.")
    user_id: Name = Field(description="Who asked.")
    prompt: Text = Field(description="The first user message; the title until then.")
    status: TaskStatus = Field(description="Where it stands; follows its latest run.")
    repo_url: Text | None = Field(default=None, description="Code repository that it is about.")
    created_at: Timestamp = Field(description="When it was asked.")
    updated_at: Timestamp = Field(description="When it last changed.")
    term: int = Field(ge=0, description="Term of the log entry that it comes from.")
    version: int = Field(ge=0, description="Sequence of that entry; greater (term, version) wins.")


class Session(Record):
    """A session as it stands, without its messages."""

    id: Uuid = Field(description="Session id.")
    task_id: Uuid = Field(description="Its only task.")
    user_id: Name = Field(description="Owner.")
    agent_id: Name | None = Field(default=None, description="Agent that answers by default.")
    title: Text = Field(description="What lists show.")
    status: SessionStatus = Field(description="Life cycle of its context.")
    archived: bool = Field(default=False, description="Whether its owner put it away.")
    context_summary: Text = Field(default="", description="What the older messages said.")
    project_context: JsonText = Field(default="{}", description="JSON object about the project worked on.")
    working_directory: Text | None = Field(default=None, description="Folder that tools work in.")
    preferences: JsonText = Field(default="{}", description="JSON object of the user's wishes.")
    ttl_seconds: int = Field(ge=1, description="Seconds without activity until the context expires.")
    metadata: JsonText = Field(default="{}", description="JSON object kept with the session.")
    created_at: Timestamp = Field(description="When it began.")
    updated_at: Timestamp = Field(description="When it last changed.")
    last_activity: Timestamp = Field(description="When somebody or something last acted in it.")
    total_messages: int = Field(default=0, ge=0, description="Entries of the conversation so far.")
    last_message: Text | None = Field(default=None, description="Start of the newest message, for lists.")
    partition: int = Field(ge=0, description="Kafka partition of all its messages.")
    timers: JsonText = Field(
        default="[]",
        description="JSON array of {key, kind, due_ms}: what the owner of the partition re-arms.",
    )
    term: int = Field(ge=0, description="Term of the log entry that it comes from.")
    version: int = Field(ge=0, description="Sequence of that entry; greater (term, version) wins.")


class Agent(Record):
    """A named configuration, the newest message of its id wins."""

    id: Name = Field(description="Agent id; UUID or a short name.")
    name: Name = Field(description="What people call it.")
    type: Name = Field(default="assistant", description="Kind of agent.")
    configuration: JsonInput = Field(description="JSON object: see the reference of agent files.")
    status: AgentStatus = Field(default=AgentStatus.ACTIVE, description="Whether it takes new runs.")
    user_id: Name | None = Field(default=None, description="Owner; null when built in and free for all.")
    session_id: Uuid | None = Field(default=None, description="Session that it is bound to.")
    created_at: Timestamp = Field(description="When it was made.")
    updated_at: Timestamp = Field(description="When it last changed.")


class Document(Record):
    """Text that an agent retrieved or a user supplied."""

    id: Uuid = Field(description="Document id.")
    session_id: Uuid | None = Field(default=None, description="Session that it belongs to.")
    user_id: Name = Field(description="Owner.")
    agent_id: Name | None = Field(default=None, description="Agent that retrieved it.")
    title: Text = Field(description="What lists show.")
    content: Text = Field(description="The text.")
    content_type: Name = Field(default="text/plain", description="Media type of the content.")
    source_url: Text | None = Field(default=None, description="Where it came from.")
    metadata: JsonInput = Field(default="{}", description="JSON object kept with it.")
    created_at: Timestamp = Field(description="When it was stored.")


AnyRecord = (
    UserMessage
    | SessionCommand
    | TimerFired
    | GenerationRequest
    | Generation
    | ToolCall
    | ToolResult
    | TaskLogs
    | ConversationMessage
    | Run
    | Task
    | Session
    | Agent
    | Document
)
