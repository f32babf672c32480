-- A piece is found by its owner only while the document or message of its id is theirs. Documents are published by others
-- too: of two with one id the record may have kept the one, and the vectors be of the other, whose user is another.

create or replace function found_piece(piece_of uuid, number integer)
returns table (
    id uuid, chunk integer, source text, session_id uuid, title text, words text, created_at timestamptz
)
language sql stable
as $$
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
$$;
