-- name: next_offsets
-- The next offset of one sink on some partitions, asked for as parallel arrays.
select topic, partition, next_offset
from sink_offsets
join unnest($2::text[], $3::integer[]) as asked (topic, partition) using (topic, partition)
where sink = $1;

-- name: begin
-- Give partitions that the sink meets for the first time their first offset.
insert into sink_offsets (sink, topic, partition, next_offset)
select $1, topic, partition, 0
from unnest($2::text[], $3::integer[]) as met (topic, partition)
on conflict do nothing;

-- name: move
-- Compare-and-set of next offsets. Fewer rows than partitions: somebody else moved one.
update sink_offsets as o
set next_offset = m.next
from unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[]) as m (topic, partition, first, next)
where o.sink = $1 and o.topic = m.topic and o.partition = m.partition and o.next_offset = m.first;
