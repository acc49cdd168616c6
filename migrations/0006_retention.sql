-- Nothing grows for ever: old partitions are dropped whole, old keys are found by the blocks they lie in.

-- Keys are appended, so a block holds keys of one time: a few bytes a block find the old ones.
create index dedupe_keys_by_time on dedupe_keys using brin (taken_at) with (autosummarize = on);

-- When an intent was settled: the old ones are found without a walk through all.
create index intents_by_settling on intents (settled_at) where settled_at is not null;

-- Drops the oldest partition that ended before its time is over; answers its name, or null. One a call, so
-- that the lock on the parent is held for one drop; it is not waited for long, since the journal waits
-- behind it. Runs as the owner; the journal role may call it.
create function drop_old_partition(p_bodies_before timestamptz, p_facts_before timestamptz) returns text
language plpgsql security definer
set search_path = public, pg_temp set timezone = 'UTC' set lock_timeout = '2s'
as $$
declare
    v_name text;
begin
    select c.relname into v_name
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    where (i.inhparent = 'webhook_deliveries'::regclass and c.relname ~ '^webhook_deliveries_\d{8}$'
            and to_date(right(c.relname, 8), 'YYYYMMDD') + interval '1 day' <= p_bodies_before)
        or (i.inhparent = 'call_events'::regclass and c.relname ~ '^call_events_\d{6}$'
            and to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month' <= p_facts_before)
    order by c.relname
    limit 1;
    if v_name is not null then
        execute format('drop table %I', v_name);
    else
        -- What came while its partition was missing; nobody else looks there.
        delete from webhook_deliveries_default where received_at < p_bodies_before;
        delete from call_events_default where at < p_facts_before;
    end if;
    return v_name;
end
$$;
revoke all on function drop_old_partition(timestamptz, timestamptz) from public;
grant execute on function drop_old_partition(timestamptz, timestamptz) to ringmaster_journal;
