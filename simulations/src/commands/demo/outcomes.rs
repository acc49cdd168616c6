//! What became of the candidates: lines for those who watch, and the count of those who are settled.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use simulations::cast::Candidate;
use simulations::product::ScreeningRow;
use uuid::Uuid;

use super::follow::time_in_india;
use super::screen::Screen;

/// Candidates that are remembered; beyond it those who are settled are counted only.
const KNOWN_MAX: usize = 5_000;

/// What was last seen of the screenings.
#[derive(Default)]
pub(super) struct Outcomes {
    names: HashMap<Uuid, String>,
    /// Status and call status, of those among them that were seen.
    seen: HashMap<Uuid, (String, String)>,
    forgotten: u64,
}

impl Outcomes {
    /// Makes candidates known; others are not looked at.
    pub(super) fn expect<'a>(&mut self, candidates: impl IntoIterator<Item = &'a Candidate>) {
        for candidate in candidates {
            self.names.insert(candidate.id(), candidate.application.candidate_name.clone());
        }
        if self.names.len() > KNOWN_MAX {
            let settled = self.seen.extract_if(|_, state| is_settled(state));
            for (id, _) in settled {
                self.names.remove(&id);
                self.forgotten += 1;
            }
        }
    }

    /// Shows what changed.
    pub(super) fn show(&mut self, rows: &[ScreeningRow], now: DateTime<Utc>, screen: &Screen) {
        for row in rows {
            let Some(name) = self.names.get(&row.application_id) else { continue };
            let state = (row.status.clone(), row.call_status.clone());
            if self.seen.insert(row.application_id, state.clone()) == Some(state) {
                continue;
            }
            if let Some(what) = describe(row) {
                screen.news(format!("{}  {name:<18} {what}", time_in_india(now)));
            }
        }
    }

    /// Returns how many of the known are settled.
    pub(super) fn settled(&self) -> u64 {
        self.forgotten + self.seen.values().filter(|state| is_settled(state)).count() as u64
    }

    /// Says whether nothing was ever heard of some candidate's call.
    pub(super) fn has_unheard(&self) -> bool {
        self.seen.values().any(|(_, call_status)| call_status == "awaiting_call")
    }

    /// Counts where the calls of the known stand, as a phrase.
    pub(super) fn phrase(&self) -> String {
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for state in self.seen.values() {
            let name = if is_settled(state) { &state.0 } else { &state.1 };
            *counts.entry(name).or_default() += 1;
        }
        let word = |(name, count): (&&str, &u32)| format!("{count} {}", name.replace('_', " "));
        counts.iter().map(word).collect::<Vec<_>>().join(", ")
    }
}

fn is_settled((status, _): &(String, String)) -> bool {
    status != "in_progress"
}

fn describe(row: &ScreeningRow) -> Option<String> {
    let reason = row.failure_reason.as_deref().unwrap_or("no reason given").replace('_', " ");
    Some(match (row.call_status.as_str(), row.final_score) {
        ("retry_scheduled", _) => {
            let due = row.next_attempt_at.map(time_in_india).unwrap_or_default();
            format!("no interview ({reason}): the next call is due at {due}")
        }
        ("completed", Some(score)) => {
            let call = row.call_score.unwrap_or_default();
            format!(
                "the call scores {call:.0}, all stages {score:.1}: {}",
                row.status.replace('_', " ")
            )
        }
        ("exhausted", Some(score)) => {
            let status = row.status.replace('_', " ");
            format!("three calls, no interview ({reason}): {score:.1}, {status}")
        }
        ("unknown", _) => row.status.replace('_', " "),
        _ => return None,
    })
}
