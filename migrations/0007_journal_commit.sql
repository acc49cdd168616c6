-- The group commit costs less, and what it costs does not grow.
--
-- Where a step only checks its fence, the entity was looked up by id and tenant. Planned while the tables were
-- empty, that walked the tenant's index: with 20,000 calls stored the server took a third of the webhooks it had
-- taken at the start. Now it is the id alone that is looked up. What is new is inserted and what is known is
-- updated, each by the statement made for it: `insert … on conflict` probes, inserts on trial and confirms.

-- Lists of one owner ask for an owner; a call without one is in no such list. The old index goes last, when
-- the new one stands: dropping it locks everybody out, and is done in a moment.
create index voice_interviews_of_owner
    on voice_interviews (tenant_id, belongs_to, created_at desc, id desc)
    where deleted_at is null and belongs_to is not null;

-- Moves interviews on. Columns and answer as before: call_id, status, answered_by, outcome, provider,
-- phone_number, candidate_name, duration, cost, recording_url, failure_reason, application_id, belongs_to,
-- ended_at, deleted_at; then the documents transcript, messages, summary, where null keeps and '' clears.
-- Answers how many rows are as expected.
create or replace function advance_interview(
    p_ids uuid[], p_tenants uuid[], p_expected bigint[], p_schemas smallint[], p_states text[],
    p_columns text[], p_at timestamptz
) returns integer
language plpgsql
as $$
declare
    n constant integer := cardinality(p_ids);
    v_created integer := 0;
    v_moved integer := 0;
    v_checked integer := 0;
