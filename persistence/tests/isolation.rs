//! A pooled connection is in no tenant's sight but while one of its transactions lasts.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

mod common;

use std::sync::Arc;

use common::rows::InterviewRow;
use common::{OTHER, World, with_world};
use domain::calling::EnabledProviders;
use domain::ports::{
    InterviewFilter, InterviewQueries as _, PageRequest, Quarantine as _, Scope, Standings as _,
    SystemConfig, SystemConfigs as _,
};
use domain::{EntityId, EntityKey, Kind, Provider, TenantId};
use persistence::examine::AtRest;
use persistence::{CallingStore, Database, Keyring, Limits, PgStore, Queries};
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

#[tokio::test]
async fn what_is_written_after_somebody_gave_up_is_committed() {
    with_world(async |world| {
        let (database, _) = alone(world).await;
        let store = PgStore::new(database.clone());
        let settings = CallingStore::new(database.clone(), Arc::new(Keyring::new(None, &[])));
        let now = world.now().await;
        let key = EntityKey { kind: Kind::Interview, id: EntityId(Uuid::from_u128(1)) };
        // Given up at every point, the one among them at which a transaction is asked for and not begun.
        for (patience, provider) in (0..60).zip(Provider::ALL.into_iter().cycle()) {
            tokio::select! {
                biased;
                _ = store.put(key, TenantId::DEFAULT, "it panicked".to_owned(), None, now) => {}
                () = turns(patience) => {}
            }
            let only = SystemConfig::EnabledProviders(EnabledProviders::of([provider]));
            settings.put_system_config(TenantId::DEFAULT, only, now).await.unwrap();
            let written =
                "select value ->> 0 from system_configs where key = 'ENABLED_CALL_PROVIDERS'";
            let mut journal = world.journal().await;
            let seen: Option<String> =
                sqlx::query_scalar(written).fetch_optional(&mut journal).await.unwrap();
            assert_eq!(seen.as_deref(), Some(provider.as_str()), "given up after {patience} turns");
        }
        database.close().await;
    })
    .await;
}

/// Lets others go on, so many times.
async fn turns(count: u32) {
    for _ in 0..count {
        yield_now().await;
    }
}
