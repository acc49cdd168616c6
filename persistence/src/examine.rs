//! Everything the tables hold, in one snapshot: for those who check a run afterwards, not for serving.

use chrono::{DateTime, Utc};
use domain::TenantId;
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{Connection as _, Executor as _, FromRow, PgConnection};
use uuid::Uuid;

use crate::database::Database;
use crate::error::PersistenceError;

/// All of it, at one moment.
#[derive(Debug, Default, Serialize)]
pub struct Picture {
    /// The last number that was given to a fact.
    pub head: i64,
    /// The log, by number.
    pub facts: Vec<FactRow>,
    /// Every entity's row.
    pub checkpoints: Vec<CheckpointRow>,
    /// Every delivery that was decided.
    pub deliveries: Vec<DeliveryRow>,
    /// Every delivery that waits.
    pub inbox: Vec<InboxEntry>,
    /// Every effect that was ever owed.
    pub intents: Vec<IntentEntry>,
    /// When each entity is woken.
    pub wakes: Vec<WakeEntry>,
    /// Who is in quarantine.
    pub quarantined: Vec<Uuid>,
}

/// One fact of the log.
#[derive(Clone, Debug, FromRow, Serialize)]
#[expect(missing_docs, reason = "the columns of call_events")]
pub struct FactRow {
    pub seq: i64,
    pub kind: String,
    pub entity_id: Uuid,
    pub version: i64,
    pub name: String,
    pub data: String,
}

/// One entity's row.
#[derive(Clone, Debug, FromRow, Serialize)]
#[expect(missing_docs, reason = "the columns that interviews and screenings share")]
pub struct CheckpointRow {
    pub kind: String,
    pub id: Uuid,
    pub version: i64,
    pub state: String,
    pub status: String,
    pub call_id: Option<String>,
    /// How long the text in the row is, in characters.
    pub transcript_chars: i32,
}

/// One decided delivery.
#[derive(Clone, Debug, FromRow, Serialize)]
#[expect(missing_docs, reason = "the columns of webhook_deliveries")]
pub struct DeliveryRow {
    pub kind: String,
    pub entity_id: Uuid,
    pub verdict: String,
    #[serde(skip)]
    pub raw: Option<Vec<u8>>,
}

/// One delivery that waits.
#[derive(Clone, Debug, FromRow, Serialize)]
#[expect(missing_docs, reason = "the columns of inbox")]
pub struct InboxEntry {
    pub id: Uuid,
    pub kind: String,
    pub entity_id: Uuid,
    pub waits_for: Option<Uuid>,
    #[serde(skip)]
    pub raw: Option<Vec<u8>>,
    pub set_aside: Option<String>,
}

/// One effect.
#[derive(Clone, Debug, FromRow, Serialize)]
#[expect(missing_docs, reason = "the columns of intents")]
pub struct IntentEntry {
    pub id: Uuid,
    pub kind: String,
    pub entity_id: Uuid,
    pub operation: String,
    pub reach: String,
    pub status: String,
    pub attempt: i32,
    pub due_at: DateTime<Utc>,
    pub look_at: Option<DateTime<Utc>>,
}

/// One wake time.
#[derive(Clone, Debug, FromRow, Serialize)]
#[expect(missing_docs, reason = "the columns of wakes")]
pub struct WakeEntry {
    pub entity_id: Uuid,
    pub due_at: DateTime<Utc>,
}

const FACTS: &str =
    "select seq, kind, entity_id, version, name, data from call_events order by seq";
const CHECKPOINTS: &str = "select 'interview' as kind, id, version, state, status, call_id,
        coalesce(char_length(transcript), 0) as transcript_chars
    from voice_interviews
    union all
    select 'screening', id, version, state, status, call_id, 0 from screening_results";
const DELIVERIES: &str = "select kind, entity_id, verdict, raw from webhook_deliveries";
const INBOX: &str =
    "select id, kind, entity_id, waits_for, raw, set_aside from inbox order by position";
const INTENTS: &str =
    "select id, kind, entity_id, operation, reach, status, attempt, due_at, look_at
    from intents";
