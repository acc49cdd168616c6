-- The journal: what one commit holds, and what stands beside it.

-- The last number given to a fact. Its row lock orders all journals on this database.
create table journal_head (
    id smallint primary key default 1,
    seq bigint not null,
    epoch uuid not null,
    constraint journal_head_single check (id = 1)
) with (fillfactor = 10);
insert into journal_head (seq, epoch) values (0, gen_random_uuid());
grant select on journal_head to ringmaster_read;
grant select, update on journal_head to ringmaster_journal;

-- The last batch each journal committed, with its answers: what a lost COMMIT reply is asked from.
create table journal_writers (
    writer uuid primary key,
    batch bigint not null,
    answers text not null,
    at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);
grant select, insert, update, delete on journal_writers to ringmaster_journal;

-- Keys of what was decided or taken in; a key is taken once.
create table dedupe_keys (
    key uuid primary key,
    tenant_id uuid not null,
    taken_at timestamptz not null default now()
);
call protect_table('dedupe_keys');

-- Every delivery that was decided, with the bytes it came as.
create table webhook_deliveries (
    key uuid not null,
    tenant_id uuid not null,
    kind text not null,
    entity_id uuid not null,
    verdict text not null,
    remarks text,
    raw bytea,
    received_at timestamptz not null,
    decided_at timestamptz not null default now()
) partition by range (received_at);
create index webhook_deliveries_by_entity on webhook_deliveries (entity_id);
create table webhook_deliveries_default partition of webhook_deliveries default;
call protect_table('webhook_deliveries');

-- Deliveries that could not be decided at once; a row leaves when it is decided. Times are the server's
-- clock's, which in a simulated world is not the database's; who names none is available at once.
create table inbox (
    id uuid primary key,
    tenant_id uuid not null,
    kind text not null,
    entity_id uuid not null,
    position bigint generated always as identity,
    waits_for uuid,
    schema smallint not null,
    event text not null,
    remarks text,
    raw bytea,
    hops smallint not null,
    attempts integer not null default 0,
    received_at timestamptz not null,
    available_at timestamptz not null default '-infinity',
    set_aside text
);
create index inbox_by_entity on inbox (entity_id, position);
create index inbox_by_time on inbox (available_at) where set_aside is null and waits_for is null;
create index inbox_waiting on inbox (waits_for) where waits_for is not null;
create index inbox_set_aside on inbox (kind) where set_aside is not null;
call protect_table('inbox');

-- The facts: numbered without gaps, in commit order.
create table call_events (
    seq bigint not null,
    tenant_id uuid not null,
    kind text not null,
    entity_id uuid not null,
    version bigint not null,
    name text not null,
    schema smallint not null,
    data text not null,
    at timestamptz not null,
    constraint call_events_pkey primary key (seq, at)
) partition by range (at);
create index call_events_by_entity on call_events (entity_id, seq);
create table call_events_default partition of call_events default;
call protect_table('call_events');

-- When each entity is woken. An id alone names nobody: an application's and an interview's may be alike.
create table wakes (
    kind text not null,
    entity_id uuid not null,
    tenant_id uuid not null,
    due_at timestamptz not null,
    version bigint not null,
    constraint wakes_pkey primary key (kind, entity_id)
) with (fillfactor = 70);
create index wakes_by_time on wakes (due_at);
call protect_table('wakes');

-- Outside effects that are owed, and what became of them.
create table intents (
    id uuid primary key,
    tenant_id uuid not null,
    kind text not null,
    entity_id uuid not null,
    operation text not null,
    class text not null,
    reach text not null,
    callee text,
    schema smallint not null,
    effect text not null,
    status text not null,
    attempt integer not null default 0,
    writer uuid,
    due_at timestamptz not null,
    not_after timestamptz,
    look_at timestamptz,
    unanswered integer not null default 0,
    lookups integer not null default 0,
    ambiguous_since timestamptz,
    dial_verdict jsonb,
    held_until timestamptz,
    planned_at timestamptz not null,
    settled_at timestamptz,
    constraint intents_class check (class in ('idempotent', 'searchable', 'blind')),
    constraint intents_reach check (reach in ('rings', 'silent')),
    constraint intents_status
        check (status in ('planned', 'sending', 'ambiguous', 'done', 'cancelled'))
);
create index intents_planned on intents (due_at) where status = 'planned';
create index intents_open on intents (look_at) where status in ('sending', 'ambiguous');
-- Whose call a report is about that names nothing but a number: resolve.sql.
create index intents_by_callee on intents (tenant_id, callee)
    where status in ('sending', 'ambiguous') and reach = 'rings';
