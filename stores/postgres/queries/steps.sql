-- name: generation
-- The recorded outcome of one model call.
select * from generations where id = $1;

-- name: tool_result
-- The recorded outcome of one tool call.
select * from tool_results where tool_call_id = $1;

-- name: is_erased
-- Whether nothing may be done any more for a session.
select exists (select from erased_sessions where session_id = $1) as is_erased;

-- name: of_session
-- The ids of all steps that the record knows of a session.
select id::text as id from generations where session_id = $1
union
select tool_call_id from tool_results where session_id = $1
union
select id from tool_calls where session_id = $1;