const WAKES: &str = "select entity_id, due_at from wakes";

impl Picture {
    /// Reads all tables in one snapshot.
    ///
    /// # Errors
    /// [`PersistenceError`] when the database does not answer.
    pub async fn take(database: &Database) -> Result<Self, PersistenceError> {
        let mut connection = database.login().await?;
        connection
            .execute(sqlx::raw_sql(
                "set role ringmaster_journal;
                 begin isolation level repeatable read read only",
            ))
            .await?;
        let picture = Self::read(&mut connection).await?;
        connection.close().await?;
        Ok(picture)
    }

    async fn read(connection: &mut PgConnection) -> Result<Self, PersistenceError> {
        let head = sqlx::query_scalar("select seq from journal_head where id = 1");
        let quarantined = sqlx::query_scalar("select entity_id from quarantine");
        Ok(Self {
            head: head.fetch_one(&mut *connection).await?,
            facts: all(connection, FACTS).await?,
            checkpoints: all(connection, CHECKPOINTS).await?,
            deliveries: all(connection, DELIVERIES).await?,
            inbox: all(connection, INBOX).await?,
            intents: all(connection, INTENTS).await?,
            wakes: all(connection, WAKES).await?,
            quarantined: quarantined.fetch_all(connection).await?,
        })
    }
}

async fn all<T>(connection: &mut PgConnection, asked: &'static str) -> Result<Vec<T>, sqlx::Error>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    sqlx::query_as(asked).fetch_all(connection).await
}

/// What a pooled connection of the readers is like between two uses.
#[derive(Clone, Debug, FromRow, PartialEq, Eq)]
pub struct AtRest {
    /// Which connection it is.
    pub backend: i32,
    /// The tenant in whose sight it is.
    pub tenant: Option<String>,
    /// Rows that it sees, of tables that have some.
    pub rows: i64,
}

impl AtRest {
    /// Looks at the next connection that the readers' pool lends.
    ///
    /// # Errors
    /// [`PersistenceError`] when the database does not answer.
    pub async fn look(database: &Database) -> Result<Self, PersistenceError> {
        let mut reader = database.reader().await?;
        Self::of(&mut reader).await
    }

    /// Looks at one over which a read in the sight of `tenant` was committed just now: what a rollback undoes
    /// as well is no proof.
    ///
    /// # Errors
    /// [`PersistenceError`] when the database does not answer.
    pub async fn after_commit(
        database: &Database,
        tenant: TenantId,
    ) -> Result<Self, PersistenceError> {
        let mut reader = database.reader().await?;
        Database::read(&mut reader, tenant).await?.commit().await?;
        Self::of(&mut reader).await
    }

    async fn of(reader: &mut PgConnection) -> Result<Self, PersistenceError> {
        let seen = sqlx::query_as(
            "select pg_backend_pid() as backend,
                nullif(current_setting('app.tenant', true), '') as tenant,
                (select count(*) from tenants) + (select count(*) from voice_interviews)
                    + (select count(*) from users) as rows",
        );
        Ok(seen.fetch_one(reader).await?)
    }
}

/// How much is still to be done, without reading all of it.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct Waiting {
    /// Deliveries that wait and were not set aside.
    pub inbox: i64,
    /// Calls that are owed or whose fate is open.
    pub dials: i64,
    /// The last number given to a fact of an interview.
    pub interviews_at: i64,
}

impl Waiting {
    /// Counts it.
    ///
    /// # Errors
    /// [`PersistenceError`] when the database does not answer.
    pub async fn count(database: &Database) -> Result<Self, PersistenceError> {
        let mut connection = database.login().await?;
        connection.execute("set role ringmaster_journal").await?;
        let counted = sqlx::query_as(
            "select (select count(*) from inbox where set_aside is null) as inbox,
                (select count(*) from intents
                    where reach = 'rings' and status in ('planned', 'sending', 'ambiguous')) as dials,
                (select coalesce(max(seq), 0) from call_events where kind = 'interview')
                    as interviews_at",
        )
        .fetch_one(&mut connection)
        .await?;
        connection.close().await?;
        Ok(counted)
    }
}
