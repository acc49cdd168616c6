//! What came of a run, in figures.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use uuid::Uuid;

use super::Records;
use super::expected::{Grade, failure_of, outcome_of};
use super::retries::delay_after;
use crate::cast::Candidate;
use crate::engine::{CallEntry, Ledger, Origin};

/// The figures of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Calls by what came of them.
    pub calls: BTreeMap<String, usize>,
    /// Screenings by status.
    pub screenings: BTreeMap<String, usize>,
    /// Calls that Ringmaster asked for.
    pub retries: usize,
    /// Those among them whose time was moved into the callee's calling window.
    pub retries_moved: usize,
    /// Those among them that rang outside of it.
    pub retries_outside: usize,
    /// Webhooks delivered, repetitions included.
    pub webhooks_acknowledged: usize,
    /// Deliveries that told what had been told before.
    pub webhooks_repeated: usize,
    /// Deliveries that were not answered as agreed.
    pub webhooks_unanswered: u64,
    /// Webhooks that were lost on their way or given up.
    pub webhooks_lost: u64,
}

impl Summary {
    /// Counts what the ledger and Ringmaster say.
    pub fn of(cast: &[Candidate], ledger: &Ledger, records: &Records) -> Self {
        let mut summary = Self::default();
        for call in &ledger.calls {
            *summary.calls.entry(label(call)).or_default() += 1;
        }
        for record in records.values() {
            let status = record.screening.as_ref().map_or("none", |one| one.status.as_str());
            *summary.screenings.entry(status.to_owned()).or_default() += 1;
        }
        summary.count_retries(cast, ledger);
        summary.count_webhooks(ledger);
        summary
    }

    fn count_retries(&mut self, cast: &[Candidate], ledger: &Ledger) {
        let people: HashMap<Uuid, &Candidate> = cast.iter().map(|one| (one.id(), one)).collect();
        let mut last: HashMap<Uuid, &CallEntry> = HashMap::new();
        for call in &ledger.calls {
            let Some(id) = call.application_id else { continue };
            let before = last.insert(id, call);
            if call.origin != Origin::Request {
                continue;
            }
            self.retries += usize::from(before.is_some());
            let Some(candidate) = people.get(&id) else { continue };
            if !candidate.home.is_open(call.created_at.simulated) {
                self.retries_outside += 1;
            }
            let due = before.and_then(|one| Some(one.created_at.simulated + delay_after(one)?));
            if due.is_some_and(|due| !candidate.home.is_open(due)) {
                self.retries_moved += 1;
            }
        }
    }

    fn count_webhooks(&mut self, ledger: &Ledger) {
        for call in &ledger.calls {
            let events: HashSet<_> = call.acknowledged.iter().map(|ack| &ack.event_id).collect();
            self.webhooks_acknowledged += call.acknowledged.len();
            self.webhooks_repeated += call.acknowledged.len() - events.len();
        }
        let totals = &ledger.totals;
        self.webhooks_unanswered =
            totals.webhooks_sent.saturating_sub(totals.webhooks_acknowledged);
        self.webhooks_lost = totals.webhooks_lost + totals.webhooks_abandoned;
    }
}

fn label(call: &CallEntry) -> String {
    match (call.final_status, Grade::of(call)) {
        (None, _) => "under way".to_owned(),
        (Some(_), grade @ (Grade::Real | Grade::Short)) => {
            failure_of(call).unwrap_or(outcome_of(grade)).to_owned()
        }
        (Some(_), Grade::Failed) => failure_of(call).unwrap_or("failed").to_owned(),
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = column("calls", &self.calls).into_iter();
        let mut right = column("screenings", &self.screenings).into_iter();
        loop {
            match (left.next(), right.next()) {
                (None, None) => break,
                (left, right) => {
                    let (left, right) = (left.unwrap_or_default(), right.unwrap_or_default());
                    writeln!(f, "  {left:<28}{right}")?;
                }
            }
        }
        writeln!(
            f,
            "\n  retries   {} placed, {} of them moved into the calling window, {} outside of it",
            self.retries, self.retries_moved, self.retries_outside
        )?;
        write!(
            f,
            "  webhooks  {} delivered ({} told twice), {} attempts unanswered, {} lost on their way",
            self.webhooks_acknowledged,
            self.webhooks_repeated,
            self.webhooks_unanswered,
            self.webhooks_lost
        )
    }
}

/// Returns a heading with the sum, and a line for each name.
fn column(heading: &str, counts: &BTreeMap<String, usize>) -> Vec<String> {
    let all: usize = counts.values().sum();
    let mut lines = vec![format!("{heading:<18}{all:>5}")];
    lines.extend(counts.iter().map(|(name, count)| format!("  {name:<16}{count:>5}")));
    lines
}
