-- name: run
-- One run as it stands.
select * from runs where id = $1;

-- name: is_known
-- Whether a run has ever been recorded.
select exists (select from runs where id = $1) as is_known;

-- name: of_session
-- All runs of a session, oldest first.
select * from runs where session_id = $1 order by created_at, id;
