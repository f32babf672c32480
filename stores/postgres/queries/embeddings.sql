-- name: known
-- What is kept of some messages and documents.
select id, chunk, model, content_hash, term, sequence
from message_embeddings
where id = any($1::uuid[]);

-- name: erased
-- Which of some sessions are erased.
select session_id
from erased_sessions
where session_id = any($1::uuid[]);

-- name: write
-- Write pieces with their vectors and words. Those of erased sessions, and older ones than what is kept, are left out.
insert into message_embeddings as t (
    id, chunk, user_id, session_id, source, shared, model, content_hash, starts_at, length, term, sequence, created_at,
    tsv, embedding
)
select
    n.id, n.chunk, n.user_id, n.session_id, n.source, n.shared, $1, n.content_hash, n.starts_at, n.length, n.term,
    n.sequence, timestamptz 'epoch' + n.created_at * interval '1 microsecond', to_tsvector('english', n.words),
    n.embedding
from unnest(
    $2::uuid[], $3::integer[], $4::text[], $5::uuid[], $6::text[], $7::boolean[], $8::text[], $9::integer[],
    $10::integer[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], $15::halfvec[]
) as n (
    id, chunk, user_id, session_id, source, shared, content_hash, starts_at, length, term, sequence, created_at, words,
    embedding
)
where not exists (select from erased_sessions as e where e.session_id = n.session_id)
on conflict (id, chunk) do update set
    user_id = excluded.user_id,
    session_id = excluded.session_id,
    shared = excluded.shared,
    model = excluded.model,
    content_hash = excluded.content_hash,
    starts_at = excluded.starts_at,
    length = excluded.length,
    term = excluded.term,
    sequence = excluded.sequence,
    created_at = excluded.created_at,
    tsv = excluded.tsv,
    embedding = excluded.embedding
where (t.term, t.sequence) <= (excluded.term, excluded.sequence);

-- name: settle
-- Note the place in the log that texts now have, and drop the pieces beyond their ends.
with now_is as (
    select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::integer[]) as n (id, term, sequence, chunks)
),
cut as (
    delete from message_embeddings as t
    using now_is as n
    where t.id = n.id and t.chunk >= n.chunks and (t.term, t.sequence) <= (n.term, n.sequence)
)
update message_embeddings as t
set term = n.term, sequence = n.sequence
from now_is as n
where t.id = n.id and t.chunk < n.chunks and (t.term, t.sequence) < (n.term, n.sequence);
