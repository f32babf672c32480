-- Two sinks that start at once ask for the same week; the second one must find it made when it has waited.

-- Makes the partition of the week that begins on `monday`, when it is missing; returns whether it was made.
-- Attaching a finished table needs a weaker lock than `create table … partition of`, so readers are not held up.
create or replace function make_task_logs_week(monday date) returns boolean language plpgsql as $$
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
    -- Not to_regclass: it would repeat from its cache that the table is missing, because waiting for an
    -- advisory lock does not refresh caches. Reading the catalogue does.
    if exists (
        select from pg_class as week join pg_class as parent using (relnamespace)
        where parent.oid = 'task_logs'::regclass and week.relname = name
    ) then
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
