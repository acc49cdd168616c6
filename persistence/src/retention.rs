//! Nothing grows for ever: what is removed, when, and how large each table is.

use chrono::{DateTime, Days, Utc};

use crate::database::Database;
use crate::error::PersistenceError;

/// Days for which the raw bytes of deliveries are kept. Source: the design.
const BODIES_DAYS: u64 = 7;
/// Days for which facts are kept; older history is answered by a gap. Source: the design.
const FACTS_DAYS: u64 = 400;
/// Days for which a delivery is recognised as a repeat, by the database's time. Source: the design.
const KEYS_DAYS: i32 = 30;
/// Days after which a journal that committed nothing is taken for gone, by the database's time.
const WRITERS_DAYS: i32 = 1;
/// Rows removed with one statement, so that none holds back the journal's vacuum for long.
const KEYS_MAX: i64 = 20_000;
/// Statements and partitions of one pass; what is left waits for the next.
const ROUNDS_MAX: usize = 50;

/// What one pass removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    /// Partitions of raw deliveries and of facts.
    pub partitions: usize,
    /// Keys of deliveries.
    pub keys: u64,
    /// Settled intents, as old as the oldest facts.
    pub intents: u64,
    /// Claims of calls that nobody heard of any more, and with them the numbers of deleted ones.
    pub claims: u64,
}

/// The room one table takes, with its partitions and indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSize {
    /// The table.
    pub table: String,
    /// In bytes.
    pub bytes: i64,
}

impl Database {
    /// Removes what is older than its time at `at`.
    ///
    /// # Errors
    /// [`PersistenceError`] when the database does not answer, or the journal held a partition for too
    /// long; the next pass goes on from there.
    pub async fn retire(&self, at: DateTime<Utc>) -> Result<Retired, PersistenceError> {
        let claims = self.drop_claims(at).await?;
        let intents = self.drop_intents(at).await?;
        let mut retired = Retired { claims, intents, ..Retired::default() };
        for _ in 0..ROUNDS_MAX {
            let keys = self.drop_keys().await?;
            retired.keys += keys;
            if keys == 0 {
                break;
            }
        }
        sqlx::query!(
            "delete from journal_writers where at < now() - make_interval(days => $1)",
            WRITERS_DAYS,
        )
        .execute(&mut *self.store().await?)
        .await?;
        for _ in 0..ROUNDS_MAX {
            let dropped = sqlx::query_scalar!(
                "select drop_old_partition($1, $2)",
                at - Days::new(BODIES_DAYS),
                at - Days::new(FACTS_DAYS),
            );
            if dropped.fetch_one(&mut *self.store().await?).await?.is_none() {
                break;
            }
            retired.partitions += 1;
        }
        Ok(retired)
    }

    /// Returns how large the tables are that grow with what happens.
    ///
    /// # Errors
    /// [`PersistenceError`] when the database does not answer.
    pub async fn table_sizes(&self) -> Result<Vec<TableSize>, PersistenceError> {
        let sizes = sqlx::query_as!(
            TableSize,
            r#"select t.name as "table!",
                   (pg_total_relation_size(t.name::regclass) + coalesce((
                       select sum(pg_total_relation_size(i.inhrelid))
                       from pg_inherits i where i.inhparent = t.name::regclass), 0))::bigint as "bytes!"
               from unnest(array['call_events', 'dedupe_keys', 'inbox', 'intents', 'screening_results',
                   'voice_interviews', 'webhook_deliveries']) as t (name)"#,
        );
        Ok(sizes.fetch_all(&mut *self.store().await?).await?)
    }

    async fn drop_keys(&self) -> Result<u64, PersistenceError> {
        let done = sqlx::query!(
            "delete from dedupe_keys
             where ctid = any (array(
                 select ctid from dedupe_keys
                 where taken_at < now() - make_interval(days => $1)
                 limit $2))",
            KEYS_DAYS,
            KEYS_MAX,
        );
        Ok(done.execute(&mut *self.store().await?).await?.rows_affected())
    }

    async fn drop_intents(&self, at: DateTime<Utc>) -> Result<u64, PersistenceError> {
        let done = sqlx::query!(
            "delete from intents
             where ctid = any (array(
                 select ctid from intents
                 where settled_at is not null and settled_at < $1 and held_until is null
                 limit $2))",
            at - Days::new(FACTS_DAYS),
            KEYS_MAX,
        );
        Ok(done.execute(&mut *self.store().await?).await?.rows_affected())
    }

    /// Lets go of claims whose time is over, and of the number that a deleted call's claim still needed.
    async fn drop_claims(&self, at: DateTime<Utc>) -> Result<u64, PersistenceError> {
        let done = sqlx::query!(
            "update intents
             set held_until = null, callee = case when effect <> '{}' then callee end
             where held_until is not null and held_until < $1 and status in ('done', 'cancelled')",
            at,
        );
        Ok(done.execute(&mut *self.store().await?).await?.rows_affected())
    }
}
