-- name: of_session
-- What a session's generations cost, how many there are, and how many have no known price.
select
    sum(cost_estimate) as total,
    count(*) as generations,
    count(*) filter (where cost_estimate is null) as unpriced
from generations
where session_id = $1;
