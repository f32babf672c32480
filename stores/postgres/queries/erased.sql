-- name: mark
-- Note that sessions are erased: from now on no sink writes rows of theirs.
insert into erased_sessions (session_id) select * from unnest($1::uuid[]) on conflict do nothing;

-- name: delete_rows
-- Delete every row of some sessions. Claims of once tools stay: they hold a step's id only.
with asked as (select * from unnest($1::uuid[]) as s (session_id)),
logs as (delete from task_logs as t using asked as a where t.session_id = a.session_id),
heads as (delete from session_heads as t using asked as a where t.session_id = a.session_id),
tasks_of as (delete from tasks as t using asked as a where t.session_id = a.session_id),
runs_of as (delete from runs as t using asked as a where t.session_id = a.session_id),
messages_of as (delete from messages as t using asked as a where t.session_id = a.session_id),
generations_of as (delete from generations as t using asked as a where t.session_id = a.session_id),
calls as (delete from tool_calls as t using asked as a where t.session_id = a.session_id),
results as (delete from tool_results as t using asked as a where t.session_id = a.session_id),
documents_of as (delete from documents as t using asked as a where t.session_id = a.session_id),
vectors as (delete from message_embeddings as t using asked as a where t.session_id = a.session_id)
delete from sessions as t using asked as a where t.id = a.session_id;

-- name: unswept
-- Erased sessions that sinks may still have rows of in flight, oldest first; each process takes others.
select session_id, ends::text as ends
from erased_sessions
where swept_at is null
order by erased_at
limit $1
for update skip locked;

-- name: note_ends
-- Keep where the topics of an erased session's partition ended after it was erased.
update erased_sessions set ends = $2::text::jsonb where session_id = $1;

-- name: are_passed
-- Whether every sink that reads them has passed the noted ends of a partition.
select not exists (
    select
    from sink_offsets as o
    join jsonb_each_text($2::text::jsonb) as e (topic, next_offset) on e.topic = o.topic
    where o.partition = $1 and o.next_offset < e.next_offset::bigint
) as are_passed;

-- name: swept
-- Note that nothing of a session is left.
update erased_sessions set swept_at = now() where session_id = $1;
