//! The checks after a run: the history against the tables, the tables against themselves.

mod deliveries;
mod dials;
mod log;
mod open;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use persistence::examine::Picture;
use uuid::Uuid;

use super::findings::Findings;
use super::flips::Flipped;
use super::history::Fate;
use crate::engine::Ledger;

/// What is checked, and against what.
pub(super) struct Evidence<'a> {
    /// All tables, after the servers stopped.
    pub picture: &'a Picture,
    /// What became of every event, by its id.
    pub fates: &'a HashMap<String, Fate>,
    /// What the engine did and saw.
    pub ledger: &'a Ledger,
    /// What was acknowledged of the flipped applications.
    pub flips: &'a HashMap<Uuid, Flipped>,
    /// The time at which the picture was taken, by the product's clock.
    pub now: DateTime<Utc>,
    /// How late anything may be, by that clock.
    pub slack: TimeDelta,
}

/// Makes every check that needs nothing but the evidence.
pub(super) fn all(evidence: &Evidence<'_>, findings: &Findings) {
    deliveries::check(evidence, findings);
    log::check(evidence, findings);
    dials::check(evidence, findings);
    open::check(evidence, findings);
}
