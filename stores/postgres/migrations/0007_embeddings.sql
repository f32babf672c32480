-- What a vector stands for: the session to erase it with, the place in its log, and the part of the text.

alter table message_embeddings
    add column session_id uuid,
    add column term bigint not null default 0,
    add column sequence bigint not null default 0,
    add column starts_at integer not null default 0, -- characters before the piece
    add column length integer not null default 0;
create index message_embeddings_session on message_embeddings (session_id);

-- One piece as a search shows it: no row where the log did not accept it, it was rolled back, or its session is erased.
create function found_piece(piece_of uuid, number integer)
returns table (
    id uuid, chunk integer, source text, session_id uuid, title text, words text, created_at timestamptz
)
language sql stable
as $$
    select e.id, e.chunk, e.source, e.session_id, null::text, substr(m.content, e.starts_at + 1, e.length), e.created_at
    from message_embeddings as e
    join accepted_messages as m on m.id = e.id
    where e.id = piece_of and e.chunk = number and e.source = 'message'
        and not exists (select from erased_sessions as x where x.session_id = m.session_id)
        and not exists (select from runs as r where r.id = m.run_id and r.stop_reason = 'rolled_back')
    union all
    select e.id, e.chunk, e.source, e.session_id, d.title, substr(d.content, e.starts_at + 1, e.length), e.created_at
    from message_embeddings as e
    join documents as d on d.id = e.id
    where e.id = piece_of and e.chunk = number and e.source = 'document'
        and not exists (select from erased_sessions as x where x.session_id = d.session_id)
$$;
