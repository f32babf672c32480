-- name: run
-- One run as it stands.
select * from accepted_runs where id = $1;

-- name: is_known
-- Whether the accepted log of a session took a run's message, or rejected it.
select exists (
    select from task_logs
    where session_id = $1 and run_id = $2 and action in ('message_received', 'message_rejected')
) as is_known;

-- name: is_decided
-- Whether the accepted log of a session has a decision that an event caused.
select exists (select from task_logs where session_id = $1 and cause_id = $2) as is_decided;

-- name: of_session
-- All runs of a session, oldest first.
select * from accepted_runs where session_id = $1 order by created_at, id;
