-- The record: one table per topic with the columns of its records, and what the sinks need to fill them exactly once.
--
-- No foreign keys between these tables: each is fed by its own topic, and topics have no mutual order.
-- Closed lists are text without checks: the wire's schema guards them, and an older table must survive a newer symbol.
-- JSON that goes back into a run is `json` (kept to the byte); JSON that only people query is `jsonb`.

create table tasks (
    id uuid primary key,
    session_id uuid not null,
    user_id text not null,
    prompt text not null,
    status text not null,
    repo_url text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    term bigint not null,
    version bigint not null
) with (fillfactor = 80);
create index tasks_session on tasks (session_id);
create index tasks_user on tasks (user_id, updated_at desc);
create index tasks_status on tasks (status);

create table sessions (
    id uuid primary key,
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
    created_at timestamptz not null,
    updated_at timestamptz not null,
    last_activity timestamptz not null,
    total_messages integer not null,
    last_message text,
    partition integer not null,
    timers jsonb not null,
    term bigint not null,
    version bigint not null
) with (fillfactor = 80);
create index sessions_user on sessions (user_id, updated_at desc);
create index sessions_agent on sessions (agent_id);
create index sessions_status on sessions (status);
create index sessions_timers on sessions (partition, id) where timers <> '[]';

create table messages (
    id uuid primary key,
    session_id uuid not null,
    task_id uuid not null,
    run_id uuid,
    user_id text not null,
    role text not null,
    content text not null,
    "timestamp" timestamptz not null,
    metadata jsonb,
    tool_calls jsonb,
    tool_results jsonb,
    sql_query text,
    sequence_order integer not null,
    term bigint not null,
    sequence bigint not null
);
create index messages_session on messages (session_id, sequence_order);
create index messages_run on messages (run_id);

create table runs (
    id uuid primary key,
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
    created_at timestamptz not null,
    started_at timestamptz,
    completed_at timestamptz,
    error_code text,
    error_message text,
    term bigint not null,
    version bigint not null
) with (fillfactor = 80);
create index runs_session on runs (session_id, created_at);
create index runs_user on runs (user_id, created_at desc);
create index runs_agent on runs (agent_id, created_at desc);
create index runs_status on runs (status);

create table generations (
    id uuid primary key,
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
    created_at timestamptz not null,
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
    attempt_id uuid
);
create index generations_session on generations (session_id, created_at);
create index generations_run on generations (run_id, generation_index);
create index generations_agent on generations (agent_id, created_at desc);

create table tool_calls (
    id text primary key,
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
    created_at timestamptz not null,
    born_at timestamptz not null,
    deadline_at timestamptz not null,
    term bigint not null,
    sequence bigint not null
);
create index tool_calls_session on tool_calls (session_id, created_at);
create index tool_calls_generation on tool_calls (generation_id, call_index);
create index tool_calls_run on tool_calls (run_id);

create table tool_results (
    id uuid primary key,
    tool_call_id text not null unique,
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
    created_at timestamptz not null,
    latency_ms bigint not null,
    attempt_id uuid
);
create index tool_results_session on tool_results (session_id, created_at);
create index tool_results_run on tool_results (run_id);

create table agents (
    id text primary key,
    name text not null,
    type text not null,
    configuration jsonb not null,
    status text not null,
    user_id text,
    session_id uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index agents_user on agents (user_id);
create index agents_status on agents (status);

create table documents (
    id uuid primary key,
    session_id uuid,
    user_id text not null,
    agent_id text,
    title text not null,
    content text not null,
    content_type text not null,
    source_url text,
    metadata jsonb not null,
    created_at timestamptz not null
);
create index documents_user on documents (user_id, created_at desc);
create index documents_session on documents (session_id);
create index documents_agent on documents (agent_id);
