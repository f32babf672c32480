-- name: sessions
-- A page of a user's sessions, put away or not, the newest activity first; each row with the number of all of them.
-- With an agent ($5, null: any) and a part of the title ($6, '': any). The index alone gives the number and which
-- sessions are near the page: those of the same ten minutes. Erased ones may have rows until they are swept.
with near as materialized (
    select s.id, s.active_slot
    from sessions as s
    where s.user_id = $1 and s.archived = $2 and ($5::text is null or s.agent_id = $5)
        and ($6::text = '' or strpos(lower(s.title), lower($6)) > 0)
        and s.id not in (select e.session_id from erased_sessions as e where e.swept_at is null)
    order by s.active_slot desc
    fetch first ($3::bigint + $4::bigint) rows with ties
),
newest as materialized (select n.active_slot from near as n order by n.active_slot desc offset $4 limit 1)
select t.total, p.*
from (
    select count(*) as total
    from sessions as s
    where s.user_id = $1 and s.archived = $2 and ($5::text is null or s.agent_id = $5)
        and ($6::text = '' or strpos(lower(s.title), lower($6)) > 0)
        and s.id not in (select e.session_id from erased_sessions as e where e.swept_at is null)
) as t
left join (
    select s.id, s.task_id, s.user_id, s.agent_id, s.title, s.status, s.archived, s.created_at, s.updated_at,
        s.last_activity, s.total_messages, s.last_message, s.partition, s.version
    from near as n
    join sessions as s on s.id = n.id
    where n.active_slot <= (select active_slot from newest)
    order by s.last_activity desc, s.id
    limit $3
    offset $4 - (select count(*) from near as n where n.active_slot > (select active_slot from newest))
) as p on true
order by p.last_activity desc, p.id;

-- name: sessions_with_messages
-- The same of sessions with at least $7 messages. Their number changes too often for an index: rows are read.
with near as materialized (
    select s.id, s.active_slot
    from sessions as s
    where s.user_id = $1 and s.archived = $2 and ($5::text is null or s.agent_id = $5)
        and ($6::text = '' or strpos(lower(s.title), lower($6)) > 0)
        and s.total_messages >= $7
        and s.id not in (select e.session_id from erased_sessions as e where e.swept_at is null)
    order by s.active_slot desc
    fetch first ($3::bigint + $4::bigint) rows with ties
),
newest as materialized (select n.active_slot from near as n order by n.active_slot desc offset $4 limit 1)
select t.total, p.*
from (
    select count(*) as total
    from sessions as s
    where s.user_id = $1 and s.archived = $2 and ($5::text is null or s.agent_id = $5)
        and ($6::text = '' or strpos(lower(s.title), lower($6)) > 0)
        and s.total_messages >= $7
        and s.id not in (select e.session_id from erased_sessions as e where e.swept_at is null)
) as t
left join (
    select s.id, s.task_id, s.user_id, s.agent_id, s.title, s.status, s.archived, s.created_at, s.updated_at,
        s.last_activity, s.total_messages, s.last_message, s.partition, s.version
    from near as n
    join sessions as s on s.id = n.id
    where n.active_slot <= (select active_slot from newest)
    order by s.last_activity desc, s.id
    limit $3
    offset $4 - (select count(*) from near as n where n.active_slot > (select active_slot from newest))
) as p on true
order by p.last_activity desc, p.id;

-- name: session
-- One session of a user.
select s.id, s.task_id, s.user_id, s.agent_id, s.title, s.status, s.archived, s.created_at, s.updated_at,
    s.last_activity, s.total_messages, s.last_message, s.partition, s.version, s.context_summary,
    s.project_context, s.working_directory, s.preferences, s.ttl_seconds, s.metadata
from sessions as s
where s.id = $2 and s.user_id = $1 and not exists (select from erased_sessions as e where e.session_id = s.id);

-- name: messages
-- A page of a conversation in order, each row with the number of all messages; what was rolled back is no part of it.
with said as materialized (
    select m.id, m.sequence_order
    from accepted_messages as m
    where m.session_id = $2 and m.user_id = $1
        and not exists (select from erased_sessions as e where e.session_id = $2)
        and not exists (
            select from runs as r where r.session_id = $2 and r.id = m.run_id and r.stop_reason = 'rolled_back'
        )
)
select t.total, p.*
from (select count(*) as total from said) as t
left join (
    select m.*
    from (select s.id from said as s order by s.sequence_order limit $3 offset $4) as s
    join messages as m on m.id = s.id
) as p on true
order by p.sequence_order;

