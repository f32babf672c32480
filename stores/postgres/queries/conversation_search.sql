-- name: search
-- A user's messages with any of the words, best first: in one session, or with $9 also in those that changed last.
-- $1 user, $2 session, $3 run that asks, $4 words, $5 most messages looked at, $6 most candidates, $7 most results,
-- $8 characters read of one message, $9 how many other sessions
with asked as (
    select
        plainto_tsquery('english', $4) as all_words,
        replace(plainto_tsquery('english', $4)::text, '&', '|')::tsquery as any_word
),
place as materialized (
    select $2::uuid as id
    union
    (select s.id from sessions as s where s.user_id = $1 order by s.updated_at desc limit $9)
),
looked_at as materialized (
    select m.*
    from place as p,
        lateral (
            select
                m.session_id, m.run_id, m.role, m.sequence_order, m."timestamp", m.sequence, m.term,
                left(m.content, $8) as content
            from messages as m
            where m.session_id = p.id and m.user_id = $1 and m.role <> 'system' and m.run_id is distinct from $3
            order by m.sequence_order desc
            limit $5
        ) as m
    limit $5
),
found as materialized (
    select
        l.*,
        ts_rank_cd(w.words, a.any_word, 1) as rank,
        w.words @@ a.all_words as has_all
    from looked_at as l, asked as a, lateral to_tsvector('english', l.content) as w (words)
    where w.words @@ a.any_word
    order by has_all desc, rank desc, l."timestamp" desc
    limit $6
),
-- What the log did not accept, what was erased, and what was rolled back was never said.
said as materialized (
    select f.*
    from found as f
    where exists (
            select from task_logs as l
            where l.session_id = f.session_id and l.sequence = f.sequence and l.term <= f.term
        )
        and not exists (select from erased_sessions as e where e.session_id = f.session_id)
        and not exists (select from runs as r where r.id = f.run_id and r.stop_reason = 'rolled_back')
    order by f.has_all desc, f.rank desc, f."timestamp" desc
    limit $7
)
select
    s.session_id, s.role, s."timestamp", s.sequence_order, s.rank, s.has_all,
    case
        when char_length(s.content) <= 400 then s.content
        else ts_headline(
            'english', s.content, a.any_word,
            'MaxFragments=2, MaxWords=40, MinWords=15, FragmentDelimiter=" … ", StartSel="", StopSel=""'
        )
    end as snippet
from said as s, asked as a
order by s.has_all desc, s.rank desc, s."timestamp" desc;
