-- name: nearest
-- A user's pieces, nearest first: exact, over the index of users. Shows only what was said and is still there.
-- $1 user, $2 model, $3 vector, $4 candidates, $5 results
with near as materialized (
    select e.id, e.chunk, e.embedding <=> $3::halfvec as distance
    from message_embeddings as e
    where e.user_id = $1 and e.model = $2
    order by distance
    limit $4
)
select f.*, (1 - n.distance)::double precision as score
from near as n
cross join lateral found_piece(n.id, n.chunk) as f
order by n.distance, f.id, f.chunk
limit $5;

-- name: nearest_shared
-- Pieces of shared documents, nearest first, over the index of vectors. The transaction sets how it is searched.
-- $1 model, $2 vector, $3 candidates, $4 results
with near as materialized (
    select e.id, e.chunk, e.embedding <=> $2::halfvec as distance
    from message_embeddings as e
    where e.shared and e.model = $1
    order by distance
    limit $3
)
select f.*, (1 - n.distance)::double precision as score
from near as n
cross join lateral found_piece(n.id, n.chunk) as f
order by n.distance, f.id, f.chunk
limit $4;

-- name: iterate
-- Let the index of vectors go on searching until a filter is satisfied, within this transaction.
set local hnsw.iterative_scan = strict_order;

-- name: hybrid
-- A user's pieces by nearness and by words, merged by reciprocal rank: the sum of 1 / (60 + rank) in each list.
-- $1 user, $2 model, $3 vector, $4 words, $5 candidates of each list, $6 newest matches that are ranked, $7 results
with near as materialized (
    select c.id, c.chunk, row_number() over (order by c.distance, c.id, c.chunk) as rank
    from (
        select e.id, e.chunk, e.embedding <=> $3::halfvec as distance
        from message_embeddings as e
        where e.user_id = $1 and e.model = $2
        order by distance
        limit $5
    ) as c
),
matches as materialized (
    select e.id, e.chunk, e.tsv
    from message_embeddings as e
    where e.user_id = $1 and e.tsv @@ websearch_to_tsquery('english', $4)
    order by e.created_at desc
    limit $6
),
worded as materialized (
    select c.id, c.chunk, row_number() over (order by c.fit desc, c.id, c.chunk) as rank
    from (
        select m.id, m.chunk, ts_rank_cd(m.tsv, websearch_to_tsquery('english', $4)) as fit
        from matches as m
        order by fit desc, m.id, m.chunk
        limit $5
    ) as c
),
merged as (
    select
        id, chunk,
        (coalesce(1.0 / (60 + n.rank), 0) + coalesce(1.0 / (60 + w.rank), 0))::double precision as score
    from near as n
    full join worded as w using (id, chunk)
)
select f.*, m.score
from merged as m
cross join lateral found_piece(m.id, m.chunk) as f
order by m.score desc, f.created_at desc, f.id, f.chunk
limit $7;
