-- The group commit, as one function: one round trip for everything a batch of steps means.
--
-- Any count that is not the one expected raises, which undoes the whole call; the caller then halves the
-- batch through `journal_try`. Classes: RM001 stale, RM002 duplicate, RM003 refused, RM004 too late.

-- Writes down what a batch was answered. A number that is not newer is a call that was taken for lost and
-- came late: whatever it carries was answered since. Its class RM004 is neither data nor a verdict.
create function journal_answer(p_writer uuid, p_batch bigint, p_answers text) returns void
language plpgsql
as $$
begin
    insert into journal_writers as w (writer, batch, answers) values (p_writer, p_batch, p_answers)
    on conflict (writer) do update
    set batch = excluded.batch, answers = excluded.answers, at = excluded.at
    where w.batch < excluded.batch;
    if not found then
        raise exception 'answered before' using errcode = 'RM004';
    end if;
end
$$;

-- Why a phone may not ring now, or null: read in the commit that would send the dial. The row lock of
-- `journal_head` is held, so no two dials read each other's absence.
create function dial_refusal(
    p_intent uuid, p_tenant uuid, p_permits integer, p_at timestamptz
) returns text
language plpgsql
as $$
declare
    v_callee text;
begin
    if exists (
        select from dialing_stops d
        where d.scope in ('all', 'tenant:' || p_tenant, 'provider:mr-hire')
    ) then
        return 'dialing_stopped';
    end if;
    select i.callee into v_callee from intents i where i.id = p_intent and i.tenant_id = p_tenant;
    if exists (
        select from intents h
        where h.tenant_id = p_tenant and h.callee = v_callee and h.held_until is not null
            and h.id <> p_intent
            and (h.held_until > p_at or h.status || '' in ('sending', 'ambiguous'))
    ) then
        return 'callee_held';
    end if;
    if (
        select count(*) from intents h
        where h.held_until is not null and h.held_until > p_at and h.id <> p_intent
    ) >= p_permits then
        return 'no_permit';
    end if;
    return null;
end
$$;

-- Writes what a batch owes: intents, messages, names. Rare beside the rest, so it comes as one document.
-- Intents are moved one by one: a join planned while the table is small would walk all of it later. The
-- empty text beside a status keeps the partial indexes out, which are all a bad plan could walk.
create function journal_owe(p_writer uuid, p_owed jsonb, p_at timestamptz) returns void
language plpgsql
as $$
declare
    v_row record;
    v_rows integer;
    v_refusal text;
