//! A pooled connection is in no tenant's sight but while one of its transactions lasts.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

mod common;

use common::rows::InterviewRow;
use common::{OTHER, World, with_world};
use domain::TenantId;
use domain::ports::{InterviewFilter, InterviewQueries as _, PageRequest, Scope, Standings as _};
use persistence::examine::AtRest;
use persistence::{Database, Limits, Queries};
use sqlx::{Connection as _, PgConnection};
use tokio::task::yield_now;
use uuid::Uuid;

const OURS: Scope = Scope::Tenant(TenantId::DEFAULT);
const PAGE: PageRequest = PageRequest { page: 1, limit: 10 };
/// Whether somebody waits for the lock that a test holds.
const WAITS: &str = "select exists (select from pg_locks l
    where not l.granted and l.relation = 'voice_interviews'::regclass)";

/// A pool of one connection, and rows of two tenants.
async fn alone(world: &World) -> (Database, Queries) {
    let now = world.now().await;
    let mut journal = world.journal().await;
    InterviewRow::ringing(1, now).insert(&mut journal).await;
    InterviewRow { tenant: OTHER, ..InterviewRow::ringing(2, now) }.insert(&mut journal).await;
    let limits = Limits { readers: 1, store: 1 };
    let database = Database::new(world.database.options().clone(), limits);
    let queries = Queries::new(database.clone());
    (database, queries)
}

async fn look(database: &Database) -> AtRest {
    AtRest::look(database).await.unwrap()
}

#[tokio::test]
async fn connection_that_read_for_a_tenant_sees_nothing_afterwards() {
    with_world(async |world| {
        let (database, queries) = alone(world).await;
        let fresh = look(&database).await;
        assert_eq!((fresh.tenant, fresh.rows), (None, 0), "no context is no row, and no error");

        let read = queries.page(OURS, InterviewFilter::default(), PAGE).await.unwrap();
        assert_eq!(read.rows.len(), 1, "of two tenants' rows ours");
        queries.standing(OTHER, Uuid::from_u128(1)).await.unwrap();
        let after = look(&database).await;
        assert_eq!(after, AtRest { backend: fresh.backend, tenant: None, rows: 0 });
        let committed = AtRest::after_commit(&database, TenantId::DEFAULT).await.unwrap();
        assert_eq!(committed, after);
        database.close().await;
    })
    .await;
}

#[tokio::test]
async fn connection_whose_reader_gave_up_sees_nothing_afterwards() {
    with_world(async |world| {
        let (database, queries) = alone(world).await;
        let fresh = look(&database).await;
        let mut blocker = world.database.login().await.unwrap();
        let mut watcher = world.database.login().await.unwrap();
        let mut lock = blocker.begin().await.unwrap();
        let locked = sqlx::query("lock table voice_interviews in access exclusive mode");
        locked.execute(&mut *lock).await.unwrap();

        {
            let reading = queries.page(OURS, InterviewFilter::default(), PAGE);
            tokio::select! {
                _ = reading => panic!("the table is locked"),
                () = somebody_waits(&mut watcher) => {}
            }
        } // Given up in the middle of its transaction, with the tenant set.
        lock.rollback().await.unwrap();

        let after = look(&database).await;
        assert_eq!(after, AtRest { backend: fresh.backend, tenant: None, rows: 0 });
        database.close().await;
    })
    .await;
}

async fn somebody_waits(watcher: &mut PgConnection) {
    while !sqlx::query_scalar::<_, bool>(WAITS).fetch_one(&mut *watcher).await.unwrap() {
        yield_now().await;
    }
}
