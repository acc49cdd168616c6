//! Whether the server takes work, check by check.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What one check found.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Report {
    /// Whether it is as it should be.
    pub ok: bool,
    /// A word on it: why not, or how far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Figures.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

impl Report {
    /// All is well.
    pub const fn good() -> Self {
        Self { ok: true, note: None, details: Value::Null }
    }

    /// Something is not, and this is what.
    pub fn bad(note: impl Into<String>) -> Self {
        Self { ok: false, note: Some(note.into()), details: Value::Null }
    }

    /// Adds a word.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Adds figures.
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

/// Something that can be asked how it is; asked at each request, so it answers from memory.
pub trait Check: Send + Sync {
    /// Tells how it is now.
    fn report(&self) -> Report;
}

impl<F: Fn() -> Report + Send + Sync> Check for F {
    fn report(&self) -> Report {
        self()
    }
}

/// A check that somebody else sets.
#[derive(Debug)]
pub struct Switch(RwLock<Report>);

impl Switch {
    /// Starts as `report`.
    pub fn new(report: Report) -> Self {
        Self(RwLock::new(report))
    }

    /// Changes what it tells.
    pub fn set(&self, report: Report) {
        *self.0.write().expect("no writer can panic") = report;
    }
}

impl Check for Switch {
    fn report(&self) -> Report {
        self.0.read().expect("no writer can panic").clone()
    }
}

/// What a failing check means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The server takes no work while it fails.
    Gates,
    /// It is shown, and nothing else.
    Shown,
}

/// The checks of this process and how far along its life it is. Cheap to clone; clones share.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Inner>);

#[derive(Default)]
struct Inner {
    checks: RwLock<Vec<Entry>>,
    started: AtomicBool,
    draining: AtomicBool,
}

#[derive(Clone)]
struct Entry {
    name: &'static str,
    weight: Weight,
    check: Arc<dyn Check>,
}

/// Every check at one instant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// Whether work is taken.
    pub ready: bool,
    /// Whether the start is over.
    pub started: bool,
    /// Whether the end has begun.
    pub draining: bool,
    /// The checks, in the order they were added.
    pub checks: Vec<Checked>,
}

/// One check at one instant.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Checked {
    /// Its name.
    pub name: &'static str,
    /// Whether it gates.
    pub gates: bool,
    /// What it found.
    #[serde(flatten)]
    pub report: Report,
}

impl Readiness {
    /// Has no checks and is not started.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check.
    pub fn add(&self, name: &'static str, weight: Weight, check: Arc<dyn Check>) {
        let entry = Entry { name, weight, check };
        self.0.checks.write().expect("no writer can panic").push(entry);
    }

    /// The start is over; only now can the server be ready.
    pub fn started(&self) {
        self.0.started.store(true, Ordering::Release);
    }

    /// The end has begun; there is no way back.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Whether the start is over.
    pub fn is_started(&self) -> bool {
        self.0.started.load(Ordering::Acquire)
    }

    /// Asks every check.
    pub fn snapshot(&self) -> Snapshot {
        let checks = self.0.checks.read().expect("no writer can panic").clone();
        let checks: Vec<_> = checks
            .into_iter()
            .map(|Entry { name, weight, check }| Checked {
                name,
                gates: weight == Weight::Gates,
                report: check.report(),
            })
            .collect();
        let (started, draining) = (self.is_started(), self.0.draining.load(Ordering::Acquire));
        let gates_open = checks.iter().all(|check| check.report.ok || !check.gates);
        Snapshot { ready: started && !draining && gates_open, started, draining, checks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gates_close_the_door_and_draining_closes_it_for_good() {
        let readiness = Readiness::new();
        let journal = Arc::new(Switch::new(Report::bad("connecting")));
        readiness.add("journal", Weight::Gates, journal.clone());
        readiness.add("secret", Weight::Shown, Arc::new(|| Report::bad("unset")));
        readiness.started();
        assert!(!readiness.snapshot().ready);
        journal.set(Report::good());
        assert!(readiness.snapshot().ready);
        readiness.drain();
        assert!(!readiness.snapshot().ready);
    }

    #[test]
    fn nothing_is_ready_before_it_is_started() {
        assert!(!Readiness::new().snapshot().ready);
    }
}