begin
    if p_owed ? 'plan' then
        insert into intents (id, tenant_id, kind, entity_id, operation, class, reach, callee, schema,
            effect, status, due_at, planned_at)
        select p.id, p.tenant_id, p.kind, p.entity_id, p.operation, p.class, p.reach, p.callee,
            p.schema, p.effect, 'planned', p.due_at, p_at
        from jsonb_to_recordset(p_owed -> 'plan') as p (id uuid, tenant_id uuid, kind text,
            entity_id uuid, operation text, class text, reach text, callee text, schema smallint,
            effect text, due_at timestamptz);
    end if;

    for v_row in
        select s.id, s.tenant_id, s.attempt, s.not_after, s.look_at, s.held_until, s.dial_verdict
        from jsonb_to_recordset(p_owed -> 'send') as s (id uuid, tenant_id uuid, attempt integer,
            not_after timestamptz, look_at timestamptz, held_until timestamptz, dial_verdict jsonb)
    loop
        if v_row.held_until is not null then
            v_refusal := dial_refusal(v_row.id, v_row.tenant_id, (p_owed ->> 'permits')::integer, p_at);
            if v_refusal is not null then
                raise exception '%', v_refusal using errcode = 'RM003';
            end if;
        end if;
        update intents i
        set status = 'sending', attempt = v_row.attempt, writer = p_writer,
            not_after = v_row.not_after, look_at = v_row.look_at, lookups = 0,
            unanswered = case i.status when 'sending' then i.unanswered + 1 else 0 end,
            held_until = v_row.held_until, dial_verdict = v_row.dial_verdict
        where i.id = v_row.id and i.tenant_id = v_row.tenant_id
            and (i.reach || '' = 'rings') = (v_row.held_until is not null)
            and (i.status || '' = 'planned' or (i.status || '' = 'sending' and i.attempt < v_row.attempt));
        if not found then
            raise exception 'intent_not_planned' using errcode = 'RM003';
        end if;
    end loop;

    for v_row in
        select s.id, s.tenant_id, s.due_at
        from jsonb_to_recordset(p_owed -> 'postpone') as s (id uuid, tenant_id uuid,
            due_at timestamptz)
    loop
        update intents i
        set status = 'planned', due_at = v_row.due_at, held_until = null
        where i.id = v_row.id and i.tenant_id = v_row.tenant_id
            and i.status || '' in ('planned', 'sending');
    end loop;

    for v_row in
        select s.id, s.tenant_id
        from jsonb_to_recordset(p_owed -> 'cancel') as s (id uuid, tenant_id uuid)
    loop
        update intents i
        set status = 'cancelled', settled_at = p_at
        where i.id = v_row.id and i.tenant_id = v_row.tenant_id and i.status || '' = 'planned';
        if not found then
            raise exception 'intent_not_planned' using errcode = 'RM003';
        end if;
    end loop;

    for v_row in
        select s.id, s.tenant_id
        from jsonb_to_recordset(p_owed -> 'close') as s (id uuid, tenant_id uuid)
    loop
        update intents i
        set status = case i.status when 'planned' then 'cancelled' else 'done' end, settled_at = p_at
        where i.id = v_row.id and i.tenant_id = v_row.tenant_id
            and i.status || '' in ('planned', 'sending', 'ambiguous');
    end loop;

    for v_row in
        select s.id, s.tenant_id, s.attempt, s.last
        from jsonb_to_recordset(p_owed -> 'settle') as s (id uuid, tenant_id uuid, attempt integer,
            last integer)
    loop
        update intents i
        set status = 'done', settled_at = p_at
        where i.id = v_row.id and i.tenant_id = v_row.tenant_id
            and i.status || '' in ('sending', 'ambiguous')
            and i.attempt between v_row.attempt and coalesce(v_row.last, i.attempt);
        if not found then
            raise exception 'settled before' using errcode = 'RM002';
        end if;
    end loop;

    for v_row in
        select r.id, r.tenant_id
        from jsonb_to_recordset(p_owed -> 'release') as r (id uuid, tenant_id uuid)
    loop
        update intents i
        set held_until = null
        where i.id = v_row.id and i.tenant_id = v_row.tenant_id;
    end loop;

    if p_owed ? 'signals' then
        insert into dedupe_keys (key, tenant_id)
        select s.id, s.tenant_id
        from jsonb_to_recordset(p_owed -> 'signals') as s (id uuid, tenant_id uuid);
        insert into inbox (id, tenant_id, kind, entity_id, schema, event, hops, received_at)
        select s.id, s.tenant_id, s.kind, s.entity_id, s.schema, s.event, s.hops, coalesce(s.at, p_at)
        from jsonb_to_recordset(p_owed -> 'signals') as s (id uuid, tenant_id uuid, kind text,
            entity_id uuid, schema smallint, event text, hops smallint, at timestamptz);
    end if;

    if p_owed ? 'aliases' then
        insert into call_aliases (source, external, tenant_id, entity_id)
        select a.source, a.external, a.tenant_id, a.entity_id
        from jsonb_to_recordset(p_owed -> 'aliases') as a (source text, external text,
            tenant_id uuid, entity_id uuid)
        on conflict on constraint call_aliases_pkey do update set entity_id = excluded.entity_id
        where call_aliases.entity_id = excluded.entity_id;
        get diagnostics v_rows = row_count;
        if v_rows <> jsonb_array_length(p_owed -> 'aliases') then
            raise exception 'call_aliases_pkey' using errcode = 'RM003';
        end if;
    end if;
end
$$;

create index intents_by_entity on intents (entity_id);

-- Erases what is stored about an entity of which only a tombstone is left: what its log said before the fact
-- `deleted`, what it was told as it came, what its intents did once they are over, and what of its inbox is
-- set aside. Open rows leave the inbox by being refused, for which it must not be in quarantine.
create function erase_entity(p_kind text, p_id uuid, p_tenant uuid) returns void
language plpgsql
as $$
declare
    erased constant text := '{"type":"erased"}';
begin
    update call_events f
    set data = erased
    where f.entity_id = p_id and f.kind = p_kind and f.tenant_id = p_tenant
        and f.name <> 'deleted' and f.data <> erased;
    update webhook_deliveries d
    set raw = null, remarks = null
    where d.entity_id = p_id and d.kind = p_kind and d.tenant_id = p_tenant
        and (d.raw is not null or d.remarks is not null);
    update intents i
    set effect = '{}', callee = case when i.held_until is not null then i.callee end
    where i.entity_id = p_id and i.kind = p_kind and i.tenant_id = p_tenant
        and i.status || '' in ('done', 'cancelled') and (i.effect <> '{}' or i.callee is not null);
    update inbox i
    set event = '{}', raw = null, remarks = null
    where i.entity_id = p_id and i.kind = p_kind and i.tenant_id = p_tenant
        and i.set_aside is not null;
    delete from quarantine q
    where q.kind = p_kind and q.entity_id = p_id and q.tenant_id = p_tenant;
