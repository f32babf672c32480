"""The tables, topic by topic. Columns are named as the records' fields; a test compares the two."""

from collections.abc import Mapping
from types import MappingProxyType

from schemas import topics
from schemas.topics import TopicSpec
from sinks.batch import Rule
from sinks.postgres.table import Table, columns

TASKS = Table(
    "tasks",
    columns(
        "id:uuid session_id:uuid user_id:text prompt:text status:text repo_url:text "
        "created_at:instant updated_at:instant term:bigint version:bigint"
    ),
    Rule.GREATEST,
    version=("term", "version"),
)
SESSIONS = Table(
    "sessions",
    columns(
        "id:uuid task_id:uuid user_id:text agent_id:text title:text status:text archived:boolean "
        "context_summary:text project_context:jsonb working_directory:text preferences:jsonb "
        "ttl_seconds:integer metadata:jsonb created_at:instant updated_at:instant last_activity:instant "
        "total_messages:integer last_message:text partition:integer timers:jsonb term:bigint version:bigint"
    ),
    Rule.GREATEST,
    version=("term", "version"),
    session="id",
)
RUNS = Table(
    "runs",
    columns(
        "id:uuid task_id:uuid session_id:uuid agent_id:text message_id:uuid user_id:text status:text "
        "stop_reason:text input:text output:text sql_query:text generations:integer tool_calls:integer "
        "prompt_tokens:bigint completion_tokens:bigint total_tokens:bigint cost_estimate:double "
        "created_at:instant started_at:instant completed_at:instant error_code:text error_message:text "
        "term:bigint version:bigint"
    ),
    Rule.GREATEST,
    version=("term", "version"),
)
# Messages and tool calls never change, but their ids follow from places in the session. A decision that the
# log refused may have published the same id first; the accepted one has the greater term and replaces it.
MESSAGES = Table(
    "messages",
    columns(
        "id:uuid session_id:uuid task_id:uuid run_id:uuid user_id:text role:text content:text "
        "timestamp:instant metadata:jsonb tool_calls:jsonb tool_results:jsonb sql_query:text "
        "sequence_order:integer term:bigint sequence:bigint"
    ),
    Rule.GREATEST,
    version=("term", "sequence"),
)
TOOL_CALLS = Table(
    "tool_calls",
    columns(
        "id:text task_id:uuid session_id:uuid run_id:uuid generation_id:uuid user_id:text agent_id:text "
        "call_index:integer name:text arguments:json provider_call_id:text created_at:instant "
        "born_at:instant deadline_at:instant approved_by:text term:bigint sequence:bigint"
    ),
    Rule.GREATEST,
    version=("term", "sequence"),
)
GENERATIONS = Table(
    "generations",
    columns(
        "id:uuid task_id:uuid session_id:uuid run_id:uuid user_id:text agent_id:text "
        "generation_index:integer purpose:text model_name:text prompt:json response:text tool_calls:json "
        "created_at:instant status:text finish_reason:text prompt_tokens:bigint completion_tokens:bigint "
        "cached_tokens:bigint reasoning_tokens:bigint total_tokens:bigint cost_estimate:double "
        "latency_ms:bigint error_code:text error_message:text attempt_id:uuid"
    ),
    Rule.FIRST,
)
TOOL_RESULTS = Table(
    "tool_results",
    columns(
        "id:uuid tool_call_id:text task_id:uuid session_id:uuid run_id:uuid user_id:text tool_name:text "
        "outcome:text success:boolean result:json error_code:text error_message:text created_at:instant "
        "latency_ms:bigint attempt_id:uuid"
    ),
    Rule.FIRST,
)
AGENTS = Table(
    "agents",
    columns(
        "id:text name:text type:text configuration:jsonb status:text user_id:text session_id:uuid "
        "created_at:instant updated_at:instant"
    ),
    Rule.LAST,
    session=None,
)
DOCUMENTS = Table(
    "documents",
    columns(
        "id:uuid session_id:uuid user_id:text agent_id:text title:text content:text content_type:text "
        "source_url:text metadata:jsonb created_at:instant"
    ),
    Rule.FIRST,
)
TASK_LOGS = Table(
    "task_logs",
    columns(
        "id:uuid sequence:bigint action:text run_id:uuid tool_name:text tool_call_id:text success:boolean "
        "payload:json previous_hash:text hash:text "
        "session_id:uuid task_id:uuid user_id:text term:bigint cause_id:uuid cause_topic:text "
        "cause_partition:integer cause_offset:bigint trace_id:text occurred_at:instant"
    ),
    Rule.ONCE,
)

BY_TOPIC: Mapping[TopicSpec, Table] = MappingProxyType(
    {
        topics.TASK_LOGS: TASK_LOGS,
        topics.TASKS: TASKS,
        topics.SESSIONS: SESSIONS,
        topics.RUNS: RUNS,
        topics.MESSAGES: MESSAGES,
        topics.GENERATIONS: GENERATIONS,
        topics.TOOL_CALLS: TOOL_CALLS,
        topics.TOOL_RESULTS: TOOL_RESULTS,
        topics.AGENTS: AGENTS,
        topics.DOCUMENTS: DOCUMENTS,
    }
)
"""Every topic that is recorded, and the table that takes it."""
