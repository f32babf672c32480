-- Vectors and words of messages and documents, for search. One narrow table.

create extension if not exists vector;

create table message_embeddings (
    id uuid not null, -- of the message or document
    chunk integer not null default 0,
    user_id text not null,
    source text not null,
    shared boolean not null default false,
    model text not null,
    content_hash text not null,
    embedding halfvec(1536) not null,
    tsv tsvector not null,
    created_at timestamptz not null,
    primary key (id, chunk)
);
-- In the row rather than beside it: exact search of one user's rows is three times faster.
alter table message_embeddings alter column embedding set storage plain;
create index message_embeddings_user on message_embeddings (user_id);
create index message_embeddings_words on message_embeddings using gin (tsv);
-- Only shared rows: keeping this index up to date limits inserts to some hundreds a second.
create index message_embeddings_shared on message_embeddings
using hnsw (embedding halfvec_cosine_ops) where (shared);
