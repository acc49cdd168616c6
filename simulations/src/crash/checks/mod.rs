//! The checks after a run: the history against the tables, the tables against themselves.

mod deliveries;
mod dials;
mod log;
mod open;
mod placed;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use persistence::examine::Picture;
use uuid::Uuid;

use super::findings::Findings;
use super::flips::Flipped;
use super::history::Fate;
use super::placed::Fate as PlacedFate;
use crate::engine::Ledger;

pub use placed::Placings;

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
    /// What became of every request for a call, by its key.
    pub placed: &'a BTreeMap<String, PlacedFate>,
    /// The time at which the picture was taken, by the product's clock.
    pub now: DateTime<Utc>,
    /// How late anything may be, by that clock.
    pub slack: TimeDelta,
}

/// Makes every check that needs nothing but the evidence; answers what the requests for calls came to.
pub(super) fn all(evidence: &Evidence<'_>, findings: &Findings) -> Placings {
    deliveries::check(evidence, findings);
    log::check(evidence, findings);
    dials::check(evidence, findings);
    open::check(evidence, findings);
    placed::check(evidence.placed, evidence, findings)
}
