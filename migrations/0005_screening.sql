-- Jobs, applications, and the screening that follows an application's calls.

create table system_configs (
    key text not null,
    tenant_id uuid not null,
    value jsonb not null,
    updated_at timestamptz not null default now(),
    constraint system_configs_pkey primary key (tenant_id, key)
);
call protect_table('system_configs');
insert into system_configs (tenant_id, key, value) values
    ('00000000-0000-0000-0000-000000000001', 'SCREENING_WEIGHTS', '{"resume": 1, "quiz": 1, "call": 1}'),
    ('00000000-0000-0000-0000-000000000001', 'SCREENING_THRESHOLD', 'null');

create table job_posts (
    id uuid primary key,
    tenant_id uuid not null,
    title text not null,
    description text not null,
    weights jsonb,
    threshold double precision,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
call protect_table('job_posts');

create table job_applications (
    id uuid primary key,
    tenant_id uuid not null,
    job_post_id uuid not null references job_posts (id),
    candidate_name text not null,
    phone_number text not null,
    time_zone text,
    belongs_to uuid,
    resume_score double precision,
    quiz_score double precision,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index job_applications_by_post on job_applications (job_post_id);
call protect_table('job_applications');

create table screening_results (
    id uuid primary key,
    tenant_id uuid not null,
    version bigint not null,
    schema smallint not null,
    state text not null,
    application_id uuid not null,
    status text not null,
    call_status text not null,
    attempts integer not null,
    call_id text,
    call_processed_at timestamptz,
    next_attempt_at timestamptz,
    resume_score double precision,
    quiz_score double precision,
    communication_score double precision,
    technical_score double precision,
    call_score double precision,
    final_score double precision,
    failure_reason text,
    candidate_info jsonb,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint screening_results_application_key unique (application_id)
) with (fillfactor = 70);
create index screening_results_newest on screening_results (tenant_id, created_at desc, id desc);
call protect_table('screening_results');

-- Moves screenings on. Columns: status, call_status, attempts, call_id, call_processed_at,
-- next_attempt_at, resume_score, quiz_score, communication_score, technical_score, call_score,
-- final_score, failure_reason, candidate_info; then the analysed call and the analysis' cost, where
-- null adds no row to the ledger. Answers how many rows are as expected.
create function advance_screening(
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
            select s.version from screening_results s
            where s.id = m.id and s.tenant_id = m.tenant_id), 0);
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
