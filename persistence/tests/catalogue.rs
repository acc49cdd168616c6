//! What the schema promises for every table, present and future.

mod common;

use common::with_world;

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
    })
    .await;
}
