-- name: task_trail
-- Every entry of a task's log, in order. A task has one session; its head knows both.
select l.*
from session_heads as h
join task_logs as l using (session_id)
where h.task_id = $1
order by l.sequence;

-- name: session_trail
-- Every entry of a session's log, in order.
select * from task_logs where session_id = $1 order by sequence;

-- name: heads
-- Fence, sequence and hash of a session's head, for checking that the trail is whole.
select session_id, task_id, fence, sequence, hash from session_heads where session_id = $1;

-- name: orphans
-- Rows whose parent is not in the record, by kind. Topics have no order between them: behind the sinks this is normal.
select 'task_logs without session' as kind, count(*) as rows
from session_heads as h
where h.sequence > 0 and not exists (select from sessions as s where s.id = h.session_id)
union all
select 'session without task', count(*)
from sessions as s
where not exists (select from tasks as t where t.id = s.task_id)
union all
select 'session without logs', count(*)
from sessions as s
where not exists (select from session_heads as h where h.session_id = s.id and h.sequence > 0)
union all
select 'message without session', count(*)
from messages as m
where not exists (select from sessions as s where s.id = m.session_id)
union all
select 'run without session', count(*)
from runs as r
where not exists (select from sessions as s where s.id = r.session_id)
union all
select 'generation without run', count(*)
from generations as g
where not exists (select from runs as r where r.id = g.run_id)
union all
select 'tool call without generation', count(*)
from tool_calls as c
where not exists (select from generations as g where g.id = c.generation_id)
union all
select 'tool result without tool call', count(*)
from tool_results as o
where not exists (select from tool_calls as c where c.id = o.tool_call_id);

-- name: gaps
-- Sessions whose newest entry is not in the record although their head names it: they cannot be rebuilt.
select h.session_id
from session_heads as h
where h.sequence > 0
    and not exists (select from erased_sessions as e where e.session_id = h.session_id)
    and not exists (
        select from task_logs as l
        where l.session_id = h.session_id and l.sequence = h.sequence and l.hash = h.hash
    )
order by h.session_id
limit $1;