-- name: messages_after
-- Messages of a conversation after a place, in order; what was rolled back is no part of it.
select m.*
from accepted_messages as m
where m.session_id = $2 and m.user_id = $1 and m.sequence_order > $3
    and not exists (select from erased_sessions as e where e.session_id = $2)
    and not exists (
        select from runs as r where r.session_id = $2 and r.id = m.run_id and r.stop_reason = 'rolled_back'
    )
order by m.sequence_order
limit $4;

-- name: run
-- One run of a user.
select r.*
from accepted_runs as r
where r.id = $2 and r.user_id = $1
    and not exists (select from erased_sessions as e where e.session_id = r.session_id);

-- name: has_run
-- Whether a user has a run of which the record has any state, its log with it or not.
select exists (
    select
    from runs as r
    where r.id = $2 and r.user_id = $1
        and not exists (select from erased_sessions as e where e.session_id = r.session_id)
) as is_there;

-- name: runs
-- A page of the runs that a user has in one of their sessions, the newest first; each row with the number of all of them.
with own as (
    select r.*
    from accepted_runs as r
    where r.session_id = $2 and r.user_id = $1
        and not exists (select from erased_sessions as e where e.session_id = $2)
)
select t.total, p.*
from (select count(*) as total from own) as t
left join (select * from own order by created_at desc, id limit $3 offset $4) as p on true
order by p.created_at desc, p.id;

-- name: active_runs
-- How many of a user's newest runs have not ended. Only the newest are looked at: a user may have a million.
select count(*) as active
from (
    select r.session_id, r.status, r.version, r.term
    from runs as r
    where r.user_id = $1
    order by r.created_at desc
    limit $2
) as r
where r.status in ('queued', 'running', 'waiting')
    and not exists (select from erased_sessions as e where e.session_id = r.session_id)
    and exists (
        select from task_logs as l
        where l.session_id = r.session_id and l.sequence = r.version and l.term <= r.term
    );

-- name: task
-- The session of one task of a user.
select t.session_id
from tasks as t
where t.id = $2 and t.user_id = $1
    and not exists (select from erased_sessions as e where e.session_id = t.session_id);

-- name: trail
-- Entries of a session's log after a sequence, in order; $4 null: all of them.
select *
from task_logs
where session_id = $2 and user_id = $1 and sequence > $3
order by sequence
limit $4;

-- name: cost
-- What the generations of a user's session cost, how many there are, and how many have no known price.
select c.total, c.generations, c.unpriced
from sessions as s,
    lateral (
        select
            sum(g.cost_estimate) as total,
            count(*) as generations,
            count(*) filter (where g.cost_estimate is null) as unpriced
        from generations as g
        where g.session_id = s.id
    ) as c
where s.id = $2 and s.user_id = $1 and not exists (select from erased_sessions as e where e.session_id = s.id);

-- name: tool_call
-- Whether a tool call is one of a user's.
select exists (
    select
    from tool_calls as c
    where c.id = $2 and c.user_id = $1
        and not exists (select from erased_sessions as e where e.session_id = c.session_id)
) as is_theirs;

-- name: usage
-- Tokens and cost of a user's generations by day (UTC) and model; from the first day on, before the last.
select
    (g.created_at at time zone 'UTC')::date as day,
    g.model_name as model,
    sum(g.prompt_tokens)::bigint as prompt_tokens,
    sum(g.completion_tokens)::bigint as completion_tokens,
    sum(g.total_tokens)::bigint as total_tokens,
    sum(g.cost_estimate) as cost_estimate,
    count(*) as generations,
    count(*) filter (where g.cost_estimate is null) as unpriced
from generations as g
where g.user_id = $1 and g.created_at >= $2 and g.created_at < $3
group by 1, 2
order by 1, 2;

-- name: caused
-- The accepted entries that an event of a user caused in a session, and the states that the record has of it.
-- Only the session's newest entries are looked at: who asks has just caused them.
select l.sequence, l.term, l.action, l.run_id,
    s.term as session_term, s.version as session_version,
    t.term as task_term, t.version as task_version,
    r.term as run_term, r.version as run_version,
    exists (
        select from messages as m where m.session_id = l.session_id and m.sequence = l.sequence and m.term >= l.term
    ) as has_message
from session_heads as h
join task_logs as l on l.session_id = h.session_id and l.sequence > h.sequence - $4
left join sessions as s on s.id = l.session_id
left join tasks as t on t.id = l.task_id
left join runs as r on r.id = l.run_id
where h.session_id = $2 and l.user_id = $1 and l.cause_id = $3
order by l.sequence;

-- name: is_erased
-- Whether a session was erased.
select exists (select from erased_sessions where session_id = $1) as is_erased;
