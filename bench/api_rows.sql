-- name: indexes
-- The indexes of sessions.
select indexname, indexdef from pg_indexes where schemaname = 'public' and tablename = 'sessions';

-- name: sessions
-- Sessions from number $1 to $2, with rows as long as runs leave them. hashint4 is a hash, not chance: each time the same.
-- $3 each how many-th belongs to $4, $5 other users, $6 agents, $7 days.
insert into sessions (id, task_id, user_id, agent_id, title, status, archived, context_summary, project_context,
    working_directory, preferences, ttl_seconds, metadata, created_at, updated_at, last_activity, total_messages,
    last_message, partition, timers, term, version)
select
    md5('session' || n)::uuid, md5('task' || n)::uuid,
    case when n % $3::integer = 0 then $4::text else 'user-' || 1 + abs(hashint4(n)::bigint) % $5::integer end,
    'agent-' || abs(hashint4(n + 1)::bigint) % $6::integer,
    'How many ' || (array['orders', 'users', 'invoices', 'errors', 'visits'])[1 + abs(hashint4(n + 2)::bigint) % 5]
        || ' were there in week ' || abs(hashint4(n + 6)::bigint) % 53 || ' of the year?',
    case when at > now() - interval '1 hour' then 'active' else 'expired' end,
    abs(hashint4(n + 3)::bigint) % 10 = 0, '', '{}', null, '{}', 86400, '{}', at - interval '2 hours', at, at,
    (abs(hashint4(n + 4)::bigint) % 40)::integer, repeat('There were ' || n || ' of them. ', 6),
    n % 16, '[{"key":"expiry","kind":"expiry","due_ms":1795305600000}]', 0, 20
from (
    select n, now() - abs(hashint4(n + 5)::double precision) / 2147483648 * $7::float * interval '1 day' as at
    from generate_series($1::integer, $2::integer) as n
) as made;

-- name: messages
-- Conversations of $4 messages in the first $3 sessions of $2, who has each $1-th session.
insert into messages (id, session_id, task_id, run_id, user_id, role, content, "timestamp", metadata, sequence_order,
    term, sequence)
select md5('message' || c || '/' || n)::uuid, md5('session' || c * $1::integer)::uuid, md5('task' || c)::uuid,
    md5('run' || c || '/' || n / 4)::uuid, $2::text, case n % 2 when 0 then 'user' else 'assistant' end,
    repeat('There were ' || n || ' of them. ', 20), now(), '{}', n, 0, n
from generate_series(0, $3::integer - 1) as c, generate_series(1, $4::integer) as n;

-- name: logs
-- The log entries that the messages come from.
insert into task_logs (id, session_id, task_id, user_id, sequence, action, success, payload, previous_hash, hash, term,
    cause_id, cause_topic, cause_partition, cause_offset, trace_id, occurred_at)
select md5('log' || c || '/' || n)::uuid, md5('session' || c * $1::integer)::uuid, md5('task' || c)::uuid, $2::text, n,
    'thought', true, '{}', '', 'h' || n, 0, md5('cause' || n)::uuid, 'user-messages', 0, n, repeat('0', 32), now()
from generate_series(0, $3::integer - 1) as c, generate_series(1, $4::integer) as n;

-- name: generations
-- $2 generations of twenty users, over $1 days.
insert into generations (id, task_id, session_id, run_id, user_id, agent_id, generation_index, purpose, model_name,
    prompt, response, tool_calls, created_at, status, prompt_tokens, completion_tokens, cached_tokens,
    reasoning_tokens, total_tokens, cost_estimate, latency_ms)
select md5('generation' || n)::uuid, md5('task' || n)::uuid, md5('session' || n)::uuid, md5('run' || n)::uuid,
    'user-' || n % 20, 'agent-1', 0, 'act', 'model-' || n % 3, to_json(repeat('a long prompt ', 100)), '42', '[]',
    now() - n % $1::integer * interval '1 day', 'completed', 100, 20, 0, 0, 120, 0.001, 300
from generate_series(1, $2::integer) as n;

-- name: week
-- The partition of the log for this week.
select make_task_logs_week(date_trunc('week', now() at time zone 'UTC')::date);