-- A dial holds its callee and a permit from its `sending` on: until the call is over, or `held_until`.
create index intents_held on intents (tenant_id, callee) where held_until is not null;
create index intents_running on intents (held_until) where held_until is not null;
call protect_table('intents');

-- The outside's names for entities whose id does not follow from the name.
create table call_aliases (
    source text not null,
    external text not null,
    tenant_id uuid not null,
    entity_id uuid not null,
    constraint call_aliases_pkey primary key (tenant_id, source, external)
);
call protect_table('call_aliases');

-- Entities that may not be activated, with what brought them there.
create table quarantine (
    kind text not null,
    entity_id uuid not null,
    tenant_id uuid not null,
    reason text not null,
    poison uuid,
    since timestamptz not null,
    constraint quarantine_pkey primary key (kind, entity_id)
);
call protect_table('quarantine');

-- The red button. A row is a stop that is in force.
create table dialing_stops (
    scope text primary key,
    tenant_id uuid not null,
    stopped_by text not null,
    reason text,
    since timestamptz not null
);
call protect_table('dialing_stops');

do $$
begin
    alter table webhook_deliveries alter column raw set compression lz4;
    alter table inbox alter column raw set compression lz4;
exception when feature_not_supported then
    raise notice 'this PostgreSQL has no lz4: the default compression stays';
end
$$;

-- Makes one partition; rows of its time that went to the default meanwhile move into it. Attaching waits
-- for nobody but the default's writers, where `create … partition of` stops the whole table.
create function make_partition(
    p_parent text, p_column text, p_name text, p_from timestamptz, p_to timestamptz
) returns void
language plpgsql
as $$
begin
    if to_regclass(p_name) is not null then
        return;
    end if;
    execute format('lock table %I in access exclusive mode', p_parent || '_default');
    execute format('create table %I (like %I including defaults including storage including compression)',
        p_name, p_parent);
    execute format(
        'with early as (delete from %I where %I >= $1 and %2$I < $2 returning *)
        insert into %3$I select * from early', p_parent || '_default', p_column, p_name)
    using p_from, p_to;
    execute format('alter table %I attach partition %I for values from (%L) to (%L)',
        p_parent, p_name, p_from, p_to);
end
$$;
revoke all on function make_partition(text, text, text, timestamptz, timestamptz) from public;

-- Makes the partitions that the days after `p_at` need. Runs as the owner; the journal role may call it.
create function ensure_partitions(p_at timestamptz) returns void
language plpgsql security definer set search_path = public, pg_temp set timezone = 'UTC'
as $$
declare
    v_from timestamptz;
begin
    -- One maker at a time; any number that nobody else uses.
    perform pg_advisory_xact_lock(7267467001);
    for n in 0..2 loop
        v_from := date_trunc('day', p_at) + make_interval(days => n);
        perform make_partition('webhook_deliveries', 'received_at',
            'webhook_deliveries_' || to_char(v_from, 'YYYYMMDD'), v_from, v_from + interval '1 day');
    end loop;
    for n in 0..1 loop
        v_from := date_trunc('month', p_at) + make_interval(months => n);
        perform make_partition('call_events', 'at',
            'call_events_' || to_char(v_from, 'YYYYMM'), v_from, v_from + interval '1 month');
    end loop;
end
$$;
revoke all on function ensure_partitions(timestamptz) from public;
grant execute on function ensure_partitions(timestamptz) to ringmaster_journal;
select ensure_partitions(now());
