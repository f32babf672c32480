-- name: sessions
-- The sessions of a user (null: of everybody), the one with the newest activity first.
select id, user_id, agent_id, title, status as state, archived, total_messages, last_message, last_activity,
    created_at
from sessions
where ($1::text is null or user_id = $1) and ($2::boolean or not archived)
order by last_activity desc, id
limit $3;

-- name: runs
-- The newest runs: of a session, of a user, in one of some states; null leaves a condition out.
select id, session_id, user_id, agent_id, status, stop_reason, input, output, generations, tool_calls,
    total_tokens, cost_estimate, created_at, started_at, completed_at, error_code, error_message
from accepted_runs
where ($1::uuid is null or session_id = $1)
    and ($2::text is null or user_id = $2)
    and ($3::text[] is null or status = any ($3))
order by created_at desc, id
limit $4;

-- name: approvals
-- Tool calls that wait for a person's word, the oldest question first; of one call when $3 names it.
select l.tool_call_id, l.session_id, l.run_id, l.user_id, l.tool_name, l.payload, l.occurred_at as asked_at
from runs as r
join task_logs as l on l.session_id = r.session_id and l.run_id = r.id and l.action = 'approval_requested'
where r.status = 'waiting'
    and ($1::text is null or r.user_id = $1)
    and ($2::uuid is null or r.session_id = $2)
    and ($3::text is null or l.tool_call_id = $3)
    and not exists (
        select from task_logs as d
        where d.session_id = l.session_id and d.tool_call_id = l.tool_call_id and d.sequence > l.sequence
            and d.action in ('tool_approved', 'tool_denied')
    )
order by l.occurred_at, l.sequence
limit $4;

-- name: caused_by
-- What an event made happen in a session, in order.
select * from task_logs where session_id = $1 and cause_id = $2 order by sequence;

-- name: owner
-- Whose session it is.
select user_id from sessions where id = $1;
