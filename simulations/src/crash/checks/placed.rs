//! Check 11: each request for a call rang once at most, and came to an end.

use std::collections::{BTreeMap, HashMap};

use domain::interview::Interview;
use uuid::Uuid;

use super::Evidence;
use crate::crash::findings::{Findings, Wrong};
use crate::crash::placed::Fate;

/// What the requests came to, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placings {
    /// Requests, each under a key of its own.
    pub asked: usize,
    /// Those of which an answer was lost on the way at least once.
    pub repeated: usize,
    /// Those whose callee was rung, by the engine's ledger.
    pub rung: usize,
    /// Those whose callee was rung again, by the engine's ledger.
    pub rung_twice: usize,
    /// Calls that were placed and whose answer never came, by the engine's ledger.
    pub unanswered: usize,
    /// Dials that stand in no end state.
    pub endless: usize,
}

pub(super) fn check(
    placed: &BTreeMap<String, Fate>,
    evidence: &Evidence<'_>,
    findings: &Findings,
) -> Placings {
    let mut rings: HashMap<&str, usize> = HashMap::new();
    let mut unanswered = 0;
    let requests = || evidence.ledger.requests.iter();
    for request in requests().filter(|request| request.answer.began().is_some()) {
        *rings.entry(request.phone_number.as_deref().unwrap_or_default()).or_default() += 1;
        unanswered += usize::from(!request.answer.was_told());
    }
    let mut sums = Placings { asked: placed.len(), unanswered, ..Placings::default() };
    for (key, fate) in placed {
        sums.repeated += usize::from(fate.unknown > 0);
        match rings.get(fate.phone.as_str()).copied().unwrap_or_default() {
            0 => {}
            1 => sums.rung += 1,
            many => {
                sums.rung += 1;
                sums.rung_twice += 1;
                findings.add(11, Wrong::Doubled, format!("{key} rang {many} times"));
            }
        }
    }
    check_ends(placed, evidence, findings);
    for intent in evidence.picture.intents.iter().filter(|intent| intent.operation == "dial") {
        if !["done", "cancelled"].contains(&intent.status.as_str()) {
            sums.endless += 1;
            let text = format!("the dial {} ends as {}", intent.id, intent.status);
            findings.add(11, Wrong::Stuck, text);
        }
    }
    sums
}

/// A request that was answered has one interview, whose call is known to the engine or over.
fn check_ends(placed: &BTreeMap<String, Fate>, evidence: &Evidence<'_>, findings: &Findings) {
    let rows = evidence.picture.checkpoints.iter().filter(|row| row.kind == "interview");
    let states: HashMap<Uuid, &str> = rows.map(|row| (row.id, row.state.as_str())).collect();
    for (key, fate) in placed {
        if fate.interviews.len() > 1 {
            let text = format!("{key} was answered with {} interviews", fate.interviews.len());
            findings.add(11, Wrong::Doubled, text);
        }
        let Some(id) = fate.interviews.iter().next() else { continue }; // Whoever asked has said so.
        let Some(state) = states.get(id) else {
            findings.add(11, Wrong::Lost, format!("{key} was answered with {id}, which is not"));
            continue;
        };
        let view = serde_json::from_str::<Interview>(state).ok().and_then(|one| one.view());
        // One whose last webhook was lost is under way here until it asks by itself: check 9 sees that it does.
        let is_settled =
            view.as_ref().is_some_and(|view| view.outcome.is_some() || view.call_id.is_some());
        if !is_settled {
            findings.add(11, Wrong::Stuck, format!("{key} led to {id}, whose dial is open"));
        }
        if view.and_then(|view| view.phone).is_none_or(|phone| phone.as_str() != fate.phone) {
            findings.add(11, Wrong::Behind, format!("{key} led to {id}, which rings another"));
        }
    }
}
