-- Who approved a tool call, where a person had to be asked.

alter table tool_calls add column approved_by text;

-- A view keeps the columns that its table had when it was made.
create or replace view accepted_tool_calls as
select c.*
from tool_calls as c
where exists (
    select from task_logs as l
    where l.session_id = c.session_id and l.sequence = c.sequence and l.term <= c.term
);