begin
    if 0 = any (p_expected) then
        with created as (
            insert into voice_interviews (id, tenant_id, version, schema, state, call_id, status,
                answered_by, outcome, provider, phone_number, candidate_name, duration, cost,
                recording_url, failure_reason, application_id, belongs_to, ended_at, deleted_at,
                transcript, messages, summary, created_at, updated_at)
            select m.id, m.tenant_id, 1, m.schema, m.state, m.call_id, m.status,
                m.answered_by, m.outcome, m.provider, m.phone_number, m.candidate_name,
                m.duration::double precision, m.cost::double precision, m.recording_url,
                m.failure_reason, m.application_id::uuid, m.belongs_to::uuid, m.ended_at::timestamptz,
                m.deleted_at::timestamptz, nullif(m.transcript, ''), nullif(m.messages, '')::jsonb,
                nullif(m.summary, ''), p_at, p_at
            from unnest(p_ids, p_tenants, p_expected, p_schemas, p_states,
                p_columns[1 : n], p_columns[n + 1 : 2 * n], p_columns[2 * n + 1 : 3 * n],
                p_columns[3 * n + 1 : 4 * n], p_columns[4 * n + 1 : 5 * n],
                p_columns[5 * n + 1 : 6 * n], p_columns[6 * n + 1 : 7 * n],
                p_columns[7 * n + 1 : 8 * n], p_columns[8 * n + 1 : 9 * n],
                p_columns[9 * n + 1 : 10 * n], p_columns[10 * n + 1 : 11 * n],
                p_columns[11 * n + 1 : 12 * n], p_columns[12 * n + 1 : 13 * n],
                p_columns[13 * n + 1 : 14 * n], p_columns[14 * n + 1 : 15 * n],
                p_columns[15 * n + 1 : 16 * n], p_columns[16 * n + 1 : 17 * n],
                p_columns[17 * n + 1 : 18 * n])
                as m (id, tenant_id, expected, schema, state, call_id, status, answered_by, outcome,
                    provider, phone_number, candidate_name, duration, cost, recording_url,
                    failure_reason, application_id, belongs_to, ended_at, deleted_at, transcript,
                    messages, summary)
            where m.expected = 0 and m.state is not null
            on conflict (id) do nothing
            returning tenant_id, call_id, application_id, cost, ended_at
        ), costs as (
            insert into pipeline_cost_ledger as l (tenant_id, call_id, cost_kind, application_id,
                cost_usd, recorded_at)
            select c.tenant_id, c.call_id, 'call', c.application_id, c.cost, p_at
            from created c
            where c.cost is not null and c.call_id is not null and c.ended_at is not null
            on conflict on constraint pipeline_cost_ledger_pkey do update
            set cost_usd = excluded.cost_usd, application_id = excluded.application_id
            where l.cost_usd < excluded.cost_usd
        )
        select count(*) into v_created from created;
    end if;

    if 0 < any (p_expected) then
        with moved as (
            update voice_interviews i
            set version = m.expected + 1, schema = m.schema, state = m.state,
                call_id = m.call_id, status = m.status, answered_by = m.answered_by,
                outcome = m.outcome, provider = m.provider, phone_number = m.phone_number,
                candidate_name = m.candidate_name, duration = m.duration::double precision,
                cost = m.cost::double precision, recording_url = m.recording_url,
                failure_reason = m.failure_reason, application_id = m.application_id::uuid,
                belongs_to = m.belongs_to::uuid, ended_at = m.ended_at::timestamptz,
                deleted_at = m.deleted_at::timestamptz,
                transcript = nullif(coalesce(m.transcript, i.transcript), ''),
                messages = case when m.deleted_at is null
                    then coalesce(nullif(m.messages, '')::jsonb, i.messages) end,
                summary = nullif(coalesce(m.summary, i.summary), ''), updated_at = p_at
            from (
                -- By its place, which leaves the planner one way to it. A join by id may be planned, while the
                -- table is small, as a walk through all of it.
                select u.*, (select v.ctid from voice_interviews v where v.id = u.id) as place
                from unnest(p_ids, p_tenants, p_expected, p_schemas, p_states,
                    p_columns[1 : n], p_columns[n + 1 : 2 * n], p_columns[2 * n + 1 : 3 * n],
                    p_columns[3 * n + 1 : 4 * n], p_columns[4 * n + 1 : 5 * n],
                    p_columns[5 * n + 1 : 6 * n], p_columns[6 * n + 1 : 7 * n],
                    p_columns[7 * n + 1 : 8 * n], p_columns[8 * n + 1 : 9 * n],
                    p_columns[9 * n + 1 : 10 * n], p_columns[10 * n + 1 : 11 * n],
                    p_columns[11 * n + 1 : 12 * n], p_columns[12 * n + 1 : 13 * n],
                    p_columns[13 * n + 1 : 14 * n], p_columns[14 * n + 1 : 15 * n],
                    p_columns[15 * n + 1 : 16 * n], p_columns[16 * n + 1 : 17 * n],
                    p_columns[17 * n + 1 : 18 * n])
                    as u (id, tenant_id, expected, schema, state, call_id, status, answered_by, outcome,
                        provider, phone_number, candidate_name, duration, cost, recording_url,
                        failure_reason, application_id, belongs_to, ended_at, deleted_at, transcript,
                        messages, summary)
                where u.expected > 0 and u.state is not null
            ) m
            where i.ctid = m.place and i.version = m.expected and (i.tenant_id = m.tenant_id) is true
            returning i.tenant_id, i.call_id, i.application_id, i.cost, i.ended_at
        ), costs as (
            insert into pipeline_cost_ledger as l (tenant_id, call_id, cost_kind, application_id,
                cost_usd, recorded_at)
            select c.tenant_id, c.call_id, 'call', c.application_id, c.cost, p_at
            from moved c
            where c.cost is not null and c.call_id is not null and c.ended_at is not null
            on conflict on constraint pipeline_cost_ledger_pkey do update
            set cost_usd = excluded.cost_usd, application_id = excluded.application_id
            where l.cost_usd < excluded.cost_usd
        )
        select count(*) into v_moved from moved;
    end if;

    if v_created + v_moved <> n then
        select count(*) into v_checked
        from unnest(p_ids, p_tenants, p_expected, p_states) as m (id, tenant_id, expected, state)
        where m.state is null and m.expected = coalesce((
            select case when i.tenant_id = m.tenant_id then i.version end from voice_interviews i
            where i.id = m.id), 0);
    end if;
    return v_created + v_moved + v_checked;
end
$$;

-- Moves screenings on. Columns and answer as before.
create or replace function advance_screening(
    p_ids uuid[], p_tenants uuid[], p_expected bigint[], p_schemas smallint[], p_states text[],
    p_columns text[], p_at timestamptz
) returns integer
language plpgsql
as $$
declare
    n constant integer := cardinality(p_ids);
    v_moved integer;
    v_created integer;
    v_checked integer := 0;
