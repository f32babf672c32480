-- name: tables
-- Every table with its columns, storage and constraints.
select format(
    E'create table %s (\n    %s\n)%s%s;',
    c.relname,
    (
        select string_agg(line, E',\n    ' order by place, line)
        from (
            select
                a.attnum::integer as place,
                format(
                    '%I %s%s%s%s',
                    a.attname,
                    case when a.attstorage <> t.typstorage
                        then format('%s storage %s', format_type(a.atttypid, a.atttypmod), a.attstorage)
                        else format_type(a.atttypid, a.atttypmod)
                    end,
                    case when a.attnotnull then ' not null' else '' end,
                    case
                        when d.oid is null then ''
                        when a.attgenerated = 's'
                            then format(' generated always as (%s) stored', pg_get_expr(d.adbin, d.adrelid))
                        else ' default ' || pg_get_expr(d.adbin, d.adrelid)
                    end,
                    case when a.attidentity <> '' then ' identity' else '' end
                ) as line
            from pg_attribute as a
            join pg_type as t on t.oid = a.atttypid
            left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            union all
            select 10000, pg_get_constraintdef(k.oid)
            from pg_constraint as k
            where k.conrelid = c.oid and k.contype <> 'n'
        ) as lines
    ),
    case when c.relkind = 'p' then ' partition by ' || pg_get_partkeydef(c.oid) else '' end,
    case when c.reloptions is null then '' else ' with (' || array_to_string(c.reloptions, ', ') || ')' end
) as text
from pg_class as c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and not exists (select from pg_depend as x where x.objid = c.oid and x.deptype = 'e')
order by c.relname;

-- name: indexes
-- Every index that no constraint brought.
select pg_get_indexdef(i.indexrelid) || ';' as text
from pg_index as i
join pg_class as c on c.oid = i.indrelid
join pg_class as n on n.oid = i.indexrelid
where c.relnamespace = 'public'::regnamespace and not c.relispartition
    and not exists (select from pg_constraint as k where k.conindid = i.indexrelid)
order by n.relname;

-- name: views
-- Every view.
select format(E'create view %s as\n%s', c.relname, pg_get_viewdef(c.oid, true)) as text
from pg_class as c
where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'
order by c.relname;

-- name: functions
-- Every function that no extension brought.
select trim(pg_get_functiondef(p.oid)) || ';' as text
from pg_proc as p
where p.pronamespace = 'public'::regnamespace
    and not exists (select from pg_depend as x where x.objid = p.oid and x.deptype = 'e')
order by p.proname;
