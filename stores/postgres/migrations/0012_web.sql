-- What applications ask: the sessions of one user in order, with their number; and what a user's models used by day.
--
-- An index on last_activity would make every update of a session touch all its indexes (no HOT update: measured, three
-- times the work). The ten minutes that it falls into change seldom, and sort sessions well enough to find the few rows
-- that make a page; those are then sorted by last_activity itself.
alter table sessions
    add column active_slot timestamptz
    generated always as (date_bin(interval '10 minutes', last_activity, timestamptz '1970-01-01 00:00:00+00')) stored;

-- Titles have at most 80 characters. With them, id and agent in the index, neither counting nor searching reads rows.
drop index sessions_user;
create index sessions_user on sessions (user_id, archived, active_slot desc) include (id, agent_id, title);

-- Such an index alone answers only for pages that were cleaned since they changed.
alter table sessions set (autovacuum_vacuum_scale_factor = 0.05);

create index generations_user on generations (user_id, created_at)
    include (model_name, prompt_tokens, completion_tokens, total_tokens, cost_estimate);
