-- name: newest
-- The newest accepted entries of a session that are shown to watchers ($4), after one sequence and up to another
-- (null: to the end), of one run unless $5 is null; the newest first. Payloads of the kinds in $6 only: others
-- may be long, and show nothing.
select id, session_id, task_id, user_id, sequence, action, run_id, tool_name, tool_call_id, success,
    case when action = any ($6::text[]) then payload else '{}'::json end as payload,
    previous_hash, hash, term, cause_id, cause_topic, cause_partition, cause_offset, trace_id, occurred_at
from task_logs
where session_id = $1 and sequence > $2 and ($3::bigint is null or sequence <= $3)
    and action = any ($4::text[]) and ($5::uuid is null or run_id = $5)
order by sequence desc
limit $7;
