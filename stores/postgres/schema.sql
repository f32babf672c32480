-- Written by `python -m stores.postgres.schema`. A test compares it.

create table agents (
    id text not null,
    name text not null,
    type text not null,
    configuration jsonb not null,
    status text not null,
    user_id text,
    session_id uuid,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    PRIMARY KEY (id)
);

create table documents (
    id uuid not null,
    session_id uuid,
    user_id text not null,
    agent_id text,
    title text not null,
    content text not null,
    content_type text not null,
    source_url text,
    metadata jsonb not null,
    created_at timestamp with time zone not null,
    PRIMARY KEY (id)
);

create table erased_sessions (
    session_id uuid not null,
    erased_at timestamp with time zone not null default now(),
    ends jsonb,
    swept_at timestamp with time zone,
    PRIMARY KEY (session_id)
);

create table generations (
    id uuid not null,
    task_id uuid not null,
    session_id uuid not null,
    run_id uuid not null,
    user_id text not null,
    agent_id text,
    generation_index integer not null,
    purpose text not null,
    model_name text not null,
    prompt json not null,
    response text not null,
    tool_calls json not null,
    created_at timestamp with time zone not null,
    status text not null,
    finish_reason text,
    prompt_tokens bigint not null,
    completion_tokens bigint not null,
    cached_tokens bigint not null,
    reasoning_tokens bigint not null,
    total_tokens bigint not null,
    cost_estimate double precision,
    latency_ms bigint not null,
    error_code text,
    error_message text,
    attempt_id uuid,
    PRIMARY KEY (id)
) with (toast_tuple_target=4080);

create table message_embeddings (
    id uuid not null,
    chunk integer not null default 0,
    user_id text not null,
    source text not null,
    shared boolean not null default false,
    model text not null,
    content_hash text not null,
    embedding halfvec(1536) storage p not null,
    tsv tsvector not null,
    created_at timestamp with time zone not null,
    session_id uuid,
    term bigint not null default 0,
    sequence bigint not null default 0,
    starts_at integer not null default 0,
    length integer not null default 0,
    PRIMARY KEY (id, chunk)
);

create table messages (
    id uuid not null,
    session_id uuid not null,
    task_id uuid not null,
    run_id uuid,
    user_id text not null,
    role text not null,
    content text not null,
    "timestamp" timestamp with time zone not null,
    metadata jsonb,
    tool_calls jsonb,
    tool_results jsonb,
    sql_query text,
    sequence_order integer not null,
    term bigint not null,
    sequence bigint not null,
    PRIMARY KEY (id)
);

create table once_claims (
    step_id text not null,
    token uuid not null,
    claimed_at timestamp with time zone not null default now(),
    PRIMARY KEY (step_id)
);

create table runs (
    id uuid not null,
    task_id uuid not null,
    session_id uuid not null,
    agent_id text,
    message_id uuid not null,
    user_id text not null,
    status text not null,
    stop_reason text,
    input text not null,
    output text,
    sql_query text,
    generations integer not null,
    tool_calls integer not null,
    prompt_tokens bigint not null,
    completion_tokens bigint not null,
    total_tokens bigint not null,
    cost_estimate double precision,
    created_at timestamp with time zone not null,
    started_at timestamp with time zone,
    completed_at timestamp with time zone,
    error_code text,
    error_message text,
    term bigint not null,
    version bigint not null,
    PRIMARY KEY (id)
) with (fillfactor=70);

create table schema_migrations (
    name text not null,
    sha256 text not null,
    applied_at timestamp with time zone not null default now(),
    PRIMARY KEY (name)
);

create table session_heads (
    session_id uuid not null,
    task_id uuid not null,
    partition integer not null,
    fence bigint not null,
    sequence bigint not null,
    hash text not null,
    cause_id uuid,
    PRIMARY KEY (session_id)
) with (fillfactor=70);

create table sessions (
    id uuid not null,
    task_id uuid not null,
    user_id text not null,
    agent_id text,
    title text not null,
    status text not null,
    archived boolean not null,
    context_summary text not null,
    project_context jsonb not null,
    working_directory text,
    preferences jsonb not null,
    ttl_seconds integer not null,
    metadata jsonb not null,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    last_activity timestamp with time zone not null,
    total_messages integer not null,
    last_message text,
    partition integer not null,
    timers jsonb not null,
    term bigint not null,
    version bigint not null,
    active_slot timestamp with time zone generated always as (date_bin('00:10:00'::interval, last_activity, '1970-01-01 00:00:00+00'::timestamp with time zone)) stored,
    PRIMARY KEY (id)
) with (fillfactor=60, autovacuum_vacuum_scale_factor=0.05);

