-- How calls are placed: which engines a recruiter may use, and what the agent is told.

create table hr_call_configs (
    id uuid primary key,
    tenant_id uuid not null,
    user_id uuid not null,
    version bigint not null,
    allowed_providers text[] not null,
    default_provider text not null,
    -- Sealed: nonce and ciphertext. The name of the key stands beside it.
    credentials bytea,
    credentials_key text,
    is_active boolean not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint hr_call_configs_user_id_key unique (tenant_id, user_id),
    constraint hr_call_configs_default check (default_provider = any (allowed_providers)),
    constraint hr_call_configs_key check ((credentials is null) = (credentials_key is null))
);
call protect_table('hr_call_configs');

-- A prompt without an owner is the tenant's; one without a platform is for all of them.
create table ai_call_prompts (
    id uuid primary key default gen_random_uuid(),
    tenant_id uuid not null,
    version bigint not null,
    name text not null,
    system_prompt text not null,
    platform text,
    belongs_to_id uuid,
    is_active boolean not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint ai_call_prompts_platform check (platform in
        ('vapi', 'openai_twilio', 'elevenlabs', 'nvidia_twilio', 'miss_ozone'))
);
create index ai_call_prompts_owned on ai_call_prompts (tenant_id, belongs_to_id);
call protect_table('ai_call_prompts');
