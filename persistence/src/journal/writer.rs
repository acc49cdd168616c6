//! The one who commits: optimistic first, careful on any mismatch, and patient when a reply is lost.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ports::{FactSink, JournalError, LedgerAnswer, Step, StoredFact, Verdict};
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, timeout};
use tracing::warn;
use uuid::Uuid;

use super::answers::{self, Failure};
use super::batch::Batch;
use super::{JournalSettings, careful, statements};
use crate::database::Database;

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one round trip may take before the connection counts as lost. Above the server's own limit.
const REPLY_TIMEOUT: Duration = Duration::from_secs(9);
/// The pause between two attempts to connect, or to commit what failed twice.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Writer {
    database: Database,
    name: Uuid,
    settings: JournalSettings,
    number: i64,
    connection: Option<PgConnection>,
    sink: Arc<dyn FactSink>,
}

impl Writer {
    pub fn new(
        database: Database,
        name: Uuid,
        settings: JournalSettings,
        sink: Arc<dyn FactSink>,
    ) -> Self {
        Self { database, name, settings, number: 0, connection: None, sink }
    }

    /// Commits `steps`, of which no two are of one entity, and answers each of them.
    ///
    /// `since` is when the first of them came: from then on it is fought for, not from now, so that
    /// in an outage nobody waits for the patience of all those before as well.
    pub async fn commit(&mut self, steps: Vec<Step>, since: Instant) -> Vec<LedgerAnswer> {
        self.number += 1;
        let began = Instant::now();
        let verdicts = self.decide(&steps, since + self.settings.patience).await;
        metrics::histogram!("ringmaster_journal_batch_steps").record(steps.len() as f64);
        metrics::histogram!("ringmaster_event_log_append_seconds")
            .record(began.elapsed().as_secs_f64());
        match verdicts {
            Some(verdicts) => {
                self.sink.publish(committed_facts(steps, &verdicts));
                verdicts.into_iter().map(Ok).collect()
            }
            None => steps.iter().map(|_| Err(JournalError::Away)).collect(),
        }
    }

    /// Tries until there is an answer, or none was to be had by `deadline`.
    ///
    /// A connection that stands is tried even after it: a long queue is no outage.
    async fn decide(&mut self, steps: &[Step], deadline: Instant) -> Option<Vec<Verdict>> {
        let all: Vec<&Step> = steps.iter().collect();
        let batch = Batch::of(&all, self.settings.permits);
        let at = decided_at(steps);
        let mut may_have_committed = false;
        loop {
            let mut connection = self.connected(deadline).await?;
            let tried = async {
                if may_have_committed
                    && let Some(said) = self.asked(&mut connection, steps, &batch).await?
                {
                    return Ok(said);
                }
                self.attempted(&mut connection, steps, &batch, at).await
            };
            match timeout(REPLY_TIMEOUT, tried).await {
                Ok(Ok(verdicts)) => {
                    fail::fail_point!("journal-after-commit", |_| std::process::abort());
                    self.connection = Some(connection);
                    return Some(verdicts);
                }
                Ok(Err(error)) => warn!(error = &error as &dyn Error, "a commit failed"),
                Err(_) => warn!("a commit was not answered in time"),
            }
            // The connection is dropped here: what it had under way may still commit.
            drop(connection);
            if may_have_committed {
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
            may_have_committed = true;
        }
    }

    /// Commits optimistically, and carefully when the data say so.
    async fn attempted(
        &self,
        connection: &mut PgConnection,
        steps: &[Step],
        batch: &Batch<'_>,
        at: DateTime<Utc>,
    ) -> Result<Vec<Verdict>, sqlx::Error> {
        match statements::commit(connection, self.name, self.number, batch, at).await {
            Ok(base) => Ok(answers::all_committed(steps, &batch.offsets, base)),
            Err(error) if Failure::of(&error) == Failure::OfData => {
                metrics::counter!("ringmaster_journal_careful_total").increment(1);
                let permits = self.settings.permits;
                careful::commit(connection, self.name, self.number, permits, steps, at).await
            }
            Err(error) => Err(error),
        }
    }

    /// Asks whether this batch committed although its reply was lost.
    ///
    /// The lock on the head waits for a transaction of ours that is still under way over there.
    async fn asked(
        &self,
        connection: &mut PgConnection,
        steps: &[Step],
        batch: &Batch<'_>,
    ) -> Result<Option<Vec<Verdict>>, sqlx::Error> {
        metrics::counter!("ringmaster_journal_unknown_commits_total").increment(1);
        let mut tx = connection.begin().await?;
        statements::lock_head(&mut tx).await?;
        let recorded = statements::recorded(&mut tx, self.name, self.number).await?;
        tx.commit().await?;
        Ok(recorded.and_then(|text| answers::recall(steps, batch, &text)))
    }

    /// Returns the connection that stands, or a new one; none when there was none by `deadline`.
    async fn connected(&mut self, deadline: Instant) -> Option<PgConnection> {
        if let Some(connection) = self.connection.take() {
            return Some(connection);
        }
        let mut is_told = false;
        while Instant::now() < deadline {
            let patience = CONNECT_TIMEOUT.min(deadline - Instant::now());
            match timeout(patience, self.database.journal()).await {
                Ok(Ok(connection)) => return Some(connection),
                Ok(Err(error)) if !is_told => {
                    warn!(error = &error as &dyn Error, "the journal cannot connect");
                }
                Err(_) if !is_told => warn!("the journal was not let in in time"),
                Ok(Err(_)) | Err(_) => {}
            }
            is_told = true;
            tokio::time::sleep_until(deadline.min(Instant::now() + RECONNECT_PAUSE)).await;
        }
        None
    }
}

/// Returns the instant the rows of a batch are stamped with: its latest decision.
fn decided_at(steps: &[Step]) -> DateTime<Utc> {
    let facts = steps.iter().flat_map(|step| &step.facts).map(|fact| fact.at);
    let deliveries = steps.iter().flat_map(|step| &step.deliveries).map(|d| d.received_at);
    facts.chain(deliveries).max().unwrap_or(DateTime::UNIX_EPOCH)
}

/// Returns the facts of the steps that committed, in the order of their numbers.
fn committed_facts(steps: Vec<Step>, verdicts: &[Verdict]) -> Vec<StoredFact> {
    let mut facts = Vec::new();
    for (step, verdict) in steps.into_iter().zip(verdicts) {
        let Verdict::Committed { first_seq } = verdict else { continue };
        for (seq, fact) in (*first_seq..).zip(step.facts) {
            facts.push(StoredFact {
                seq,
                tenant: step.tenant,
                key: step.key,
                version: step.expected + 1,
                name: fact.name.to_owned(),
                schema: fact.schema,
                data: fact.data,
                at: fact.at,
            });
        }
    }
    facts.sort_unstable_by_key(|fact| fact.seq);
    facts
}
