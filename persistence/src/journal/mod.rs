//! The journal: what arrives while one transaction is under way travels together in the next.

mod answers;
mod batch;
mod careful;
mod statements;
mod writer;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use domain::policy::PERMITS_DEFAULT;
use domain::ports::{BoxFuture, FactSink, Journal, JournalError, LedgerAnswer, Step};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use crate::database::Database;
use writer::Writer;

/// The bounds of the journal.
#[derive(Clone, Copy, Debug)]
pub struct JournalSettings {
    /// Steps that travel in one transaction; more raise the latency and not the rate.
    pub batch_max: usize,
    /// Steps that may wait; the next one is refused as busy.
    pub queue_max: usize,
    /// How long a step is fought for before it is answered as away.
    pub patience: Duration,
    /// Calls of ours that may run at once, over all instances; a dial beyond them waits.
    pub permits: u32,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            batch_max: 128,
            queue_max: 4_096,
            patience: Duration::from_secs(6),
            permits: PERMITS_DEFAULT,
        }
    }
}

/// A step and whoever waits for its verdict.
struct Waiting {
    step: Step,
    since: Instant,
    answer: oneshot::Sender<LedgerAnswer>,
}

/// The group commit. Cheap to clone; all clones feed one connection.
#[derive(Clone, Debug)]
pub struct GroupJournal {
    queue: mpsc::Sender<Waiting>,
}

impl GroupJournal {
    /// Starts the journal; it ends when every clone is dropped and what waits is answered.
    ///
    /// `writer` names this journal, and is drawn afresh for each: what it last committed is stored
    /// under that name.
    pub fn start(
        database: Database,
        writer: Uuid,
        settings: JournalSettings,
        sink: Arc<dyn FactSink>,
    ) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(settings.queue_max);
        let writer = Writer::new(database, writer, settings, sink);
        let task = tokio::spawn(run(writer, waiting, settings.batch_max));
        (Self { queue }, task)
    }
}

impl Journal for GroupJournal {
    fn submit(&self, step: Step) -> BoxFuture<'static, LedgerAnswer> {
        let (answer, decided) = oneshot::channel();
        let queued = self.queue.try_send(Waiting { step, since: Instant::now(), answer });
        Box::pin(async move {
            match queued {
                Ok(()) => decided.await.unwrap_or(Err(JournalError::Away)),
                Err(mpsc::error::TrySendError::Full(_)) => Err(JournalError::Busy),
                Err(mpsc::error::TrySendError::Closed(_)) => Err(JournalError::Away),
            }
        })
    }
}

async fn run(mut writer: Writer, mut queue: mpsc::Receiver<Waiting>, batch_max: usize) {
    let mut waiting = Vec::with_capacity(batch_max);
    while gather(&mut queue, &mut waiting, batch_max).await {
        let batch = take_one_each(&mut waiting);
        let Some(since) = batch.iter().map(|member| member.since).min() else { continue };
        let (steps, whom): (Vec<Step>, Vec<_>) =
            batch.into_iter().map(|member| (member.step, member.answer)).unzip();
        let answers = writer.commit(steps, since).await;
        for (whom, answer) in whom.into_iter().zip(answers) {
            // Whoever gave up waiting asks again under the same key.
            let _ = whom.send(answer);
        }
    }
}

/// Fills `waiting` with what has come; waits only when there is nothing, and is false at the end.
async fn gather(
    queue: &mut mpsc::Receiver<Waiting>,
    waiting: &mut Vec<Waiting>,
    batch_max: usize,
) -> bool {
    if waiting.is_empty() {
        return queue.recv_many(waiting, batch_max).await > 0;
    }
    while waiting.len() < batch_max
        && let Ok(next) = queue.try_recv()
    {
        waiting.push(next);
    }
    true
}

/// Takes the first step of each entity; its next ones stay, in order, for the batches after.
///
/// A statement cannot move one row twice, and the later step is meant to meet the earlier one's row.
fn take_one_each(waiting: &mut Vec<Waiting>) -> Vec<Waiting> {
    let mut taken = HashSet::with_capacity(waiting.len());
    waiting.extract_if(.., |member| taken.insert(member.step.key)).collect()
}
