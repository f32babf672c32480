-- The names that analysts know, and the views that show only what the session's log accepted.

create view events as
select
    id,
    action as event_type,
    trace_id,
    session_id,
    user_id,
    floor(extract(epoch from occurred_at) * 1000)::bigint as timestamp_ms,
    payload,
    occurred_at as created_at
from task_logs;

create view agent_executions as
select
    id,
    agent_id,
    session_id,
    input as input_data,
    output as output_data,
    status,
    started_at,
    completed_at,
    error_message
from runs;

create view llm_interactions as
select
    id,
    session_id,
    agent_id,
    prompt,
    response,
    model_name as model,
    prompt_tokens,
    completion_tokens as response_tokens,
    latency_ms,
    status = 'completed' as success,
    error_message,
    created_at
from generations;

-- A process that was frozen and overtaken may still publish outputs of a decision that the log refused. They carry an
-- older term than the log entry of the same sequence. A rebuild publishes accepted outputs again under a newer term.
create view accepted_messages as
select m.*
from messages as m
where exists (
    select from task_logs as l
    where l.session_id = m.session_id and l.sequence = m.sequence and l.term <= m.term
);

create view accepted_tool_calls as
select c.*
from tool_calls as c
where exists (
    select from task_logs as l
    where l.session_id = c.session_id and l.sequence = c.sequence and l.term <= c.term
);
