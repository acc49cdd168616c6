//! Check 9: nothing open is without a future.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::interview::Interview;
use domain::screening::Screening;
use domain::{Kind, Machine};
use persistence::examine::{CheckpointRow, IntentEntry};

use super::Evidence;
use crate::crash::findings::{Findings, Wrong};

/// How far taking a wake time or an intent pushes it ahead.
const HOLD: TimeDelta = TimeDelta::seconds(30);

pub(super) fn check(evidence: &Evidence<'_>, findings: &Findings) {
    let picture = evidence.picture;
    for row in &picture.inbox {
        let why = match (&row.set_aside, row.waits_for) {
            (Some(reason), _) => format!("was set aside: {reason}"),
            (None, Some(intent)) => format!("waits for {intent}"),
            (None, None) => "waits".to_owned(),
        };
        let text = format!("the inbox row {} of {} {} {why}", row.id, row.kind, row.entity_id);
        findings.add(9, Wrong::Stuck, text);
    }
    for id in &picture.quarantined {
        findings.add(9, Wrong::Stuck, format!("{id} is in quarantine"));
    }
    for intent in &picture.intents {
        if let Some(why) = overdue(intent, evidence) {
            findings.add(9, Wrong::Stuck, format!("the {} {} {why}", intent.operation, intent.id));
        }
    }
    let wakes: HashMap<_, _> =
        picture.wakes.iter().map(|row| (row.entity_id, row.due_at)).collect();
    for row in &picture.checkpoints {
        let Some(wanted) = wake_at(row) else { continue };
        let latest = wanted.max(evidence.now) + HOLD + evidence.slack;
        match wakes.get(&row.id) {
            Some(due) if *due <= latest => {}
            Some(due) => {
                let text =
                    format!("{} {} wants to be woken at {wanted}, not {due}", row.kind, row.id);
                findings.add(9, Wrong::Stuck, text);
            }
            None => {
                let text =
                    format!("{} {} wants to be woken at {wanted}, never is", row.kind, row.id);
                findings.add(9, Wrong::Stuck, text);
            }
        }
    }
}

fn overdue(intent: &IntentEntry, evidence: &Evidence<'_>) -> Option<String> {
    let limit = evidence.now - evidence.slack;
    match (intent.status.as_str(), intent.look_at) {
        ("planned", _) if intent.due_at < limit => {
            Some(format!("is planned since {}", intent.due_at))
        }
        ("sending", Some(look_at)) if look_at < limit => {
            Some(format!("is being sent, and was to be looked at {look_at}"))
        }
        ("sending", None) => Some("is being sent, and is never looked at".to_owned()),
        ("ambiguous", _) => Some("is ambiguous".to_owned()),
        _ => None,
    }
}

/// Returns when the machine of a row wants to be woken.
fn wake_at(row: &CheckpointRow) -> Option<DateTime<Utc>> {
    match row.kind.parse().ok()? {
        Kind::Interview => serde_json::from_str::<Interview>(&row.state).ok()?.wake_at(),
        Kind::Screening => serde_json::from_str::<Screening>(&row.state).ok()?.wake_at(),
    }
}
