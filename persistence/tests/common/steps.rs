//! Steps as an entity's shell would submit them.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ports::{Decided, FactRecord, State, Step, VerdictName, Wake};
use domain::{Cause, DedupeKey, EntityId, EntityKey, Kind, Rejected, TenantId};
use uuid::Uuid;

/// The shape of everything these steps store.
const SCHEMA: u16 = 1;
/// Where the columns of an interview's projection stand.
const CALL_ID: usize = 0;
const STATUS: usize = 1;
const OUTCOME: usize = 3;
const DURATION: usize = 7;
const COST: usize = 8;
const ENDED_AT: usize = 13;
/// Where its documents stand.
pub const TRANSCRIPT: usize = 15;
pub const MESSAGES: usize = 16;
/// How many columns there are.
const COLUMNS: usize = 18;

/// Returns the key of a test's `n`-th interview.
pub fn interview(n: u128) -> EntityKey {
    EntityKey { kind: Kind::Interview, id: EntityId(Uuid::from_u128(0x1_0000_0000 + n)) }
}

/// Returns the key of a test's `n`-th screening.
pub fn screening(n: u128) -> EntityKey {
    EntityKey { kind: Kind::Screening, id: EntityId(Uuid::from_u128(0x2_0000_0000 + n)) }
}

/// Returns the key of the push that moves `entity` on from `expected`.
pub fn push_key(entity: EntityKey, expected: i64) -> DedupeKey {
    DedupeKey::named(entity, &expected.to_string())
}

/// Moves an interview to `status` because of a push: one fact, and a wake time an hour later.
pub fn moved(entity: EntityKey, expected: i64, status: &str, at: DateTime<Utc>) -> Step {
    let mut columns = vec![None; COLUMNS];
    columns[CALL_ID] = Some(format!("call-{}", entity.id));
    columns[STATUS] = Some(status.to_owned());
    columns[2] = Some("unknown".to_owned());
    columns[4] = Some("vapi".to_owned());
    columns[5] = Some("+919529117230".to_owned());
    columns[6] = Some("Asha Rao".to_owned());
    Step {
        key: entity,
        tenant: TenantId::DEFAULT,
        expected,
        state: State::Moved { schema: SCHEMA, state: state(entity, expected, status), columns },
        wake: Wake::At(at + TimeDelta::hours(1)),
        deliveries: vec![pushed(push_key(entity, expected), VerdictName::Applied, at)],
        facts: vec![fact("moved", at)],
        intents: Vec::new(),
        signals: Vec::new(),
        aliases: Vec::new(),
        erase: false,
    }
}

/// Ends an interview with everything that is known then; nothing is waited for afterwards.
pub fn ended(entity: EntityKey, expected: i64, at: DateTime<Utc>) -> Step {
    let mut step = moved(entity, expected, "ended", at);
    set(&mut step, OUTCOME, "completed");
    set(&mut step, DURATION, "312.5");
    set(&mut step, COST, "0.42");
    set(&mut step, ENDED_AT, &at.to_rfc3339());
    set(&mut step, TRANSCRIPT, &TURN.repeat(12));
    set(&mut step, MESSAGES, &turns());
    step.wake = Wake::Never;
    step.facts.push(fact("enriched", at));
    step
}

/// Moves a screening: one fact, and a wake time an hour later.
pub fn screened(entity: EntityKey, expected: i64, at: DateTime<Utc>) -> Step {
    let mut columns = vec![None; 16];
    columns[0] = Some("pending".to_owned());
    columns[1] = Some("awaiting_call".to_owned());
    columns[2] = Some("1".to_owned());
    let state = State::Moved { schema: SCHEMA, state: state(entity, expected, "waiting"), columns };
    Step { state, ..moved(entity, expected, "", at) }
}

/// Refuses a push: its verdict is recorded, and nothing moves.
pub fn refused(entity: EntityKey, expected: i64, name: &str, at: DateTime<Utc>) -> Step {
    let key = DedupeKey::named(entity, name);
    Step {
        state: State::Unmoved,
        wake: Wake::Keep,
        deliveries: vec![pushed(key, VerdictName::Rejected(Rejected::Backward), at)],
        facts: Vec::new(),
        ..moved(entity, expected, "", at)
    }
}

/// Returns a push with its bytes and its verdict.
pub fn pushed(key: DedupeKey, verdict: VerdictName, at: DateTime<Utc>) -> Decided {
    let raw = format!(r#"{{"id":"{key}","said":"{}"}}"#, TURN.repeat(2));
    Decided {
        cause: Cause::Pushed { key, raw: Arc::from(raw.into_bytes()) },
        received_at: at,
        verdict,
        remarks: None,
    }
}

/// Returns a fact.
pub fn fact(name: &'static str, at: DateTime<Utc>) -> FactRecord {
    FactRecord { name, schema: SCHEMA, data: format!(r#"{{"{name}":{{"to":"ringing"}}}}"#), at }
}

/// Overwrites one column of the projection.
pub fn set(step: &mut Step, column: usize, value: &str) {
    if let State::Moved { columns, .. } = &mut step.state {
        columns[column] = Some(value.to_owned());
    }
}

/// Gives an interview a call that is not its own.
pub fn set_call_id(step: &mut Step, call_id: &str) {
    set(step, CALL_ID, call_id);
}

const TURN: &str = "Could you tell me about a service you built, what it was used for, and which \
    part of it you would build in another way today? I would like to hear about its storage, its \
    interfaces, and how you found out that it did what it was meant to do when nobody looked. ";

fn turns() -> String {
    let turn = |n: usize| {
        let role = if n.is_multiple_of(2) { "assistant" } else { "user" };
        format!(r#"{{"role":"{role}","message":"{TURN}"}}"#)
    };
    format!("[{}]", (0..12).map(turn).collect::<Vec<_>>().join(","))
}

/// Returns a checkpoint of about the usual length.
fn state(entity: EntityKey, expected: i64, status: &str) -> String {
    format!(
        r#"{{"call_id":"call-{}","status":"{status}","steps":{},"phone":"+919529117230","candidate_name":"Asha Rao","provider":"vapi","answered_by":"unknown","documents":{{"transcript":{{"length":3400,"hash":"9f86d081884c7d659a2feaa0c55ad015"}},"turns":{{"count":12,"hash":"60303ae22b998861bce3b28f33eec1be"}}}},"deadline":"2026-01-01T00:00:00Z"}}"#,
        entity.id,
        expected + 1,
    )
}
