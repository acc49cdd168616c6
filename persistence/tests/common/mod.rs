//! A fresh, migrated database for each test, on a real PostgreSQL.

#![allow(dead_code, reason = "each test binary uses its own part of the helpers")]

pub mod ledger;
pub mod proxy;
pub mod rows;
mod server;
pub mod steps;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::TenantId;
use futures_util::FutureExt as _;
use persistence::{Database, Limits, Migrations, PgStore, Queries};
use server::Server;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, Executor as _, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

/// A tenant that is not the default one.
pub const OTHER: TenantId = TenantId(Uuid::from_u128(2));

/// Everything a test asks.
pub struct World {
    pub database: Database,
    pub store: PgStore,
    pub queries: Queries,
}

impl World {
    fn on(options: PgConnectOptions) -> Self {
        let database = Database::new(options, Limits::default());
        let store = PgStore::new(database.clone());
        let queries = Queries::new(database.clone());
        Self { database, store, queries }
    }

    /// Makes a second instance on the same database, with pools of its own.
    pub fn second(&self) -> Self {
        Self::on(self.database.options().clone())
    }

    /// Opens a connection of the journal's role, which sees all tenants.
    pub async fn journal(&self) -> PgConnection {
        let mut connection = self.database.login().await.expect("the test database is up");
        connection.execute("set role ringmaster_journal").await.expect("the login is a member");
        connection
    }

    /// Returns the database's time.
    pub async fn now(&self) -> DateTime<Utc> {
        let mut connection = self.journal().await;
        sqlx::query_scalar("select clock_timestamp()")
            .fetch_one(&mut connection)
            .await
            .expect("the database tells the time")
    }

    /// Counts with a statement that answers one number.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let mut connection = self.journal().await;
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("the statement counts")
    }
}

/// How often a database is tried to be dropped; one that stays goes with its cluster.
const DROPS_MAX: u32 = 50;
/// The pause between two tries.
const DROP_PAUSE: Duration = Duration::from_millis(100);

/// Runs `test` on a database of its own, which is dropped whatever comes of it.
pub async fn with_world(test: impl AsyncFnOnce(&World)) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = server::shared();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("ringmaster_test_{}_{number}", std::process::id());
    drop_database(&server, &name).await; // A dead run of the same process id may have left it.
    let created =
        run(&server, ["create database ", &name, " owner ", server.options.get_username()]);
    created.await.expect("the role may create databases");
    let options = server.options.clone().database(&name);
    let world = World::on(options);
    let mut login = world.database.login().await.expect("the new database is up");
    Migrations::apply(&mut login).await.expect("the migrations fit an empty database");
    login.close().await.expect("the connection closes");

    let outcome = AssertUnwindSafe(test(&world)).catch_unwind().await;
    world.database.close().await;
    drop_database(&server, &name).await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

async fn drop_database(server: &Server, name: &str) {
    // A worker of the server's own, which is a superuser's and cannot be ended, may still tidy it up.
    for _ in 0..DROPS_MAX {
        if run(server, ["drop database if exists ", name, " with (force)", ""]).await.is_ok() {
            return;
        }
        tokio::time::sleep(DROP_PAUSE).await;
    }
}

/// Runs a statement about a database whose name is ours.
async fn run(server: &Server, parts: [&str; 4]) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect_with(&server.admin).await.expect("the server is up");
    let mut sql = QueryBuilder::<Postgres>::new("");
    for part in parts {
        sql.push(part);
    }
    sql.build().execute(&mut connection).await.map(drop)
}
