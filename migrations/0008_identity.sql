-- Tenants and their users. Identity itself is kept elsewhere: a user without a row is judged by the token alone.

-- A tenant's row is its own, so that a read in its sight sees it and no other.
create table tenants (
    id uuid not null,
    tenant_id uuid not null generated always as (id) stored,
    name text not null,
    created_at timestamptz not null,
    closed_at timestamptz,
    constraint tenants_pkey primary key (id)
);
call protect_table('tenants');
insert into tenants (id, name, created_at) values
    ('00000000-0000-0000-0000-000000000001', 'default', now());
-- Those who were served before they had to be known stay served, under their id until somebody names them.
insert into tenants (id, name, created_at)
select known.tenant_id, known.tenant_id::text, now()
from (select tenant_id from voice_interviews union select tenant_id from job_posts) as known
on conflict do nothing;

-- The key has the tenant in it: one person may be in two, and no error tells of another one's.
create table users (
    tenant_id uuid not null,
    id uuid not null,
    role text not null,
    name text not null,
    email text,
    phone text,
    -- The sales head in whose pool an administrator works now; all pools where there is none.
    active_head uuid,
    deleted_at timestamptz,
    updated_at timestamptz not null,
    constraint users_pkey primary key (tenant_id, id),
    constraint users_tenant_fkey foreign key (tenant_id) references tenants (id)
);
call protect_table('users');

-- An application never points into another tenant, whoever writes it.
alter table job_posts add constraint job_posts_tenant_key unique (tenant_id, id);
alter table job_applications
    add constraint job_applications_tenant_fkey
    foreign key (tenant_id, job_post_id) references job_posts (tenant_id, id);
alter table job_applications drop constraint job_applications_job_post_id_fkey;
