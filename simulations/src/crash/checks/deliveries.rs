//! Checks 1 and 3: what was acknowledged was decided once; what may have happened, once or never.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::Evidence;
use crate::crash::findings::{Findings, Wrong};
use crate::crash::history::Fate;
use crate::crash::watch::{rank, status_of};

/// The verdict on a repetition, of which there may be any number.
const REPEATED: &str = "rejected(duplicate)";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    event_id: String,
}

/// How often an event was decided, and how often it waits.
#[derive(Default)]
struct Traces {
    decided: usize,
    waiting: usize,
}

pub(super) fn check(evidence: &Evidence<'_>, findings: &Findings) {
    let traces = traces(evidence);
    let none = Traces::default();
    for (id, fate) in evidence.fates {
        let Traces { decided, waiting } = traces.get(id.as_str()).unwrap_or(&none);
        let (check, times) = match fate.acknowledged {
            0 => (3, format!("unknown {} times", fate.unknown)),
            times => (1, format!("acknowledged {times} times")),
        };
        if decided + waiting > 1 {
            let text = format!("{id}, {times}, was decided {decided} times, {waiting} wait");
            findings.add(check, Wrong::Doubled, text);
        }
        if fate.acknowledged > 0 && decided + waiting == 0 {
            findings.add(check, Wrong::Lost, format!("{id}, {times}, left no trace"));
        }
    }
    check_rows(evidence, findings);
}

/// Counts the traces of each event by the bytes that were kept of it.
fn traces<'a>(evidence: &'a Evidence<'_>) -> HashMap<String, Traces> {
    let name = |raw: &'a Option<Vec<u8>>| {
        serde_json::from_slice::<Named>(raw.as_deref()?).ok().map(|named| named.event_id)
    };
    let mut traces: HashMap<String, Traces> = HashMap::new();
    for row in evidence.picture.deliveries.iter().filter(|row| row.verdict != REPEATED) {
        if let Some(id) = name(&row.raw) {
            traces.entry(id).or_default().decided += 1;
        }
    }
    for row in &evidence.picture.inbox {
        if let Some(id) = name(&row.raw) {
            traces.entry(id).or_default().waiting += 1;
        }
    }
    traces
}

/// Compares how far each call is by what was acknowledged with how far its row is.
fn check_rows(evidence: &Evidence<'_>, findings: &Findings) {
    let mut told: BTreeMap<&str, Vec<&Fate>> = BTreeMap::new();
    for fate in evidence.fates.values().filter(|fate| fate.counts) {
        told.entry(&fate.call_id).or_default().push(fate);
    }
    let rows = evidence.picture.checkpoints.iter().filter(|row| row.kind == "interview");
    let rows: HashMap<&str, _> =
        rows.filter_map(|row| Some((row.call_id.as_deref()?, row))).collect();
    for (call_id, fates) in told {
        let Some(row) = rows.get(call_id) else {
            findings.add(1, Wrong::Lost, format!("{call_id} was told of and has no row"));
            continue;
        };
        let farthest = fates.iter().map(|fate| fate.status).max_by_key(|status| rank(*status));
        let is_behind = match (farthest, status_of(&row.status)) {
            (Some(told), Some(is)) => rank(is) < rank(told),
            _ => true,
        };
        if is_behind {
            let is = &row.status;
            findings.add(1, Wrong::Behind, format!("{call_id} is {is}, and {farthest:?} was told"));
        }
        let chars = fates.iter().map(|fate| fate.transcript_chars).max().unwrap_or_default();
        if usize::try_from(row.transcript_chars).unwrap_or_default() < chars {
            let is = row.transcript_chars;
            let text = format!("{call_id} has {is} characters of a transcript of {chars}");
            findings.add(1, Wrong::Behind, text);
        }
    }
}