end
$$;

-- Commits a batch. Rows of `p_ids` are grouped by kind in the order of `p_kinds`; `p_columns` holds,
-- per kind, its columns one after the other. A state of null checks the fence and writes nothing.
-- Answers the number before the batch's first fact.
create function journal_commit(
    p_writer uuid, p_batch bigint,
    p_key_ids uuid[], p_key_tenants uuid[],
    p_kinds text[], p_kind_rows integer[], p_kind_columns integer[],
    p_ids uuid[], p_tenants uuid[], p_expected bigint[], p_schemas smallint[], p_states text[],
    p_columns text[], p_at timestamptz,
    f_tenants uuid[], f_kinds text[], f_ids uuid[], f_versions bigint[], f_names text[],
    f_schemas smallint[], f_data text[], f_at timestamptz[],
    d_keys uuid[], d_tenants uuid[], d_kinds text[], d_ids uuid[], d_verdicts text[],
    d_remarks text[], d_raw bytea[], d_received timestamptz[],
    i_rows uuid[], i_verdicts text[],
    w_ids uuid[], w_kinds text[], w_tenants uuid[], w_due timestamptz[], w_versions bigint[],
    g_kinds text[], g_ids uuid[], g_tenants uuid[],
    e_kinds text[], e_ids uuid[], e_tenants uuid[],
    p_owed jsonb
) returns bigint
language plpgsql
as $$
declare
    v_base bigint;
    v_row record;
    v_rows integer;
    v_low integer := 0;
    v_high integer;
    v_column_low integer := 0;
    v_column_high integer;
begin
    update journal_head set seq = seq + cardinality(f_ids) where id = 1
    returning seq - cardinality(f_ids) into v_base;

    if p_batch is not null then
        perform journal_answer(p_writer, p_batch, v_base::text);
    end if;

    if cardinality(p_key_ids) > 0 then
        insert into dedupe_keys (key, tenant_id)
        select k.key, k.tenant_id from unnest(p_key_ids, p_key_tenants) as k (key, tenant_id)
        on conflict do nothing;
        get diagnostics v_rows = row_count;
        if v_rows <> cardinality(p_key_ids) then
            raise exception 'decided before' using errcode = 'RM002';
        end if;
    end if;

    for v_kind in 1 .. cardinality(p_kinds) loop
        v_high := v_low + p_kind_rows[v_kind];
        v_column_high := v_column_low + p_kind_rows[v_kind] * p_kind_columns[v_kind];
        execute format('select %I($1, $2, $3, $4, $5, $6, $7)', 'advance_' || p_kinds[v_kind])
        into v_rows
        using p_ids[v_low + 1 : v_high], p_tenants[v_low + 1 : v_high],
            p_expected[v_low + 1 : v_high], p_schemas[v_low + 1 : v_high],
            p_states[v_low + 1 : v_high], p_columns[v_column_low + 1 : v_column_high], p_at;
        if v_rows <> p_kind_rows[v_kind] then
            raise exception 'moved on' using errcode = 'RM001';
        end if;
        v_low := v_high;
        v_column_low := v_column_high;
    end loop;

    if cardinality(f_ids) > 0 then
        insert into call_events (seq, tenant_id, kind, entity_id, version, name, schema, data, at)
        select v_base + f.position, f.tenant_id, f.kind, f.entity_id, f.version, f.name, f.schema,
            f.data, f.at
        from unnest(f_tenants, f_kinds, f_ids, f_versions, f_names, f_schemas, f_data, f_at)
            with ordinality
            as f (tenant_id, kind, entity_id, version, name, schema, data, at, position);
    end if;

    if cardinality(d_keys) > 0 then
        insert into webhook_deliveries (key, tenant_id, kind, entity_id, verdict, remarks, raw,
            received_at)
        select d.key, d.tenant_id, d.kind, d.entity_id, d.verdict, d.remarks, d.raw, d.received_at
        from unnest(d_keys, d_tenants, d_kinds, d_ids, d_verdicts, d_remarks, d_raw, d_received)
            as d (key, tenant_id, kind, entity_id, verdict, remarks, raw, received_at);
    end if;

    if cardinality(i_rows) > 0 then
        with gone as (
            delete from inbox where id = any (i_rows)
            returning id, tenant_id, kind, entity_id, remarks, raw, received_at
        )
        insert into webhook_deliveries (key, tenant_id, kind, entity_id, verdict, remarks, raw,
            received_at)
        select g.id, g.tenant_id, g.kind, g.entity_id,
            i_verdicts[array_position(i_rows, g.id)], g.remarks, g.raw, g.received_at
        from gone g;
        get diagnostics v_rows = row_count;
        if v_rows <> cardinality(i_rows) then
            raise exception 'applied before' using errcode = 'RM002';
        end if;
    end if;

    if cardinality(w_ids) > 0 then
        insert into wakes (entity_id, kind, tenant_id, due_at, version)
        select w.entity_id, w.kind, w.tenant_id, w.due_at, w.version
        from unnest(w_ids, w_kinds, w_tenants, w_due, w_versions)
            as w (entity_id, kind, tenant_id, due_at, version)
        on conflict on constraint wakes_pkey do update
        set tenant_id = excluded.tenant_id, due_at = excluded.due_at, version = excluded.version;
    end if;
    -- One by one, as intents are moved and for the same reason.
    for v_row in
        select g.kind, g.entity_id, g.tenant_id
        from unnest(g_kinds, g_ids, g_tenants) as g (kind, entity_id, tenant_id)
    loop
        delete from wakes w
        where w.kind = v_row.kind and w.entity_id = v_row.entity_id
            and w.tenant_id = v_row.tenant_id;
    end loop;

    if p_owed is not null then
        perform journal_owe(p_writer, p_owed, p_at);
    end if;
    -- Last, so that it finds what this very batch wrote.
    perform erase_entity(e.kind, e.entity_id, e.tenant_id)
    from unnest(e_kinds, e_ids, e_tenants) as e (kind, entity_id, tenant_id);
    return v_base;
