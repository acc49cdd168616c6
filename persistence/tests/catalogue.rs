//! What the schema promises for every table, present and future.

mod common;

use common::with_world;
use sqlx::Executor as _;

/// Lists the tables with a tenant that lack forced row-level security or one of the two policies.
const UNPROTECTED: &str = "
    select c.relname::text
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
        and not c.relispartition
        and not (c.relrowsecurity and c.relforcerowsecurity and a.attnotnull
            and (select count(*) from pg_policy p
                 where p.polrelid = c.oid and p.polname in ('tenant_reads', 'journal_all')) = 2)
    order by 1";

/// Lists the tables that say nothing of whose their rows are, beside the journal's own and sqlx's.
const WITHOUT_TENANT: &str = "
    select c.relname::text
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
        and not exists (select from pg_attribute a
            where a.attrelid = c.oid and a.attname = 'tenant_id')
    order by 1";

/// Lists the policies that are not the two of `protect_table`, or not as it makes them.
const LOOSE_POLICIES: &str = "
    select c.relname::text || '.' || p.polname::text
    from pg_policy p
    join pg_class c on c.oid = p.polrelid
    where not (p.polcmd = '*' and p.polpermissive and case p.polname
        when 'tenant_reads' then p.polroles = array['ringmaster_read'::regrole::oid]
            and pg_get_expr(p.polqual, c.oid) like '%tenant_id = %app.tenant%'
            and pg_get_expr(p.polwithcheck, c.oid) = pg_get_expr(p.polqual, c.oid)
        when 'journal_all' then p.polroles = array['ringmaster_journal'::regrole::oid]
        else false end)
    order by 1";

/// Lists the views that read with their owner's eyes instead of the reader's.
const BLIND_VIEWS: &str = "
    select c.relname::text
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('v', 'm')
        and not coalesce(c.reloptions, '{}') && array['security_invoker=true', 'security_invoker=on']
    order by 1";

/// Lists the foreign keys by which a row could point into another tenant.
const LOOSE_KEYS: &str = "
    select k.conname::text
    from pg_constraint k
    join pg_attribute a on a.attrelid = k.conrelid and a.attname = 'tenant_id'
    join pg_attribute b on b.attrelid = k.confrelid and b.attname = 'tenant_id'
    where k.contype = 'f' and not a.attnum = any (k.conkey)
    order by 1";

/// Everything that the lists above are for, done wrong once.
const PLANTED: &str = "
    create table bare (id uuid primary key, tenant_id uuid not null);
    create table loose (id uuid primary key, tenant_id uuid not null);
    call protect_table('loose');
    create policy everybody on loose to public using (true);
    create table pointing (id uuid references loose (id), tenant_id uuid not null);
    call protect_table('pointing');
    alter table pointing no force row level security;
    create view blind as select * from voice_interviews;
    create table nobodys (id uuid primary key)";

/// Lists what our roles may do with a partition directly, past the policies of its parent.
const OPEN_PARTITIONS: &str = "
    select c.relname::text
    from pg_class c
    cross join unnest(array['ringmaster_read', 'ringmaster_journal']) as r (name)
    where c.relispartition and c.relkind = 'r'
        and has_table_privilege(r.name, c.oid, 'select, insert, update, delete')
    order by 1";

#[tokio::test]
async fn every_table_with_a_tenant_is_under_row_level_security() {
    with_world(async |world| {
        let mut login = world.database.login().await.unwrap();
        let mut list = async |sql: &'static str| -> Vec<String> {
            sqlx::query_scalar(sql).fetch_all(&mut login).await.unwrap()
        };

        assert_eq!(list(UNPROTECTED).await, Vec::<String>::new());
        let without = list(WITHOUT_TENANT).await;
        assert_eq!(without, ["_sqlx_migrations", "journal_head", "journal_writers"]);
        assert_eq!(list(OPEN_PARTITIONS).await, Vec::<String>::new());
        assert_eq!(list(LOOSE_POLICIES).await, Vec::<String>::new());
        assert_eq!(list(BLIND_VIEWS).await, Vec::<String>::new());
        assert_eq!(list(LOOSE_KEYS).await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn what_is_done_wrong_is_found() {
    with_world(async |world| {
        let mut login = world.database.login().await.unwrap();
        login.execute(sqlx::raw_sql(PLANTED)).await.unwrap();
        let mut list = async |sql: &'static str| -> Vec<String> {
            sqlx::query_scalar(sql).fetch_all(&mut login).await.unwrap()
        };

        assert_eq!(list(UNPROTECTED).await, ["bare", "pointing"]);
        assert!(list(WITHOUT_TENANT).await.contains(&"nobodys".to_owned()));
        assert_eq!(list(LOOSE_POLICIES).await, ["loose.everybody"]);
        assert_eq!(list(BLIND_VIEWS).await, ["blind"]);
        assert_eq!(list(LOOSE_KEYS).await, ["pointing_id_fkey"]);
    })
    .await;
}
