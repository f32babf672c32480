-- name: head
-- The fence in force, the last accepted entry, and whether the session was erased: one row, also for unknown sessions.
select
    coalesce(h.fence, 0) as fence,
    coalesce(h.sequence, 0) as sequence,
    coalesce(h.hash, '') as hash,
    exists (select from erased_sessions as e where e.session_id = $1) as erased
from (select $1::uuid as session_id) as asked
left join session_heads as h using (session_id);

-- name: entries
-- The accepted entries of a session after one sequence and up to another (null: to the end), in order.
select *
from task_logs
where session_id = $1 and sequence > $2 and ($3::bigint is null or sequence <= $3)
order by sequence;

-- name: since_checkpoint
-- The accepted entries up to a sequence, from the last checkpoint of a format on; from the first where there is none.
select *
from task_logs
where session_id = $1 and sequence <= $2 and sequence >= coalesce(
    (
        select max(c.sequence)
        from task_logs as c
        where c.session_id = $1 and c.action = 'checkpoint' and c.sequence <= $2
            and (c.payload ->> 'format')::integer = $3
    ),
    0
)
order by sequence;

-- name: forked_upto
-- The entry that says that those before it were copied from another session; 0 where there is none.
select coalesce(max(sequence), 0) as sequence
from task_logs
where session_id = $1 and action = 'session_forked';
