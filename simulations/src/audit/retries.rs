//! What Ringmaster asked the engine to dial: when, whom, and never the same twice.

use std::collections::HashMap;

use chrono::TimeDelta;
use uuid::Uuid;

use crate::cast::Candidate;
use crate::engine::{CallEntry, DialRequest, Ledger, Origin};

/// Hours between a call that came to nothing and the next one. Source: the contract page.
const DELAYS_H: [i64; 2] = [4, 8];

pub(super) fn check(cast: &[Candidate], ledger: &Ledger) -> Vec<String> {
    let people: HashMap<Uuid, &Candidate> = cast.iter().map(|one| (one.id(), one)).collect();
    let mut differences = Vec::new();
    let mut dialled: HashMap<&str, &str> = HashMap::new();
    for request in &ledger.requests {
        let Some(call_id) = request.answer.began() else { continue };
        let Some(key) = request.idempotency_key.as_deref() else {
            differences.push(format!("{call_id} was dialled without a key"));
            continue;
        };
        if let Some(before) = dialled.insert(key, call_id) {
            differences.push(format!("{key} was dialled twice: {before} and {call_id}"));
        }
        let known = request.application_id.and_then(|id| people.get(&id));
        differences.extend(known.and_then(|candidate| check_request(candidate, request, call_id)));
    }
    differences.extend(check_delays(ledger));
    differences
}

fn check_request(candidate: &Candidate, request: &DialRequest, call_id: &str) -> Option<String> {
    let at = request.at.simulated;
    if !candidate.home.is_open(at) {
        let local = at.with_timezone(&candidate.home.zone());
        return Some(format!("{call_id} rang outside of the calling window, at {local}"));
    }
    let number = &candidate.application.phone_number;
    (request.phone_number.as_ref() != Some(number))
        .then(|| format!("{call_id} rang {:?}, not {number}", request.phone_number))
}

/// Each call waits for its delay after the beginning of the one before, at least.
fn check_delays(ledger: &Ledger) -> Vec<String> {
    let mut last: HashMap<Uuid, &CallEntry> = HashMap::new();
    let mut differences = Vec::new();
    for call in &ledger.calls {
        let Some(application) = call.application_id else { continue };
        let before = last.insert(application, call);
        let Some(delay) = before.and_then(delay_after) else { continue };
        let waited = before.map_or(TimeDelta::MAX, |before| {
            call.created_at.simulated - before.created_at.simulated
        });
        if call.origin == Origin::Request && waited < delay {
            let minutes = waited.num_minutes();
            differences.push(format!("{} followed after {minutes} minutes only", call.call_id));
        }
    }
    differences
}

/// Returns how long must be waited after `call`, if there may be another one.
pub(super) fn delay_after(call: &CallEntry) -> Option<TimeDelta> {
    let position = usize::try_from(call.attempt).ok()?.checked_sub(1)?;
    DELAYS_H.get(position).copied().map(TimeDelta::hours)
}
