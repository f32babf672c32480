-- name: claim
-- Claim a step that must never start twice; the first claim stays.
insert into once_claims (step_id, token) values ($1, $2) on conflict do nothing;

-- name: holder
-- The token of the attempt that claimed a step.
select token from once_claims where step_id = $1;
