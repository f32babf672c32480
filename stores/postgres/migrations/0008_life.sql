-- Rebuilds begin at a session's last checkpoint; runs are shown only where the session's log accepted them.

create index task_logs_checkpoint on task_logs (session_id, sequence) where action = 'checkpoint';

-- A process that was overtaken may have published the state of a run that no accepted decision came to.
create view accepted_runs as
select r.*
from runs as r
where exists (
    select from task_logs as l
    where l.session_id = r.session_id and l.sequence = r.version and l.term <= r.term
);

create or replace view agent_executions as
select
    id,
    agent_id,
    session_id,
    input as input_data,
    output as output_data,
    status,
    started_at,
    completed_at,
    error_message
from accepted_runs;
