-- name: call
-- One tool call.
select * from accepted_tool_calls where id = $1;

-- name: task
-- The task that a tool call belongs to.
select * from tasks where id = $1;
