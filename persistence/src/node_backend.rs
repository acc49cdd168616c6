//! Reads the database of the Node backend.
//!
//! Its schema is not ours, and no migration of ours says what it is: rows come as JSON, with whatever columns
//! they have, and the names of tables come from a closed set.

use std::time::Duration;

use domain::ports::{BoxFuture, NodeBackend, NodeRow, NodeTable, StoreError};
use serde_json::{Map, Value};
use sqlx::postgres::PgConnectOptions;
use sqlx::types::Json;
use sqlx::{Connection as _, Executor as _, PgConnection, Postgres, QueryBuilder};
use tokio::sync::Mutex;
use tokio::time::timeout;
use uuid::Uuid;

use crate::error::PersistenceError;
use crate::patience::in_time;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;
type Stored<T> = Result<T, PersistenceError>;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// One connection to it, which cannot write.
#[derive(Debug)]
pub struct NodeDatabase(Mutex<PgConnection>);

impl NodeDatabase {
    /// Connects to the database that `url` names.
    ///
    /// # Errors
    /// [`PersistenceError`] when it is no PostgreSQL URL, or the database cannot be reached.
    pub async fn connect(url: &str) -> Result<Self, PersistenceError> {
        Self::open(url.parse().map_err(PersistenceError::Broken)?).await
    }

    /// Connects as `options` say.
    ///
    /// # Errors
    /// [`PersistenceError`] when the database cannot be reached.
    pub async fn open(options: PgConnectOptions) -> Result<Self, PersistenceError> {
        let options = options.application_name("ringmaster import");
        let silent = |_| PersistenceError::Away(sqlx::Error::PoolTimedOut);
        let connecting = timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options));
        let mut connection = connecting.await.map_err(silent)??;
        connection
            .execute(sqlx::raw_sql(
                "set default_transaction_read_only = on;
                 set statement_timeout = '9s';
                 set timezone = 'UTC'",
            ))
            .await?;
        Ok(Self(Mutex::new(connection)))
    }
}

impl NodeBackend for NodeDatabase {
    fn count(&self, table: NodeTable) -> Answer<'_, Option<u64>> {
        in_time(async move { Ok(count(&mut *self.0.lock().await, table).await?) })
    }

    fn page(
        &self,
        table: NodeTable,
        after: Option<String>,
        limit: u32,
    ) -> Answer<'_, Vec<NodeRow>> {
        in_time(async move {
            Ok(page(&mut *self.0.lock().await, table, after.as_deref(), limit).await?)
        })
    }

    fn turns(&self, interviews: Vec<Uuid>) -> Answer<'_, Vec<NodeRow>> {
        in_time(async move { Ok(turns(&mut *self.0.lock().await, &interviews).await?) })
    }
}

async fn count(connection: &mut PgConnection, table: NodeTable) -> Stored<Option<u64>> {
    let known: bool = sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(table.as_str())
        .fetch_one(&mut *connection)
        .await?;
    if !known {
        return Ok(None);
    }
    let mut sql = QueryBuilder::new("select count(*) from ");
    sql.push(table.as_str());
    let rows: i64 = sql.build_query_scalar().fetch_one(connection).await?;
    Ok(Some(u64::try_from(rows).unwrap_or_default()))
}

/// Pages by the primary key: a UUID everywhere but with the settings, which are known by their names.
async fn page(
    connection: &mut PgConnection,
    table: NodeTable,
    after: Option<&str>,
    limit: u32,
) -> Stored<Vec<NodeRow>> {
    let (key, kind) = match table {
        NodeTable::SystemConfigs => ("key", "text"),
        _ => ("id", "uuid"),
    };
    let mut sql = QueryBuilder::new("select t.");
    sql.push(key).push("::text, to_jsonb(t) from ").push(table.as_str()).push(" t");
    if let Some(after) = after {
        sql.push(" where t.").push(key).push(" > ").push_bind(after).push("::").push(kind);
    }
    sql.push(" order by t.").push(key).push(" limit ").push_bind(i64::from(limit));
    let rows = sql.build_query_as().fetch_all(connection).await?;
    Ok(rows.into_iter().map(row).collect())
}

async fn turns(connection: &mut PgConnection, interviews: &[Uuid]) -> Stored<Vec<NodeRow>> {
    let rows = sqlx::query_as::<Postgres, (String, Json<Map<String, Value>>)>(
        "select m.voice_interview_id::text, to_jsonb(m) from voice_interview_messages m
         where m.voice_interview_id = any ($1)",
    );
    let rows = rows.bind(interviews).fetch_all(connection).await?;
    Ok(rows.into_iter().map(row).collect())
}

fn row((key, Json(columns)): (String, Json<Map<String, Value>>)) -> NodeRow {
    NodeRow { key, columns }
}
