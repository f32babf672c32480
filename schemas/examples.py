"""One valid example of each record: a session's question about a table, and its answer."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from schemas import ids, records
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

SESSION_ID = "01980000-0000-7000-8000-000000000001"
MESSAGE_ID = "01980000-0000-7000-8000-000000000002"
COMMAND_ID = "01980000-0000-7000-8000-000000000003"
ATTEMPT_ID = "01980000-0000-7000-8000-000000000004"
DOCUMENT_ID = "01980000-0000-7000-8000-000000000005"
USER_ID = "alice"
AGENT_ID = "analyst"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TASK_ID = ids.task_id(SESSION_ID)
RUN_ID = ids.run_id(SESSION_ID, MESSAGE_ID)
GENERATION_ID = ids.generation_id(RUN_ID, 0)
TOOL_CALL_ID = ids.tool_call_id(GENERATION_ID, 0)

BORN = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
"""When the example's message came; the microseconds show whether they survive."""

DEADLINE = BORN + timedelta(minutes=5)
QUESTION = "How many orders did we ship in März? 🚢"
ANSWER = "42 orders were shipped."
SQL = "SELECT count(*) FROM orders WHERE shipped"
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_CALL = (
    '[{"id":"call_1","name":"sql_query","arguments":{"query":"SELECT count(*) FROM orders WHERE shipped"}}]'
)
_PROMPT = '[{"role":"system","content":"Be brief."},{"role":"user","content":"How many orders?"}]'

