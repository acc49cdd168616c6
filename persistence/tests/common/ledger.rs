//! A journal under test, what it published, and what the database says of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::EntityKey;
use domain::ports::{FactSink, Journal as _, LedgerAnswer, Step, StoredFact, Verdict};
use futures_util::future::join_all;
use persistence::{Database, GroupJournal, JournalSettings};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use super::World;

/// How long a test waits for what must come.
const EVENTUALLY_TIMEOUT: Duration = Duration::from_secs(20);

/// Keeps what a journal published.
#[derive(Default)]
pub struct Feed(Mutex<Vec<StoredFact>>);

impl Feed {
    /// Returns everything published so far, as it came.
    pub fn facts(&self) -> Vec<StoredFact> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl FactSink for Feed {
    fn publish(&self, facts: Vec<StoredFact>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(facts);
    }
}

/// A running journal.
pub struct Ledger {
    pub journal: GroupJournal,
    pub feed: Arc<Feed>,
    pub name: Uuid,
    task: JoinHandle<()>,
}

impl Ledger {
    /// Starts the journal called `name`.
    pub fn start(database: &Database, name: u128) -> Self {
        Self::with(database, name, JournalSettings::default())
    }

    /// Starts the journal called `name` with bounds of the test's own.
    pub fn with(database: &Database, name: u128, settings: JournalSettings) -> Self {
        let feed = Arc::new(Feed::default());
        let sink: Arc<dyn FactSink> = Arc::clone(&feed) as _;
        let name = Uuid::from_u128(name);
        let (journal, task) = GroupJournal::start(database.clone(), name, settings, sink);
        Self { journal, feed, name, task }
    }

    /// Submits one step and waits for its verdict.
    pub async fn submit(&self, step: Step) -> Verdict {
        self.journal.submit(step).await.expect("the journal answers")
    }

    /// Submits steps so that they wait together; they travel in one batch when nothing is under way.
    pub async fn answers(&self, steps: Vec<Step>) -> Vec<LedgerAnswer> {
        let waiting: Vec<_> = steps.into_iter().map(|step| self.journal.submit(step)).collect();
        join_all(waiting).await
    }

    /// As [`Self::answers`], where the journal is not away.
    pub async fn submit_all(&self, steps: Vec<Step>) -> Vec<Verdict> {
        let answers = self.answers(steps).await;
        answers.into_iter().map(|answer| answer.expect("the journal answers")).collect()
    }

    /// Ends the journal and its connection.
    pub async fn stop(self) {
        drop(self.journal);
        self.task.await.expect("the journal does not panic");
    }
}

/// Returns the numbers of the facts of a committed step, and fails on any other verdict.
pub fn first_seq(verdict: &Verdict) -> i64 {
    match verdict {
        Verdict::Committed { first_seq } => *first_seq,
        other => panic!("not committed but {other:?}"),
    }
}

/// What the database holds of one entity.
#[derive(Clone, Debug, Default, PartialEq, sqlx::FromRow)]
pub struct Traces {
    pub version: Option<i64>,
    pub facts: i64,
    pub deliveries: i64,
    pub wake_version: Option<i64>,
}

/// Looks for everything that a step of `entity` may have left.
pub async fn traces(world: &World, entity: EntityKey) -> Traces {
    sqlx::query_as(
        "select
             coalesce((select version from voice_interviews where id = $1),
                 (select version from screening_results where id = $1)) as version,
             (select count(*) from call_events where entity_id = $1) as facts,
             (select count(*) from webhook_deliveries where entity_id = $1) as deliveries,
             (select version from wakes where entity_id = $1) as wake_version",
    )
    .bind(entity.id.0)
    .fetch_one(&mut world.journal().await)
    .await
    .expect("the tables are read")
}

/// Whether the key is taken.
pub async fn is_taken(world: &World, key: domain::DedupeKey) -> bool {
    sqlx::query_scalar("select exists (select from dedupe_keys where key = $1)")
        .bind(key.0)
        .fetch_one(&mut world.journal().await)
        .await
        .expect("the table is read")
}

/// Returns all facts as they are stored, as (number, entity, version), in order.
pub async fn stored_facts(world: &World) -> Vec<(i64, Uuid, i64)> {
    sqlx::query_as("select seq, entity_id, version from call_events order by seq")
        .fetch_all(&mut world.journal().await)
        .await
        .expect("the facts are read")
}

/// Asserts that facts are numbered from 1 to the head, each number once; returns the head.
pub async fn assert_gapless(world: &World) -> i64 {
    let numbers: Vec<i64> = stored_facts(world).await.into_iter().map(|(seq, ..)| seq).collect();
    let head = world.count("select seq from journal_head").await;
    assert_eq!(numbers, (1..=head).collect::<Vec<_>>());
    head
}

/// Asserts that a feed came in order and says what is stored; returns how many facts it held.
pub async fn assert_published(world: &World, feeds: &[&Feed]) -> usize {
    let mut published = Vec::new();
    for feed in feeds {
        let facts: Vec<_> =
            feed.facts().into_iter().map(|f| (f.seq, f.key.id.0, f.version)).collect();
        assert!(facts.is_sorted_by(|one, next| one.0 < next.0), "a feed came out of order");
        published.extend(facts);
    }
    published.sort_unstable();
    assert_eq!(published, stored_facts(world).await);
    published.len()
}

/// Asks again and again until the answer is yes.
pub async fn eventually(what: &str, mut asked: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + EVENTUALLY_TIMEOUT;
    while !asked().await {
        assert!(Instant::now() < deadline, "it never came that {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Asks a number as the login, which sees what its own sessions do.
pub async fn watch(world: &World, sql: &'static str) -> i64 {
    let mut login = world.database.login().await.expect("the test database is up");
    sqlx::query_scalar(sql).fetch_one(&mut login).await.expect("the statement counts")
}

/// Waits until some journal's batch waits for a lock of ours.
pub async fn until_a_batch_waits(world: &World) {
    eventually("a batch waits", async || {
        let waiting = watch(
            world,
            "select count(*) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'
                 and query like 'select journal_commit%'",
        );
        waiting.await > 0
    })
    .await;
}
