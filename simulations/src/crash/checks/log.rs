//! Check 4: the log has no gap, rises, and folds to every row.

use std::collections::HashMap;

use domain::interview::Interview;
use domain::screening::Screening;
use domain::{EntityId, Kind, Machine};
use persistence::examine::{CheckpointRow, FactRow};
use serde_json::Value;
use uuid::Uuid;

use super::Evidence;
use crate::crash::findings::{Findings, Wrong};

pub(super) fn check(evidence: &Evidence<'_>, findings: &Findings) {
    check_numbers(evidence, findings);
    let mut facts: HashMap<Uuid, Vec<&FactRow>> = HashMap::new();
    for fact in &evidence.picture.facts {
        facts.entry(fact.entity_id).or_default().push(fact);
    }
    for row in &evidence.picture.checkpoints {
        let facts = facts.remove(&row.id).unwrap_or_default();
        if let Err(wrong) = check_entity(row, &facts) {
            findings.add(4, Wrong::Behind, format!("{} {}: {wrong}", row.kind, row.id));
        }
    }
    for id in facts.keys() {
        findings.add(4, Wrong::Lost, format!("{id} has facts and no row"));
    }
}

/// Every number from 1 to the head is given once.
fn check_numbers(evidence: &Evidence<'_>, findings: &Findings) {
    let picture = evidence.picture;
    for (expected, fact) in (1..).zip(&picture.facts) {
        if fact.seq != expected {
            let wrong = if fact.seq < expected { Wrong::Doubled } else { Wrong::Behind };
            findings.add(4, wrong, format!("the log has {} in the place of {expected}", fact.seq));
            return; // All that follow are shifted by it.
        }
    }
    let last = picture.facts.last().map_or(0, |fact| fact.seq);
    if last != picture.head {
        let head = picture.head;
        findings.add(4, Wrong::Lost, format!("the log ends at {last}, its head stands at {head}"));
    }
}

fn check_entity(row: &CheckpointRow, facts: &[&FactRow]) -> Result<(), String> {
    let mut version = 0;
    for fact in facts {
        if fact.version != version && fact.version != version + 1 {
            let (seq, next) = (fact.seq, fact.version);
            return Err(format!("version {version} is followed by {next}, at {seq}"));
        }
        version = fact.version;
    }
    if version != row.version {
        return Err(format!("the log ends at version {version}, the row is at {}", row.version));
    }
    match row.kind.parse::<Kind>() {
        Ok(Kind::Interview) => compare::<Interview>(row, facts),
        Ok(Kind::Screening) => compare::<Screening>(row, facts),
        Err(unknown) => Err(unknown.to_string()),
    }
}

/// Folds the facts and compares what comes out with the row.
fn compare<M: Machine>(row: &CheckpointRow, facts: &[&FactRow]) -> Result<(), String> {
    let mut machine = M::absent(EntityId(row.id));
    for fact in facts {
        let read: M::Fact = serde_json::from_str(&fact.data)
            .map_err(|error| format!("the fact {} cannot be read: {error}", fact.seq))?;
        machine.evolve(&read);
    }
    let folded = serde_json::to_value(&machine).map_err(|error| error.to_string())?;
    let stored: Value = serde_json::from_str(&row.state).map_err(|error| error.to_string())?;
    if folded == stored {
        return Ok(());
    }
    Err(format!("the log folds to {folded}, the row says {stored}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(seq: i64, version: i64) -> FactRow {
        let (kind, name, data) = ("interview".to_owned(), String::new(), String::new());
        FactRow { seq, kind, entity_id: Uuid::nil(), version, name, data }
    }

    fn row(version: i64, state: &str) -> CheckpointRow {
        CheckpointRow {
            kind: "interview".to_owned(),
            id: Uuid::nil(),
            version,
            state: state.to_owned(),
            status: "queued".to_owned(),
            call_id: None,
            transcript_chars: 0,
        }
    }

    #[test]
    fn missing_version_and_another_state_are_found() {
        let absent = serde_json::to_string(&Interview::absent(EntityId(Uuid::nil()))).unwrap();
        assert_eq!(check_entity(&row(0, &absent), &[]), Ok(()));
        assert!(check_entity(&row(1, &absent), &[]).is_err());
        assert!(check_entity(&row(0, "{}"), &[]).is_err());
        let (first, third) = (fact(1, 1), fact(2, 3));
        let wrong = check_entity(&row(3, &absent), &[&first, &third]).unwrap_err();
        assert!(wrong.contains("followed by 3"), "{wrong}");
    }
}
