//! Calls that another system knew before this one took its place.

use chrono::{DateTime, Utc};

use super::decide::Decided;
use super::fact::{Fact, Reported};
use super::hear::documents;
use super::record::{Origin, Record};
use super::report::CallReport;
use super::state::{Interview, Phase};
use super::status::CallStatus;
use crate::machine::{Alias, Decision, Rejected};
use crate::value::MR_HIRE;

impl Interview {
    /// Takes over what the other system knew. What this one heard or ordered by itself stands: the other one
    /// has nothing to say about it, and must not end a call that our screening waits for.
    pub(super) fn import(&self, report: &CallReport, now: DateTime<Utc>) -> Decided {
        match &self.phase {
            Phase::Absent => Ok(begun(report, now)),
            Phase::Live(_) | Phase::Over(_) if self.is_imported() => self.hear(report, None, now),
            Phase::Dialing(_) | Phase::Live(_) | Phase::Over(_) => Err(Rejected::NothingNew),
            Phase::Deleted(_) => Err(Rejected::Deleted),
        }
    }

    /// Whether its call was begun by the other system.
    pub(super) fn is_imported(&self) -> bool {
        self.call().is_some_and(|call| call.origin == Origin::Imported)
    }
}

/// An import keeps the id that the other system gave, so its call is found by an alias.
fn begun(report: &CallReport, now: DateTime<Utc>) -> Decision<Interview> {
    let news = Record::default().news(report, Origin::Imported);
    let documents = documents(report, &news);
    let fact = Fact::Imported(Box::new(Reported {
        call_id: report.call_id.clone(),
        status: report.status.unwrap_or(CallStatus::Queued),
        from: None,
        news,
        fetch: None,
        occurred_at: report.occurred_at.map(|at| at.min(now)),
        at: now,
    }));
    let alias = Alias { source: MR_HIRE, external: report.call_id.as_str().to_owned() };
    Decision { documents, aliases: vec![alias], ..Decision::of(fact) }
}
