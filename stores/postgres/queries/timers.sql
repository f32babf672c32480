-- name: of_partition
-- Sessions of a partition that wait for a moment, by id, after one id.
select id, timers::text as timers
from sessions
where partition = $1 and status <> 'expired' and timers <> '[]' and id > $2
order by id
limit $3;