create table sink_offsets (
    sink text not null,
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    PRIMARY KEY (sink, topic, partition)
) with (fillfactor=50, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000);

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
    payload json not null,
    previous_hash text not null,
    hash text not null,
    term bigint not null,
    cause_id uuid not null,
    cause_topic text not null,
    cause_partition integer not null,
    cause_offset bigint not null,
    trace_id text not null,
    occurred_at timestamp with time zone not null,
    PRIMARY KEY (session_id, sequence, occurred_at)
) partition by RANGE (occurred_at);

create table tasks (
    id uuid not null,
    session_id uuid not null,
    user_id text not null,
    prompt text not null,
    status text not null,
    repo_url text,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    term bigint not null,
    version bigint not null,
    PRIMARY KEY (id)
) with (fillfactor=70);

create table tool_calls (
    id text not null,
    task_id uuid not null,
    session_id uuid not null,
    run_id uuid not null,
    generation_id uuid not null,
    user_id text not null,
    agent_id text,
    call_index integer not null,
    name text not null,
    arguments json not null,
    provider_call_id text,
    created_at timestamp with time zone not null,
    born_at timestamp with time zone not null,
    deadline_at timestamp with time zone not null,
    term bigint not null,
    sequence bigint not null,
    approved_by text,
    PRIMARY KEY (id)
);

create table tool_results (
    id uuid not null,
    tool_call_id text not null,
    task_id uuid not null,
    session_id uuid not null,
    run_id uuid not null,
    user_id text not null,
    tool_name text not null,
    outcome text not null,
    success boolean not null,
    result json not null,
    error_code text,
    error_message text,
    created_at timestamp with time zone not null,
    latency_ms bigint not null,
    attempt_id uuid,
    PRIMARY KEY (id),
    UNIQUE (tool_call_id)
);

CREATE INDEX agents_status ON public.agents USING btree (status);

CREATE INDEX agents_user ON public.agents USING btree (user_id);

CREATE INDEX documents_agent ON public.documents USING btree (agent_id);

CREATE INDEX documents_session ON public.documents USING btree (session_id);

CREATE INDEX documents_user ON public.documents USING btree (user_id, created_at DESC);

CREATE INDEX erased_sessions_unswept ON public.erased_sessions USING btree (erased_at) WHERE (swept_at IS NULL);

CREATE INDEX generations_agent ON public.generations USING btree (agent_id, created_at DESC);

CREATE INDEX generations_session ON public.generations USING btree (session_id, created_at);

CREATE INDEX generations_user ON public.generations USING btree (user_id, created_at) INCLUDE (model_name, prompt_tokens, completion_tokens, total_tokens, cost_estimate);

CREATE INDEX message_embeddings_session ON public.message_embeddings USING btree (session_id);

CREATE INDEX message_embeddings_shared ON public.message_embeddings USING hnsw (embedding halfvec_cosine_ops) WHERE shared;

CREATE INDEX message_embeddings_user ON public.message_embeddings USING btree (user_id);

CREATE INDEX message_embeddings_words ON public.message_embeddings USING gin (tsv);

CREATE INDEX messages_session ON public.messages USING btree (session_id, sequence_order);

CREATE INDEX runs_agent ON public.runs USING btree (agent_id, created_at DESC);

CREATE INDEX runs_session ON public.runs USING btree (session_id, created_at);

CREATE INDEX runs_user ON public.runs USING btree (user_id, created_at DESC);

CREATE INDEX session_heads_task ON public.session_heads USING btree (task_id);

CREATE INDEX sessions_agent ON public.sessions USING btree (agent_id);

CREATE INDEX sessions_status ON public.sessions USING btree (status);

CREATE INDEX sessions_timers ON public.sessions USING btree (partition, id) WHERE (status <> 'expired'::text);

CREATE INDEX sessions_user ON public.sessions USING btree (user_id, archived, active_slot DESC) INCLUDE (id, agent_id, title);

CREATE INDEX task_logs_action ON ONLY public.task_logs USING btree (action, occurred_at);