end
$$;

-- Commits part of a batch that did not go through whole. Answers what became of it instead of raising;
-- what it says beyond `committed` is meant for one step alone.
create function journal_try(
    p_key_ids uuid[], p_key_tenants uuid[],
    p_kinds text[], p_kind_rows integer[], p_kind_columns integer[],
    p_ids uuid[], p_tenants uuid[], p_expected bigint[], p_schemas smallint[], p_states text[],
    p_columns text[], p_at timestamptz,
    f_tenants uuid[], f_kinds text[], f_ids uuid[], f_versions bigint[], f_names text[],
    f_schemas smallint[], f_data text[], f_at timestamptz[],
    d_keys uuid[], d_tenants uuid[], d_kinds text[], d_ids uuid[], d_verdicts text[],
    d_remarks text[], d_raw bytea[], d_received timestamptz[],
    i_rows uuid[], i_verdicts text[],
    w_ids uuid[], w_kinds text[], w_tenants uuid[], w_due timestamptz[], w_versions bigint[],
    g_kinds text[], g_ids uuid[], g_tenants uuid[],
    e_kinds text[], e_ids uuid[], e_tenants uuid[],
    p_owed jsonb, p_writer uuid,
    out outcome text, out base bigint, out keys uuid[], out detail text
)
language plpgsql
as $$
declare
    v_constraint text;
    v_message text;
begin
    base := journal_commit(p_writer, null, p_key_ids, p_key_tenants, p_kinds, p_kind_rows,
        p_kind_columns, p_ids, p_tenants, p_expected, p_schemas, p_states, p_columns, p_at,
        f_tenants, f_kinds, f_ids, f_versions, f_names, f_schemas, f_data, f_at,
        d_keys, d_tenants, d_kinds, d_ids, d_verdicts, d_remarks, d_raw, d_received,
        i_rows, i_verdicts, w_ids, w_kinds, w_tenants, w_due, w_versions, g_kinds, g_ids, g_tenants,
        e_kinds, e_ids, e_tenants, p_owed);
    outcome := 'committed';
exception
    when sqlstate 'RM001' then
        outcome := 'stale';
    when sqlstate 'RM002' then
        outcome := 'duplicate';
        select coalesce(array_agg(k.key), '{}') into keys
        from (
            select d.key from dedupe_keys d where d.key = any (p_key_ids)
            union all
            select r.row from unnest(i_rows) as r (row)
            where (select i.id from inbox i where i.id = r.row) is null
        ) k;
    when sqlstate 'RM003' then
        outcome := 'refused';
        detail := sqlerrm;
    when integrity_constraint_violation then
        get stacked diagnostics v_constraint = constraint_name, v_message = message_text;
        outcome := 'refused';
        detail := coalesce(nullif(v_constraint, ''), v_message);
    when data_exception or program_limit_exceeded or untranslatable_character then
        outcome := 'undecodable';
        detail := sqlerrm;
end
$$;
