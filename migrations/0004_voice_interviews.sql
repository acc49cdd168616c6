-- Candidate voice interviews. One row is one entity: its checkpoint, its projection, its documents.
-- No index lies on a column that every commit changes, so that updates stay within their page.

create table voice_interviews (
    id uuid primary key,
    tenant_id uuid not null,
    version bigint not null,
    schema smallint not null,
    state text not null,
    call_id text,
    status text not null,
    answered_by text not null,
    outcome text,
    provider text,
    phone_number text,
    candidate_name text,
    duration double precision,
    cost double precision,
    recording_url text,
    failure_reason text,
    application_id uuid,
    belongs_to uuid,
    transcript text,
    messages jsonb,
    summary text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    ended_at timestamptz,
    deleted_at timestamptz,
    constraint voice_interviews_call_id_key unique (tenant_id, call_id),
    constraint voice_interviews_status
        check (status in ('queued', 'ringing', 'in-progress', 'ended', 'failed'))
) with (fillfactor = 60);
-- Lists leave out what was deleted; so do their indexes, and a count reads no row.
create index voice_interviews_newest
    on voice_interviews (tenant_id, created_at desc, id desc)
    where deleted_at is null;
create index voice_interviews_owned
    on voice_interviews (tenant_id, belongs_to, created_at desc, id desc)
    where deleted_at is null;
create index voice_interviews_by_application on voice_interviews (application_id)
    where application_id is not null;
call protect_table('voice_interviews');

do $$
begin
    alter table voice_interviews alter column transcript set compression lz4;
    alter table voice_interviews alter column messages set compression lz4;
    alter table voice_interviews alter column summary set compression lz4;
exception when feature_not_supported then
    raise notice 'this PostgreSQL has no lz4: the default compression stays';
end
$$;

-- What a call and its analysis cost, once each.
create table pipeline_cost_ledger (
    tenant_id uuid not null,
    call_id text not null,
    cost_kind text not null,
    application_id uuid,
    cost_usd double precision not null,
    recorded_at timestamptz not null,
    constraint pipeline_cost_ledger_pkey primary key (tenant_id, call_id, cost_kind),
    constraint pipeline_cost_ledger_kind check (cost_kind in ('call', 'transcript_analysis'))
);
call protect_table('pipeline_cost_ledger');

-- The seed's table of turns.
create view voice_interview_messages with (security_invoker = true) as
select
    md5(i.id::text || '/' || t.position)::uuid as id,
    i.tenant_id,
    i.id as voice_interview_id,
    t.turn ->> 'role' as role,
    t.turn ->> 'message' as message,
    (t.position - 1)::integer as sequence_order,
    i.created_at
from voice_interviews i
cross join lateral jsonb_array_elements(i.messages) with ordinality as t (turn, position);
grant select on voice_interview_messages to ringmaster_read, ringmaster_journal;

-- Moves interviews on. Columns: call_id, status, answered_by, outcome, provider, phone_number,
-- candidate_name, duration, cost, recording_url, failure_reason, application_id, belongs_to, ended_at,
-- deleted_at; then the documents transcript, messages, summary, where null keeps and '' clears.
-- Answers how many rows are as expected.
create function advance_interview(
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
        insert into voice_interviews as i (id, tenant_id, version, schema, state, call_id, status,
            answered_by, outcome, provider, phone_number, candidate_name, duration, cost,
            recording_url, failure_reason, application_id, belongs_to, ended_at, deleted_at,
            transcript, messages, summary, created_at, updated_at)
        select m.id, m.tenant_id, m.expected + 1, m.schema, m.state, m.call_id, m.status,
            m.answered_by, m.outcome, m.provider, m.phone_number, m.candidate_name,
            m.duration::double precision, m.cost::double precision, m.recording_url,
            m.failure_reason, m.application_id::uuid, m.belongs_to::uuid, m.ended_at::timestamptz,
            m.deleted_at::timestamptz, m.transcript, nullif(m.messages, '')::jsonb, m.summary,
            p_at, p_at
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
        where m.state is not null
        on conflict (id) do update
        set version = excluded.version, schema = excluded.schema, state = excluded.state,
            call_id = excluded.call_id, status = excluded.status,
            answered_by = excluded.answered_by, outcome = excluded.outcome,
            provider = excluded.provider, phone_number = excluded.phone_number,
            candidate_name = excluded.candidate_name, duration = excluded.duration,
            cost = excluded.cost, recording_url = excluded.recording_url,
            failure_reason = excluded.failure_reason, application_id = excluded.application_id,
            belongs_to = excluded.belongs_to, ended_at = excluded.ended_at,
            deleted_at = excluded.deleted_at,
            transcript = nullif(coalesce(excluded.transcript, i.transcript), ''),
            messages = case when excluded.deleted_at is null
                then coalesce(excluded.messages, i.messages) end,
            summary = nullif(coalesce(excluded.summary, i.summary), ''),
            updated_at = excluded.updated_at
        where i.version = excluded.version - 1 and i.tenant_id = excluded.tenant_id
        returning i.xmax = 0 as created
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
            select i.version from voice_interviews i
            where i.id = m.id and i.tenant_id = m.tenant_id), 0);
    end if;

    insert into pipeline_cost_ledger as l (tenant_id, call_id, cost_kind, application_id, cost_usd,
        recorded_at)
    select m.tenant_id, m.call_id, 'call', m.application_id::uuid, m.cost::double precision, p_at
    from unnest(p_tenants, p_states, p_columns[1 : n], p_columns[8 * n + 1 : 9 * n],
        p_columns[11 * n + 1 : 12 * n], p_columns[13 * n + 1 : 14 * n])
        as m (tenant_id, state, call_id, cost, application_id, ended_at)
    where m.state is not null and m.cost is not null and m.call_id is not null
        and m.ended_at is not null
    on conflict on constraint pipeline_cost_ledger_pkey do update
    set cost_usd = excluded.cost_usd, application_id = excluded.application_id
    where l.cost_usd < excluded.cost_usd;

    return v_moved + v_checked;
end
$$;
