//! Check 2: imports took effect; each dial has its intent, and is not sent again before its time.

use std::collections::HashMap;

use chrono::TimeDelta;
use serde_json::Value;
use uuid::Uuid;

use super::Evidence;
use crate::crash::findings::{Findings, Wrong};
use crate::engine::{DialAnswer, DialRequest};

/// A request in doubt is not repeated sooner than this, by the product's clock: the engine answers
/// within 30 s and shows the call in its list 2 s later.
const SETTLES_AFTER: TimeDelta = TimeDelta::seconds(32);
/// Answers that say that nothing was done.
const NOT_DONE: [u16; 4] = [401, 403, 429, 503];

pub(super) fn check(evidence: &Evidence<'_>, findings: &Findings) {
    check_flips(evidence, findings);
    let mut requests: HashMap<&str, Vec<&DialRequest>> = HashMap::new();
    for request in &evidence.ledger.requests {
        match &request.idempotency_key {
            Some(key) => requests.entry(key).or_default().push(request),
            None => findings.add(2, Wrong::Doubled, "a dial came without a key"),
        }
    }
    let intents = evidence.picture.intents.iter().filter(|intent| intent.operation == "dial");
    let intents: HashMap<String, _> = intents.map(|one| (one.id.to_string(), one)).collect();
    for (key, requests) in requests {
        let begun = requests.iter().filter(|request| request.answer.began().is_some()).count();
        if begun > 1 {
            findings.add(2, Wrong::Doubled, format!("the intent {key} rang {begun} times"));
        }
        for pair in requests.windows(2) {
            let gap = pair[1].at.simulated - pair[0].at.simulated;
            if !is_not_done(&pair[0].answer) && gap < SETTLES_AFTER {
                let text = format!("the intent {key} was sent again after {}s", gap.num_seconds());
                findings.add(2, Wrong::Doubled, text);
            }
        }
        match intents.get(key) {
            None => findings.add(2, Wrong::Lost, format!("the dial {key} has no intent")),
            Some(intent) if begun > 0 && intent.status == "cancelled" => {
                findings.add(2, Wrong::Lost, format!("the intent {key} rang and is cancelled"));
            }
            Some(_) => {}
        }
    }
}

fn is_not_done(answer: &DialAnswer) -> bool {
    matches!(answer, DialAnswer::Refused { status, .. } if NOT_DONE.contains(status))
}

/// The last import that was acknowledged is what the screening says, and each that was news is in the
/// log: a server that remembers what is over refuses it as old.
fn check_flips(evidence: &Evidence<'_>, findings: &Findings) {
    let rows = evidence.picture.checkpoints.iter().filter(|row| row.kind == "screening");
    let states: HashMap<Uuid, &str> = rows.map(|row| (row.id, row.state.as_str())).collect();
    for (id, expected) in evidence.flips {
        let Some(state) = states.get(id) else {
            findings.add(2, Wrong::Lost, format!("{id} was imported and has no screening"));
            continue;
        };
        let state: Value = serde_json::from_str(state).unwrap_or_default();
        let name = state.pointer("/standing/profile/candidate_name").and_then(Value::as_str);
        if name != Some(expected.name) {
            let text = format!("{id} was last imported as {}, and is {name:?}", expected.name);
            findings.add(2, Wrong::Behind, text);
        }
        let of_it = evidence.picture.facts.iter().filter(|fact| fact.entity_id == *id);
        let imported = of_it.filter(|fact| fact.name == "imported").count();
        if imported < expected.changes {
            let text = format!("{id} changed {} times, {imported} were applied", expected.changes);
            findings.add(2, Wrong::Lost, text);
        }
    }
}
