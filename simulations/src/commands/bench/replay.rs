//! The same rows without the route: steps as the actors made them, fed to the journal directly.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use domain::TenantId;
use domain::ports::{EvidenceReader, Journal, JournalError, Step, Verdict};
use persistence::{GroupJournal, JournalSettings};
use providers::MrHireReader;
use simulations::load::bodies_of;
use simulations::product::Database;
use supervisor::{Feed, Interviews};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::house::CONNECTIONS;
use super::meter::{Meter, Usage};
use super::standing::{self, Ground, head};
use super::unwritten::{Nobody, Recorder, Unwritten};
use super::{Bench, say};

/// How long the recording tree may take to end.
const DRAIN_PATIENCE: Duration = Duration::from_secs(4);

/// A database of its own, to which nothing but a journal writes.
pub(super) struct Replay {
    ground: Ground,
    /// Removes what is left when a run breaks off; so it is dropped last.
    home: Home,
}

struct Home(PathBuf);

impl Drop for Home {
    fn drop(&mut self) {
        Database::of(&self.0).remove();
    }
}

/// What a replay came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replayed {
    /// Webhooks whose steps were committed, a second.
    pub rate: f64,
    /// CPU seconds a thousand webhooks.
    pub cpu_per_1000: f64,
    pub usage: Usage,
}

/// Steps of calls, each call's in order, and how many webhooks they came from.
struct Recording {
    webhooks: u64,
    lives: Vec<Vec<Step>>,
}

impl Replay {
    pub(super) async fn open(bench: &Bench) -> anyhow::Result<Self> {
        say("opening the database of the replay");
        let home = Home(bench.folder.path().join("replay"));
        Ok(Self { ground: Ground::prepare(&home.0).await?, home })
    }

    /// Records the steps of some calls, then commits them as fast as the journal takes them.
    pub(super) async fn run(&self, bench: &mut Bench, calls: u64) -> anyhow::Result<Replayed> {
        let recording = self.record(bench, calls).await?;
        let postmaster = Database::of(&self.home.0).postmaster();
        let own = i32::try_from(std::process::id())?;
        let processes: Vec<i32> = postmaster.into_iter().chain([own]).collect();
        let writer = Uuid::from_u128(u128::from(bench.next_seed()));
        let (journal, task) = GroupJournal::start(
            self.ground.database.clone(),
            writer,
            JournalSettings::default(),
            Arc::new(Nobody),
        );
        let webhooks = recording.webhooks as f64;
        let (meter, began) = (Meter::start(&processes, &bench.databases())?, Instant::now());
        commit(&journal, recording.lives).await?;
        let (took, usage) = (began.elapsed(), meter.stop()?);
        drop(journal);
        task.await?;
        let cpu_per_1000 = usage.cpu_s * 1_000.0 / webhooks;
        Ok(Replayed { rate: webhooks / took.as_secs_f64(), cpu_per_1000, usage })
    }

    /// Has the product's own actors decide about `calls` calls, and keeps their steps.
    async fn record(&self, bench: &mut Bench, calls: u64) -> anyhow::Result<Recording> {
        let feed = Feed::new();
        let unwritten = Unwritten::new(head(&self.ground).await?, Arc::new(Nobody));
        let recorder = Arc::new(Recorder::new(unwritten));
        let standing = standing::build(&self.ground, Arc::clone(&recorder) as _, feed).await?;
        let source = Arc::new(Source {
            seed: bench.next_seed(),
            calls,
            next: AtomicU64::new(0),
            interviews: Arc::clone(&standing.interviews),
            ground: self.ground.clock.now(),
        });
        let mut lanes = JoinSet::new();
        for _ in 0..CONNECTIONS {
            lanes.spawn(tell(Arc::clone(&source)));
        }
        let mut webhooks = 0;
        while let Some(told) = lanes.join_next().await {
            webhooks += told??;
        }
        standing.tree.drain(DRAIN_PATIENCE).await;
        let mut lives: HashMap<_, Vec<Step>> = HashMap::new();
        for step in recorder.take() {
            lives.entry(step.key).or_default().push(step);
        }
        Ok(Recording { webhooks, lives: lives.into_values().collect() })
    }

    /// Stops the database.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        self.ground.close().await
    }
}

/// The calls still to be told of.
struct Source {
    seed: u64,
    calls: u64,
    next: AtomicU64,
    interviews: Arc<Interviews>,
    ground: chrono::DateTime<chrono::Utc>,
}

/// Tells of calls, one after the other; answers how many webhooks that were.
async fn tell(source: Arc<Source>) -> anyhow::Result<u64> {
    let mut webhooks = 0;
    loop {
        let number = source.next.fetch_add(1, Ordering::Relaxed);
        if number >= source.calls {
            return Ok(webhooks);
        }
        for body in bodies_of(source.seed, number, source.ground) {
            let evidence = MrHireReader.read(&body)?;
            let event_id = evidence.event_id.as_deref();
            let (report, raw) = (evidence.report, body.as_ref().into());
            let tenant = TenantId::DEFAULT;
            source.interviews.report(tenant, report, event_id, raw, evidence.remarks).await?;
            webhooks += 1;
        }
    }
}

/// Commits all steps in as many lanes as the route has connections.
async fn commit(journal: &GroupJournal, lives: Vec<Vec<Step>>) -> anyhow::Result<()> {
    let mut shares: Vec<Vec<Vec<Step>>> = vec![Vec::new(); CONNECTIONS];
    for (position, life) in lives.into_iter().enumerate() {
        shares[position % CONNECTIONS].push(life);
    }
    let mut lanes = JoinSet::new();
    for share in shares {
        let journal = journal.clone();
        lanes.spawn(async move {
            for step in share.into_iter().flatten() {
                submit(&journal, step).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = lanes.join_next().await {
        done.context("a lane of the replay")??;
    }
    Ok(())
}

async fn submit(journal: &GroupJournal, step: Step) -> anyhow::Result<()> {
    match journal.submit(step).await {
        Ok(Verdict::Committed { .. } | Verdict::Duplicate(_)) => Ok(()),
        Ok(other) => bail!("the journal answers {other:?}"),
        Err(failure @ (JournalError::Busy | JournalError::Away)) => Err(failure.into()),
    }
}
