//! The feed: committed facts in the order of their numbers, one ring and one broadcast per process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::ports::{FactPage, FactSink, Facts, StoreError, StoredFact};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Facts kept in memory for those who resume.
const RING_MAX: usize = 65_536;
/// Batches a subscriber may lag behind before it must resume from history.
const BROADCAST_MAX: usize = 1_024;
/// Batches of our own that wait behind a hole; beyond it they are read from the table with the hole.
const HELD_MAX: usize = 1_024;
/// Facts read from the table at once.
const READ_MAX: u32 = 1_000;
/// How long another instance's facts may go unnoticed.
const POLL_PAUSE: Duration = Duration::from_secs(1);

/// Facts that became visible together.
pub type Batch = Arc<[Arc<StoredFact>]>;

/// What memory holds after a number.
#[derive(Debug)]
pub enum History {
    /// What follows it.
    Held {
        /// The facts, in order.
        facts: Vec<Arc<StoredFact>>,
        /// The number up to which that is all.
        to: i64,
    },
    /// It begins only after this number; older facts are in the table.
    Older(i64),
}

/// Passes committed facts on, each once, without a hole.
#[derive(Debug)]
pub struct Feed {
    state: Mutex<State>,
    live: broadcast::Sender<Batch>,
    hole: Notify,
}

#[derive(Debug)]
struct State {
    /// The number of the last fact passed on; none until the log's head is known.
    last: Option<i64>,
    /// The number after which the ring holds everything.
    since: i64,
    ring: VecDeque<Arc<StoredFact>>,
    held: VecDeque<Vec<StoredFact>>,
}

impl Feed {
    /// Makes a feed that passes nothing on before [`Feed::run`] knows where the log stands.
    pub fn new() -> Arc<Self> {
        let (live, _) = broadcast::channel(BROADCAST_MAX);
        let state = State { last: None, since: 0, ring: VecDeque::new(), held: VecDeque::new() };
        Arc::new(Self { state: Mutex::new(state), live, hole: Notify::new() })
    }

    /// Returns the number of the last fact passed on; 0 while it is not known where the log stands.
    pub fn last(&self) -> i64 {
        self.known().unwrap_or_default()
    }

    /// Returns the number of the last fact passed on, once it is known where the log stands.
    pub fn known(&self) -> Option<i64> {
        self.lock().last
    }

    /// Subscribes to what follows. Subscribe first, then read [`Feed::after`]: nothing is missed.
    pub fn subscribe(&self) -> broadcast::Receiver<Batch> {
        self.live.subscribe()
    }

    /// Returns what memory holds after `seq`, `limit` facts at most.
    pub fn after(&self, seq: i64, limit: usize) -> History {
        let state = self.lock();
        if seq < state.since {
            return History::Older(state.since);
        }
        let start = state.ring.partition_point(|fact| fact.seq <= seq);
        let facts: Vec<_> = state.ring.range(start..).take(limit).cloned().collect();
        let is_all = start + facts.len() == state.ring.len();
        let to = if is_all {
            state.last.unwrap_or_default().max(seq)
        } else {
            facts.last().map_or(seq, |fact| fact.seq)
        };
        History::Held { facts, to }
    }

    /// Keeps up with the table: fills holes, and finds what other instances committed.
    ///
    /// # Errors
    /// Never; what the store refuses is tried again.
    pub async fn run(self: Arc<Self>, facts: Arc<dyn Facts>, shutdown: CancellationToken) {
        loop {
            if let Err(failure) = self.catch_up(&*facts).await {
                warn!(error = &failure as &dyn std::error::Error, "the feed cannot read the log");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.hole.notified() => {}
                () = tokio::time::sleep(POLL_PAUSE) => {}
            }
        }
    }

    /// Passes on what follows the number `head`, where the log stands; unless it is known already.
    pub fn begin(&self, head: i64) {
        let mut state = self.lock();
        if state.last.is_none() {
            state.last = Some(head);
            state.since = head;
            self.pass_on_held(&mut state);
        }
    }

    async fn catch_up(&self, facts: &dyn Facts) -> Result<(), StoreError> {
        let known = self.lock().last;
        let Some(mut last) = known else {
            let (head, _) = facts.head().await?;
            self.begin(head);
            return Ok(());
        };
        loop {
            let FactPage { facts: read, to, .. } = facts.after(last, READ_MAX).await?;
            let is_full = to - last >= i64::from(READ_MAX);
            let mut state = self.lock();
            self.pass_on(&mut state, read, to);
            self.pass_on_held(&mut state);
            last = state.last.unwrap_or(to);
            if !is_full {
                return Ok(());
            }
        }
    }

    /// Passes on what of `facts` follows the last number; the caller made sure that up to `to` these
    /// are all.
    fn pass_on(&self, state: &mut State, facts: Vec<StoredFact>, to: i64) {
        let last = state.last.unwrap_or_default();
        let fresh: Vec<_> =
            facts.into_iter().filter(|fact| fact.seq > last).map(Arc::new).collect();
        state.last = Some(last.max(to));
        for fact in &fresh {
            if state.ring.len() == RING_MAX
                && let Some(oldest) = state.ring.pop_front()
            {
                state.since = oldest.seq;
            }
            state.ring.push_back(Arc::clone(fact));
        }
        if fresh.is_empty() {
            return;
        }
        // Nobody listening is no error.
        let _ = self.live.send(fresh.into());
    }

    fn pass_on_held(&self, state: &mut State) {
        while let Some((first, to)) = state.held.front().and_then(|batch| ends(batch)) {
            if first > state.last.unwrap_or_default() + 1 {
                return self.hole.notify_one();
            }
            if let Some(batch) = state.held.pop_front() {
                self.pass_on(state, batch, to);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FactSink for Feed {
    fn publish(&self, facts: Vec<StoredFact>) {
        let Some((first, to)) = ends(&facts) else { return };
        let mut state = self.lock();
        match state.last {
            Some(last) if first <= last + 1 => {
                self.pass_on(&mut state, facts, to);
                self.pass_on_held(&mut state);
            }
            Some(_) | None => {
                // Somebody else's facts come first; they are read from the table.
                if state.held.len() == HELD_MAX {
                    state.held.clear();
                } else {
                    state.held.push_back(facts);
                }
                self.hole.notify_one();
            }
        }
    }
}

/// Returns the first and the last number of a batch of our own, which has no holes.
fn ends(batch: &[StoredFact]) -> Option<(i64, i64)> {
    Some((batch.first()?.seq, batch.last()?.seq))
}
