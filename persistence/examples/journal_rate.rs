//! Measures what the journal commits per second, without anything around it.
//!
//! Run with `DATABASE_URL=… cargo run --release -p persistence --example journal_rate [steps] [submitters]`
//! on a database of its own: the rows stay there.

#![expect(clippy::print_stdout, reason = "the figures are its output")]

#[path = "../tests/common/steps.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod steps;

use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use domain::ports::{Clock as _, FactSink, Journal as _, Step, StoredFact, Verdict};
use persistence::{
    Database, DatabaseClock, GroupJournal, JournalSettings, Limits, Migrations, Pace,
};
use sqlx::postgres::PgConnectOptions;
use tokio::time::Instant;
use uuid::Uuid;

/// Steps in the life of one interview: queued, ringing, in-progress, ended.
const STEPS_PER_CALL: u64 = 4;
/// Steps that travel in one transaction at most.
const BATCH_MAX: usize = 64;

#[derive(Default)]
struct Tally {
    batches: AtomicU64,
}

impl FactSink for Tally {
    fn publish(&self, _facts: Vec<StoredFact>) {
        self.batches.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let address = std::env::var("DATABASE_URL").context("DATABASE_URL names a scratch database")?;
    let steps: u64 = argument(1, 100_000)?;
    let submitters: u64 = argument(2, 64)?;
    let database = Database::new(PgConnectOptions::from_str(&address)?, Limits::default());
    let mut login = database.login().await?;
    Migrations::apply(&mut login).await?;
    let clock = DatabaseClock::start(&mut login, Pace::Real).await?;
    let now = clock.now();
    let run = u128::from(now.timestamp_micros().unsigned_abs()) << 32;

    let tally = Arc::new(Tally::default());
    let settings = JournalSettings { batch_max: BATCH_MAX, ..JournalSettings::default() };
    let sink: Arc<dyn FactSink> = Arc::clone(&tally) as _;
    let writer = Uuid::from_u128(run);
    let (journal, task) = GroupJournal::start(database, writer, settings, sink);
    let began = Instant::now();
    let calls = steps / STEPS_PER_CALL / submitters;
    let tasks: Vec<_> = (0..submitters)
        .map(|lane| tokio::spawn(submit(journal.clone(), run, lane, calls, now)))
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    report(began.elapsed(), latencies, tally.batches.load(Ordering::Relaxed));
    drop(journal);
    task.await?;
    Ok(())
}

fn argument(place: usize, default: u64) -> anyhow::Result<u64> {
    std::env::args().nth(place).map_or(Ok(default), |text| text.parse().context("a number"))
}

async fn submit(
    journal: GroupJournal,
    run: u128,
    lane: u64,
    calls: u64,
    at: DateTime<Utc>,
) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    for call in 0..calls {
        // Spread over the key space as derived ids are.
        let name = (run + u128::from(lane * calls + call))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let entity = steps::interview(name);
        for step in life(entity, at) {
            let asked = Instant::now();
            let verdict = journal.submit(step).await?;
            anyhow::ensure!(matches!(verdict, Verdict::Committed { .. }), "{verdict:?}");
            latencies.push(asked.elapsed());
        }
    }
    Ok(latencies)
}

fn life(entity: domain::EntityKey, at: DateTime<Utc>) -> [Step; 4] {
    let mut talking = steps::moved(entity, 2, "in-progress", at);
    talking.wake = domain::ports::Wake::Keep;
    [
        steps::moved(entity, 0, "queued", at),
        steps::moved(entity, 1, "ringing", at),
        talking,
        steps::ended(entity, 3, at),
    ]
}

fn report(took: Duration, mut latencies: Vec<Duration>, batches: u64) {
    latencies.sort_unstable();
    let quantile = |part: usize| latencies[(latencies.len() - 1) * part / 100].as_secs_f64() * 1e3;
    let steps = latencies.len() as f64;
    println!(
        "{steps} steps in {:.2} s: {:.0} steps/s, {:.1} steps a batch, {:.2} ms a batch, \
         p50 {:.2} ms, p99 {:.2} ms",
        took.as_secs_f64(),
        steps / took.as_secs_f64(),
        steps / batches as f64,
        took.as_secs_f64() * 1e3 / batches as f64,
        quantile(50),
        quantile(99),
    );
}
