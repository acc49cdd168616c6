//! The workers: one connection each, each with a few calls that it plays by turns.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::connection::{Connection, Target};
use super::plan::{Mix, Story, events};
use super::report::{LoadReport, Model, Tally};
use crate::clock::{SimClock, Speed};
use crate::units::Rate;

/// How long a worker pauses after an event without an answer, so that a receiver that is down does
/// not eat up the run in a moment.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// What to send.
#[derive(Clone, Debug)]
pub struct LoadSettings {
    /// Where events go.
    pub target: Target,
    /// The value of `x-webhook-secret`.
    pub secret: SecretString,
    /// How many calls are played.
    pub calls: u64,
    /// How fast.
    pub pace: Pace,
    /// How many connections are used.
    pub connections: usize,
    /// How many calls each connection plays by turns.
    pub calls_per_connection: usize,
    /// Which share of the events is sent twice in a row.
    pub duplicates: Rate,
    /// Which share of the events is swapped with the next one of its call.
    pub reorder: Rate,
    /// What everything random comes from; the same seed plays the same calls, ids included.
    pub seed: u64,
    /// Whether each call names an application, so that the receiver screens it.
    pub with_application: bool,
    /// What is told of each call.
    pub story: Story,
    /// No call begins later than this after the start; those under way are played to their end.
    pub time_max: Option<Duration>,
}

/// When events are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So many a second, evenly, whatever the answers do.
    Rate(f64),
    /// As soon as a connection is free.
    Max,
}

/// Counts that can be watched during a run.
#[derive(Debug, Default)]
pub struct Counters {
    calls_done: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
}

impl Counters {
    /// Returns how many calls were played to the end.
    pub fn calls_done(&self) -> u64 {
        self.calls_done.load(Ordering::Relaxed)
    }

    /// Returns how many events were answered, with whatever status.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Returns how many events had no answer.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// A run, ready to start.
pub struct WebhookLoad {
    settings: LoadSettings,
    counters: Arc<Counters>,
}

impl WebhookLoad {
    /// Prepares a run.
    ///
    /// # Errors
    /// When there is nobody to send, or the rate is none.
    pub fn new(settings: LoadSettings) -> anyhow::Result<Self> {
        anyhow::ensure!(settings.connections > 0, "at least one connection is needed");
        anyhow::ensure!(settings.calls_per_connection > 0, "a connection plays a call at least");
        if let Pace::Rate(rate) = settings.pace {
            anyhow::ensure!(rate.is_finite() && rate > 0.0, "the rate must be above zero");
        }
        Ok(Self { settings, counters: Arc::default() })
    }

    /// Returns the counts, to be watched while the run goes on.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Plays all calls.
    ///
    /// # Errors
    /// When the secret cannot be written into a header, or a worker panics.
    pub async fn run(self) -> anyhow::Result<LoadReport> {
        let Self { settings, counters } = self;
        let secret = HeaderValue::from_str(settings.secret.expose_secret())
            .context("the secret cannot be sent in a header")?;
        let clock = SimClock::starting_now(Speed::REAL);
        let source = Arc::new(Source {
            mix: Mix {
                seed: settings.seed,
                duplicates: settings.duplicates,
                reorder: settings.reorder,
                with_application: settings.with_application,
                story: settings.story,
                begun_at: clock.now(),
            },
            calls: settings.calls,
            until: settings.time_max.map(|limit| Instant::now() + limit),
            next: AtomicU64::new(0),
        });
        let begun = Instant::now();
        let mut workers = JoinSet::new();
        for position in 0..settings.connections {
            let worker = Worker {
                connection: Connection::new(settings.target.clone(), &secret),
                schedule: Schedule::new(settings.pace, begun, position, settings.connections),
                source: Arc::clone(&source),
                counters: Arc::clone(&counters),
                tally: Tally::new(),
            };
            workers.spawn(worker.work(settings.calls_per_connection));
        }
        let mut total = Tally::new();
        while let Some(tally) = workers.join_next().await {
            total.add(&tally.context("a worker of the load generator failed")?);
        }
        Ok(report(&settings, counters.calls_done(), &total, begun.elapsed()))
    }
}

fn report(settings: &LoadSettings, calls: u64, total: &Tally, took: Duration) -> LoadReport {
    let (model, rate_asked) = match settings.pace {
        Pace::Rate(rate) => (Model::Open, Some(rate)),
        Pace::Max => (Model::Closed, None),
    };
    let answered = total.ok + total.other_statuses.values().sum::<u64>();
    LoadReport {
        model,
        target: settings.target.to_string(),
        seed: settings.seed,
        calls,
        connections: settings.connections,
        rate_asked,
        sent: total.sent,
        ok: total.ok,
        other_statuses: total.other_statuses.clone(),
        errors: total.errors,
        first_error: total.first_error.clone(),
        seconds: took.as_secs_f64(),
        rate: answered as f64 / took.as_secs_f64().max(f64::EPSILON),
        latency_ms: total.latency(),
        service_ms: total.service(),
    }
}

/// The calls still to be played.
struct Source {
    mix: Mix,
    calls: u64,
    until: Option<Instant>,
    next: AtomicU64,
}

impl Source {
    fn next(&self) -> Option<VecDeque<Bytes>> {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.calls).then(|| events(&self.mix, number))
    }
}

/// The moments at which a worker is meant to send.
struct Schedule {
    next: Instant,
    /// The time between two events of this worker; none in the closed model.
    gap: Option<Duration>,
}

impl Schedule {
    fn new(pace: Pace, begun: Instant, position: usize, workers: usize) -> Self {
        match pace {
            Pace::Max => Self { next: begun, gap: None },
            Pace::Rate(rate) => Self {
                next: begun + Duration::from_secs_f64(position as f64 / rate),
                gap: Some(Duration::from_secs_f64(workers as f64 / rate)),
            },
        }
    }

    /// Waits for the next moment and returns it; a moment that has passed is returned as it was.
    async fn wait(&mut self) -> Instant {
        let Some(gap) = self.gap else { return Instant::now() };
        let intended = self.next;
        self.next += gap;
        if intended > Instant::now() {
            tokio::time::sleep_until(intended).await;
        }
        intended
    }
}

struct Worker {
    connection: Connection,
    schedule: Schedule,
    source: Arc<Source>,
    counters: Arc<Counters>,
    tally: Tally,
}

impl Worker {
    /// Plays calls by turns, one event each, until there are no more.
    async fn work(mut self, lanes: usize) -> Tally {
        let mut playing: VecDeque<_> = (0..lanes).map_while(|_| self.source.next()).collect();
        while let Some(mut events) = playing.pop_front() {
            if let Some(body) = events.pop_front() {
                self.send(body).await;
            }
            if !events.is_empty() {
                playing.push_back(events);
                continue;
            }
            self.counters.calls_done.fetch_add(1, Ordering::Relaxed);
            playing.extend(self.source.next());
        }
        self.tally
    }

    async fn send(&mut self, body: Bytes) {
        let intended = self.schedule.wait().await;
        let sent = Instant::now();
        self.tally.sent += 1;
        match self.connection.post(body).await {
            Ok(status) => {
                self.tally.answered(status, intended.elapsed(), sent.elapsed());
                self.counters.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                self.tally.failed(&error);
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}