begin
    with moved as (
        insert into screening_results as s (id, tenant_id, version, schema, state, application_id,
            status, call_status, attempts, call_id, call_processed_at, next_attempt_at,
            resume_score, quiz_score, communication_score, technical_score, call_score,
            final_score, failure_reason, candidate_info, created_at, updated_at)
        select m.id, m.tenant_id, m.expected + 1, m.schema, m.state, m.id, m.status,
            m.call_status, m.attempts::integer, m.call_id, m.call_processed_at::timestamptz,
            m.next_attempt_at::timestamptz, m.resume_score::double precision,
            m.quiz_score::double precision, m.communication_score::double precision,
            m.technical_score::double precision, m.call_score::double precision,
            m.final_score::double precision, m.failure_reason, m.candidate_info::jsonb, p_at, p_at
        from unnest(p_ids, p_tenants, p_expected, p_schemas, p_states,
            p_columns[1 : n], p_columns[n + 1 : 2 * n], p_columns[2 * n + 1 : 3 * n],
            p_columns[3 * n + 1 : 4 * n], p_columns[4 * n + 1 : 5 * n],
            p_columns[5 * n + 1 : 6 * n], p_columns[6 * n + 1 : 7 * n],
            p_columns[7 * n + 1 : 8 * n], p_columns[8 * n + 1 : 9 * n],
            p_columns[9 * n + 1 : 10 * n], p_columns[10 * n + 1 : 11 * n],
            p_columns[11 * n + 1 : 12 * n], p_columns[12 * n + 1 : 13 * n],
            p_columns[13 * n + 1 : 14 * n])
            as m (id, tenant_id, expected, schema, state, status, call_status, attempts, call_id,
                call_processed_at, next_attempt_at, resume_score, quiz_score, communication_score,
                technical_score, call_score, final_score, failure_reason, candidate_info)
        where m.state is not null
        on conflict (id) do update
        set version = excluded.version, schema = excluded.schema, state = excluded.state,
            status = excluded.status, call_status = excluded.call_status,
            attempts = excluded.attempts, call_id = excluded.call_id,
            call_processed_at = excluded.call_processed_at,
            next_attempt_at = excluded.next_attempt_at, resume_score = excluded.resume_score,
            quiz_score = excluded.quiz_score, communication_score = excluded.communication_score,
            technical_score = excluded.technical_score, call_score = excluded.call_score,
            final_score = excluded.final_score, failure_reason = excluded.failure_reason,
            candidate_info = excluded.candidate_info, updated_at = excluded.updated_at
        where s.version = excluded.version - 1 and s.tenant_id = excluded.tenant_id
        returning s.xmax = 0 as created
    )
    select count(*), count(*) filter (where created) into v_moved, v_created from moved;

    if v_created <> (
        select count(*) from unnest(p_expected, p_states) as m (expected, state)
        where m.expected = 0 and m.state is not null
    ) then
        return -1;
    end if;

    if v_moved <> n then
        select count(*) into v_checked
        from unnest(p_ids, p_tenants, p_expected, p_states) as m (id, tenant_id, expected, state)
        where m.state is null and m.expected = coalesce((
            select case when s.tenant_id = m.tenant_id then s.version end from screening_results s
            where s.id = m.id), 0);
    end if;

    insert into pipeline_cost_ledger (tenant_id, call_id, cost_kind, application_id, cost_usd,
        recorded_at)
    select m.tenant_id, m.call_id, 'transcript_analysis', m.id, m.cost::double precision, p_at
    from unnest(p_ids, p_tenants, p_states, p_columns[14 * n + 1 : 15 * n],
        p_columns[15 * n + 1 : 16 * n])
        as m (id, tenant_id, state, call_id, cost)
    where m.state is not null and m.cost is not null and m.call_id is not null
    on conflict on constraint pipeline_cost_ledger_pkey do nothing;

    return v_moved + v_checked;
end
$$;