USER_MESSAGE = records.UserMessage(
    id=MESSAGE_ID,
    session_id=SESSION_ID,
    user_id=USER_ID,
    content=QUESTION,
    agent_id=AGENT_ID,
    title="Orders",
    repo_url="https://example.org/orders.git",
    on_busy=BusyPolicy.ENQUEUE,
    metadata='{"channel":"chat"}',
)
SESSION_COMMAND = records.SessionCommand(
    id=COMMAND_ID,
    session_id=SESSION_ID,
    user_id=USER_ID,
    kind=CommandKind.CANCEL,
    run_id=RUN_ID,
    reason="asked the wrong thing",
)
TIMER_FIRED = records.TimerFired(
    id=ids.timer_id(SESSION_ID, GENERATION_ID, 1_767_323_345_678),
    session_id=SESSION_ID,
    kind=TimerKind.DEADLINE,
    key=GENERATION_ID,
    due_at=DEADLINE,
)
GENERATION_REQUEST = records.GenerationRequest(
    id=GENERATION_ID,
    task_id=TASK_ID,
    session_id=SESSION_ID,
    run_id=RUN_ID,
    user_id=USER_ID,
    agent_id=AGENT_ID,
    generation_index=0,
    purpose=Purpose.PLAN,
    model_name="rehearsal",
    messages=_PROMPT,
    tools='["sql_query"]',
    parameters='{"temperature":0.2}',
    born_at=BORN,
    deadline_at=DEADLINE,
    term=17,
    sequence=4,
)
GENERATION = records.Generation(
    id=GENERATION_ID,
    task_id=TASK_ID,
    session_id=SESSION_ID,
    run_id=RUN_ID,
    user_id=USER_ID,
    agent_id=AGENT_ID,
    generation_index=0,
    purpose=Purpose.PLAN,
    model_name="rehearsal",
    prompt=_PROMPT,
    response="I will count the shipped orders.",
    tool_calls=_CALL,
    created_at=BORN,
    status=GenerationStatus.COMPLETED,
    finish_reason="tool_calls",
    prompt_tokens=21,
    completion_tokens=13,
    cached_tokens=5,
    reasoning_tokens=0,
    total_tokens=34,
    cost_estimate=0.000125,
    latency_ms=812,
    attempt_id=ATTEMPT_ID,
)
TOOL_CALL = records.ToolCall(
    id=TOOL_CALL_ID,
    task_id=TASK_ID,
    session_id=SESSION_ID,
    run_id=RUN_ID,
    generation_id=GENERATION_ID,
    user_id=USER_ID,
    agent_id=AGENT_ID,
    call_index=0,
    name="sql_query",
    arguments='{"query":"SELECT count(*) FROM orders WHERE shipped"}',
    provider_call_id="call_1",
    created_at=BORN,
    born_at=BORN,
    deadline_at=DEADLINE,
    approved_by="alice",
    term=17,
    sequence=7,
)
TOOL_RESULT = records.ToolResult(
    id=ids.tool_result_id(TOOL_CALL_ID),
    tool_call_id=TOOL_CALL_ID,
    task_id=TASK_ID,
    session_id=SESSION_ID,
    run_id=RUN_ID,
    user_id=USER_ID,
    tool_name="sql_query",
    outcome=ToolOutcome.SUCCEEDED,
    success=True,
    result='{"columns":["count"],"rows":[[42]]}',
    created_at=BORN,
    latency_ms=3,
    attempt_id=ATTEMPT_ID,
)
TASK_LOGS = records.TaskLogs(
    session_id=SESSION_ID,
    task_id=TASK_ID,
    user_id=USER_ID,
    term=17,
    cause_id=MESSAGE_ID,
    cause_topic="user-messages",
    cause_partition=7,
    cause_offset=123_456_789_012,
    trace_id=TRACE_ID,
    occurred_at=BORN,
    entries=(
        records.LogEntry(
            id=ids.log_id(SESSION_ID, 1),
            sequence=1,
            action=Action.SESSION_CREATED,
            payload='{"title":"Orders"}',
            previous_hash="",
            hash=_HASH,
        ),
        records.LogEntry(
            id=ids.log_id(SESSION_ID, 2),
            sequence=2,
            action=Action.TOOL_CALLED,
            run_id=RUN_ID,
            tool_name="sql_query",
            tool_call_id=TOOL_CALL_ID,
            success=True,
            payload="{}",
            previous_hash=_HASH,
            hash=_HASH[::-1],
        ),
    ),
)
FENCE = TASK_LOGS.model_copy(update={"entries": (), "fence_previous": 17, "user_id": "-"})
CONVERSATION_MESSAGE = records.ConversationMessage(
    id=ids.message_id(SESSION_ID, 1),
    session_id=SESSION_ID,
    task_id=TASK_ID,
    run_id=RUN_ID,
    user_id=USER_ID,
    role=Role.ASSISTANT,
    content=ANSWER,
    timestamp=BORN,
    metadata='{"stage":"answer"}',
    tool_calls=_CALL,
    sql_query=SQL,
    sequence_order=1,
    term=17,
    sequence=9,
)
RUN = records.Run(
    id=RUN_ID,
    task_id=TASK_ID,
    session_id=SESSION_ID,
    agent_id=AGENT_ID,
    message_id=MESSAGE_ID,
    user_id=USER_ID,
    status=RunStatus.COMPLETED,
    stop_reason=StopReason.ANSWERED,
    input=QUESTION,
    output=ANSWER,
    sql_query=SQL,
    generations=2,
    tool_calls=1,
    prompt_tokens=40,
    completion_tokens=20,
    total_tokens=60,
    cost_estimate=0.00025,
    created_at=BORN,
    started_at=BORN,
    completed_at=BORN + timedelta(seconds=2),
    term=17,
    version=12,
)
TASK = records.Task(
    id=TASK_ID,
    session_id=SESSION_ID,
    user_id=USER_ID,
    prompt=QUESTION,
    status=TaskStatus.COMPLETED,
    repo_url="https://example.org/orders.git",
    created_at=BORN,
    updated_at=BORN + timedelta(seconds=2),
    term=17,
    version=12,
)
SESSION = records.Session(
    id=SESSION_ID,
    task_id=TASK_ID,
    user_id=USER_ID,
    agent_id=AGENT_ID,
    title="Orders",
    status=SessionStatus.ACTIVE,
    context_summary="",
    working_directory="orders",
    ttl_seconds=86_400,
    created_at=BORN,
    updated_at=BORN,
    last_activity=BORN,
    total_messages=5,
    last_message=ANSWER,
    partition=7,
    timers='[{"key":"idle","kind":"idle","due_ms":1767323345678}]',
    term=17,
    version=12,
)
AGENT = records.Agent(
    id=AGENT_ID,
    name="Analyst",
    type="assistant",
    configuration='{"model":"rehearsal","system_prompt":"Be brief.","tools":["sql_query"]}',
    status=AgentStatus.ACTIVE,
    created_at=BORN,
    updated_at=BORN,
)
DOCUMENT = records.Document(
    id=DOCUMENT_ID,
    session_id=SESSION_ID,
    user_id=USER_ID,
    agent_id=AGENT_ID,
    title="Shipping rules",
    content="Orders leave on Tuesdays.",
    content_type="text/plain",
    source_url="https://example.org/rules",
    metadata='{"page":3}',
    created_at=BORN,
)

ALL: Mapping[str, records.AnyRecord] = MappingProxyType(
    {
        "user-messages": USER_MESSAGE,
        "session-commands": SESSION_COMMAND,
        "timers": TIMER_FIRED,
        "generation-requests": GENERATION_REQUEST,
        "generations": GENERATION,
        "tool-calls": TOOL_CALL,
        "tool-results": TOOL_RESULT,
        "task-logs": TASK_LOGS,
        "messages": CONVERSATION_MESSAGE,
        "runs": RUN,
        "tasks": TASK,
        "sessions": SESSION,
        "agents": AGENT,
        "documents": DOCUMENT,
    }
)
"""The example of each topic, by the topic's name without prefix."""
