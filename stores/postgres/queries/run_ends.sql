-- name: is_shown
-- Whether reads contain the end of a user's run: its state, that of its session, and the answer as a message; or
-- whether the session was erased, so that no read will ever contain it.
select
    exists (select from erased_sessions where session_id = $2)
    or exists (
        select
        from accepted_runs as r
        left join sessions as s on s.id = r.session_id
        where r.id = $3 and r.user_id = $1
            and r.status in ('completed', 'failed', 'cancelled', 'rejected')
            -- Somebody else's session tells nothing of a message that it refused.
            and (r.status = 'rejected' or s.version >= r.version)
            and (
                r.status <> 'completed'
                or exists (
                    select
                    from accepted_messages as m
                    where m.session_id = r.session_id and m.sequence = r.version
                )
            )
    ) as is_shown;
