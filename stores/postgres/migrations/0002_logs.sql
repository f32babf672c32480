-- The sessions' logs, partitioned by week, and the sinks' own state: heads, offsets, erased sessions, once claims.

create table task_logs (
    id uuid not null,
    session_id uuid not null,
    task_id uuid not null,
    user_id text not null,
    sequence bigint not null,
    action text not null,
    run_id uuid,
    tool_name text,
    tool_call_id text,
    success boolean not null,
    payload json not null, -- hashed: kept to the byte
    previous_hash text not null,
    hash text not null,
    term bigint not null,
    cause_id uuid not null,
    cause_topic text not null,
    cause_partition integer not null,
    cause_offset bigint not null,
    trace_id text not null,
    occurred_at timestamptz not null, -- of the record, never the clock of the writer
    primary key (id, occurred_at)
) partition by range (occurred_at);
-- Unique per session without the time as well: the writer accepts only sequences greater than the session's head.
create unique index task_logs_session on task_logs (session_id, sequence, occurred_at);
create index task_logs_action on task_logs (action, occurred_at);
create index task_logs_time on task_logs (occurred_at);

-- Makes the partition of the week that begins on `monday`, when it is missing; returns whether it was made.
-- Attaching a finished table needs a weaker lock than `create table … partition of`, so readers are not held up.
create function make_task_logs_week(monday date) returns boolean language plpgsql as $$
declare
    name text := 'task_logs_' || to_char(monday, 'YYYYMMDD');
begin
    if extract(isodow from monday) <> 1 then
        raise exception '% is not a monday', monday;
    end if;
    if to_regclass(name) is not null then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtext('make_task_logs_week'));
    if to_regclass(name) is not null then
        return false;
    end if;
    execute format('create table %I (like task_logs including defaults including constraints)', name);
    execute format(
        'alter table task_logs attach partition %I for values from (%L) to (%L)',
        name, monday::text || ' 00:00:00+00', (monday + 7)::text || ' 00:00:00+00'
    );
    return true;
end
$$;

create table session_heads (
    session_id uuid primary key,
    task_id uuid not null,
    partition integer not null,
    fence bigint not null, -- the term in force: offset + 1 of the accepted fence, 0 before any
    sequence bigint not null, -- of the last accepted entry, 0 before any
    hash text not null, -- of the last accepted entry, empty before any
    cause_id uuid -- event of the last accepted decision
) with (fillfactor = 70);
create index session_heads_task on session_heads (task_id);

create table sink_offsets (
    sink text not null,
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    primary key (sink, topic, partition)
) with (fillfactor = 50);

create table erased_sessions (
    session_id uuid primary key,
    erased_at timestamptz not null default now()
);

create table once_claims (
    step_id text primary key,
    token uuid not null,
    claimed_at timestamptz not null default now()
);
