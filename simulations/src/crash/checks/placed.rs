//! Check 11: each request for a call rang once at most, and came to an end.

use std::collections::{BTreeMap, HashMap};

use domain::interview::Interview;
use uuid::Uuid;

use super::Evidence;
use crate::crash::findings::{Findings, Wrong};
use crate::crash::placed::Fate;

/// Of so many requests that were answered while their callee may be called, one may have rung nobody.
///
/// A dial that was begun when its server was killed is not repeated where that could ring twice, and one of
/// a busy machine leaves too late: a few of each. More of them are calls that nobody gets.
const SILENT_ONE_IN: usize = 10;

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
    let (mut in_hours, mut silent) = (0, 0);
    let mut sums = Placings { asked: placed.len(), unanswered, ..Placings::default() };
    for (key, fate) in placed {
        sums.repeated += usize::from(fate.unknown > 0);
        let rang = rings.get(fate.phone.as_str()).copied().unwrap_or_default();
        let is_in_hours = !fate.interviews.is_empty() && !fate.is_for_later;
        in_hours += usize::from(is_in_hours);
        silent += usize::from(is_in_hours && rang == 0);
        match rang {
            0 => {}
            1 => sums.rung += 1,
            many => {
                sums.rung += 1;
                sums.rung_twice += 1;
                findings.add(11, Wrong::Doubled, format!("{key} rang {many} times"));
            }
        }
    }
    if is_too_quiet(silent, in_hours) {
        let text = format!("{silent} of {in_hours} requests rang nobody, in hours");
        findings.add(11, Wrong::Lost, text);
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

/// Says whether more of `in_hours` requests rang nobody than a crash explains.
const fn is_too_quiet(silent: usize, in_hours: usize) -> bool {
    silent * SILENT_ONE_IN > in_hours
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

#[cfg(test)]
mod tests {
    use super::is_too_quiet;

    #[test]
    fn nine_in_ten_have_to_ring() {
        for (silent, in_hours) in [(0, 0), (0, 1_000), (100, 1_000), (4, 40)] {
            assert!(!is_too_quiet(silent, in_hours), "{silent} of {in_hours}");
        }
        for (silent, in_hours) in [(1, 1), (1_000, 1_000), (101, 1_000), (5, 40)] {
            assert!(is_too_quiet(silent, in_hours), "{silent} of {in_hours}");
        }
    }
}
