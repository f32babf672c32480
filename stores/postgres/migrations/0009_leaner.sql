-- Fewer and steadier indexes, because each costs every row that is written; and what erasing a session has to remember.
--
-- An update is cheap (HOT: no index is touched) only when it changes no column that an index mentions. Tasks, sessions
-- and runs are updated several times a run, so their indexes name columns that stay: lists sort a user's rows, which
-- they count anyway. Sessions and agents keep the index on status that lists filter by; nobody asks for tasks or runs
-- of one status alone. Rows of a run are found through its session, which every table has an index on.

-- The id follows from session and sequence, so that one unique index is enough.
alter table task_logs drop constraint task_logs_pkey;
drop index task_logs_session;
alter table task_logs add primary key (session_id, sequence, occurred_at);

drop index tasks_status;
drop index tasks_user;
create index tasks_user on tasks (user_id);

drop index sessions_user;
create index sessions_user on sessions (user_id);
-- Timers change with every decision; that an expired session has none does not.
drop index sessions_timers;
create index sessions_timers on sessions (partition, id) where status <> 'expired';

drop index runs_status;
drop index messages_run;
drop index generations_run;
drop index tool_calls_run;
drop index tool_results_run;

-- Updated in place many times a minute: room in each page, and cleaning before the pages are full of old versions.
alter table sessions set (fillfactor = 60);
alter table tasks set (fillfactor = 70);
alter table runs set (fillfactor = 70);
alter table sink_offsets set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Erased: when every sink has passed `ends`, what raced with the first deletion is deleted too.
alter table erased_sessions
    add column ends jsonb, -- topic → end offset of the session's partition, taken after the erasure was committed
    add column swept_at timestamptz;
create index erased_sessions_unswept on erased_sessions (erased_at) where swept_at is null;
