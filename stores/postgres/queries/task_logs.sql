-- name: make_week
-- Make the partition of the week that begins on a monday; returns whether it was missing.
select make_task_logs_week($1) as made;

-- name: heads_of
-- The heads of some sessions, and which of those are erased: a row for each session asked for.
select
    asked.session_id,
    coalesce(h.fence, 0) as fence,
    coalesce(h.sequence, 0) as sequence,
    coalesce(h.hash, '') as hash,
    h.cause_id,
    e.session_id is not null as erased
from unnest($1::uuid[]) as asked (session_id)
left join session_heads as h using (session_id)
left join erased_sessions as e using (session_id);

-- name: set_heads
-- Store the heads of some sessions. Only the owner of the partition gets here: its offsets were compared first.
insert into session_heads (session_id, task_id, partition, fence, sequence, hash, cause_id)
select * from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::bigint[], $5::bigint[], $6::text[], $7::uuid[])
on conflict (session_id) do update
set task_id = excluded.task_id,
    partition = excluded.partition,
    fence = excluded.fence,
    sequence = excluded.sequence,
    hash = excluded.hash,
    cause_id = excluded.cause_id;