-- Moves entities of one kind on. A kind's migration puts its own line here.
create function advance(
    p_kind text, p_ids uuid[], p_tenants uuid[], p_expected bigint[], p_schemas smallint[],
    p_states text[], p_columns text[], p_at timestamptz
) returns integer
language plpgsql
as $$
begin
    case p_kind
        when 'interview' then
            return advance_interview(p_ids, p_tenants, p_expected, p_schemas, p_states, p_columns, p_at);
        when 'screening' then
            return advance_screening(p_ids, p_tenants, p_expected, p_schemas, p_states, p_columns, p_at);
    end case;
end
$$;

-- Answers which of these keys are taken, and which of these rows have left the inbox.
create function journal_known(p_keys uuid[], p_rows uuid[]) returns uuid[]
language sql
as $$
    select coalesce(array_agg(k.key), '{}')
    from (
        select d.key from dedupe_keys d where d.key = any (p_keys)
        union all
        select r.row from unnest(p_rows) as r (row)
        where (select i.id from inbox i where i.id = r.row) is null
    ) k
$$;

-- Commits a batch, as before. A key that is taken raises what its index raises.
create or replace function journal_commit(
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
    v_rows integer;
    v_low integer := 0;
    v_high integer;
    v_column_low integer := 0;
    v_column_high integer;
begin
    update journal_head set seq = seq + cardinality(f_ids) where id = 1
    returning seq - cardinality(f_ids) into v_base;

    if p_batch is not null then
        update journal_writers w
        set batch = p_batch, answers = v_base::text, at = clock_timestamp()
        where w.writer = p_writer and w.batch < p_batch;
        if not found then
            perform journal_answer(p_writer, p_batch, v_base::text);
        end if;
    end if;

    if cardinality(p_key_ids) > 0 then
        insert into dedupe_keys (key, tenant_id)
        select k.key, k.tenant_id from unnest(p_key_ids, p_key_tenants) as k (key, tenant_id);
    end if;

    for v_kind in 1 .. cardinality(p_kinds) loop
        v_high := v_low + p_kind_rows[v_kind];
        v_column_high := v_column_low + p_kind_rows[v_kind] * p_kind_columns[v_kind];
        v_rows := advance(p_kinds[v_kind], p_ids[v_low + 1 : v_high], p_tenants[v_low + 1 : v_high],
            p_expected[v_low + 1 : v_high], p_schemas[v_low + 1 : v_high],
            p_states[v_low + 1 : v_high], p_columns[v_column_low + 1 : v_column_high], p_at);
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
    -- By their places, as in `advance_interview` and for the same reason. One that is being taken meanwhile
    -- has moved and stays: whoever took it nudges the actor, which then lets it go.
    if cardinality(g_ids) > 0 then
        delete from wakes w
        where w.ctid = any (array(
            select (select v.ctid from wakes v
                where v.kind = g.kind and v.entity_id = g.entity_id
                    and (v.tenant_id = g.tenant_id) is true)
            from unnest(g_kinds, g_ids, g_tenants) as g (kind, entity_id, tenant_id)));
    end if;

    if p_owed is not null then
        perform journal_owe(p_writer, p_owed, p_at);
    end if;
    -- Last, so that it finds what this very batch wrote.
    if cardinality(e_ids) > 0 then
        perform erase_entity(e.kind, e.entity_id, e.tenant_id)
        from unnest(e_kinds, e_ids, e_tenants) as e (kind, entity_id, tenant_id);
    end if;
    return v_base;
end
$$;


-- Commits part of a batch that did not go through whole, as before.
create or replace function journal_try(
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
        keys := journal_known(p_key_ids, i_rows);
    when sqlstate 'RM003' then
        outcome := 'refused';
        detail := sqlerrm;
    when integrity_constraint_violation then
        get stacked diagnostics v_constraint = constraint_name, v_message = message_text;
        keys := journal_known(p_key_ids, i_rows);
        -- The key of a message to another entity lies in the same table; it is no repeat of a delivery.
        if v_constraint = 'dedupe_keys_pkey' and cardinality(keys) > 0 then
            outcome := 'duplicate';
        else
            outcome := 'refused';
            detail := coalesce(nullif(v_constraint, ''), v_message);
        end if;
    when data_exception or program_limit_exceeded or untranslatable_character then
        outcome := 'undecodable';
        detail := sqlerrm;
end
$$;

drop index voice_interviews_owned;