CREATE INDEX task_logs_checkpoint ON ONLY public.task_logs USING btree (session_id, sequence) WHERE (action = 'checkpoint'::text);

CREATE INDEX task_logs_time ON ONLY public.task_logs USING btree (occurred_at);

CREATE INDEX tasks_session ON public.tasks USING btree (session_id);

CREATE INDEX tasks_user ON public.tasks USING btree (user_id);

CREATE INDEX tool_calls_generation ON public.tool_calls USING btree (generation_id, call_index);

CREATE INDEX tool_calls_session ON public.tool_calls USING btree (session_id, created_at);

CREATE INDEX tool_results_session ON public.tool_results USING btree (session_id, created_at);

create view accepted_messages as
 SELECT id,
    session_id,
    task_id,
    run_id,
    user_id,
    role,
    content,
    "timestamp",
    metadata,
    tool_calls,
    tool_results,
    sql_query,
    sequence_order,
    term,
    sequence
   FROM messages m
  WHERE (EXISTS ( SELECT
           FROM task_logs l
          WHERE l.session_id = m.session_id AND l.sequence = m.sequence AND l.term <= m.term));

create view accepted_runs as
 SELECT id,
    task_id,
    session_id,
    agent_id,
    message_id,
    user_id,
    status,
    stop_reason,
    input,
    output,
    sql_query,
    generations,
    tool_calls,
    prompt_tokens,
    completion_tokens,
    total_tokens,
    cost_estimate,
    created_at,
    started_at,
    completed_at,
    error_code,
    error_message,
    term,
    version
   FROM runs r
  WHERE (EXISTS ( SELECT
           FROM task_logs l
          WHERE l.session_id = r.session_id AND l.sequence = r.version AND l.term <= r.term));

create view accepted_tool_calls as
 SELECT id,
    task_id,
    session_id,
    run_id,
    generation_id,
    user_id,
    agent_id,
    call_index,
    name,
    arguments,
    provider_call_id,
    created_at,
    born_at,
    deadline_at,
    term,
    sequence,
    approved_by
   FROM tool_calls c
  WHERE (EXISTS ( SELECT
           FROM task_logs l
          WHERE l.session_id = c.session_id AND l.sequence = c.sequence AND l.term <= c.term));

create view agent_executions as
 SELECT id,
    agent_id,
    session_id,
    input AS input_data,
    output AS output_data,
    status,
    started_at,
    completed_at,
    error_message
   FROM accepted_runs;

create view events as
 SELECT id,
    action AS event_type,
    trace_id,
    session_id,
    user_id,
    floor(EXTRACT(epoch FROM occurred_at) * 1000::numeric)::bigint AS timestamp_ms,
    payload,
    occurred_at AS created_at
   FROM task_logs;

create view llm_interactions as
 SELECT id,
    session_id,
    agent_id,
    prompt,
    response,
    model_name AS model,
    prompt_tokens,
    completion_tokens AS response_tokens,
    latency_ms,
    status = 'completed'::text AS success,
    error_message,
    created_at
   FROM generations;

CREATE OR REPLACE FUNCTION public.found_piece(piece_of uuid, number integer)
 RETURNS TABLE(id uuid, chunk integer, source text, session_id uuid, title text, words text, created_at timestamp with time zone)
 LANGUAGE sql
 STABLE
AS $function$
    select e.id, e.chunk, e.source, e.session_id, null::text, substr(m.content, e.starts_at + 1, e.length), e.created_at
    from message_embeddings as e
    join accepted_messages as m on m.id = e.id and m.user_id = e.user_id
    where e.id = piece_of and e.chunk = number and e.source = 'message'
        and not exists (select from erased_sessions as x where x.session_id = m.session_id)
        and not exists (select from runs as r where r.id = m.run_id and r.stop_reason = 'rolled_back')
    union all
    select e.id, e.chunk, e.source, e.session_id, d.title, substr(d.content, e.starts_at + 1, e.length), e.created_at
    from message_embeddings as e
    join documents as d on d.id = e.id and d.user_id = e.user_id
    where e.id = piece_of and e.chunk = number and e.source = 'document'
        and not exists (select from erased_sessions as x where x.session_id = d.session_id)
$function$
;

CREATE OR REPLACE FUNCTION public.make_task_logs_week(monday date)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
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
$function$
;
