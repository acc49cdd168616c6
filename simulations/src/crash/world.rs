//! The simulated engine of a run: candidates whom the product must ring, and what goes wrong there.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::json;

use crate::cast::{Candidate, Home};
use crate::clock::Speed;
use crate::engine::{
    CallScript, DialFaults, Engine, EngineHandle, EngineSettings, Faults, Outcome,
};
use crate::product::Keys;

/// Lines of the engine: nobody is turned away for want of one.
const LINES: usize = 2_000;
/// How long a request is held that "times out", in real seconds: longer than a dial may take to leave.
const HOLD_S: f64 = 0.4;

/// When simulated time begins: 09:00 in India.
pub(super) fn morning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_803_871_800, 0).unwrap_or_default()
}

/// Starts the engine; it pushes to `webhooks`.
pub(super) async fn engine(
    seed: u64,
    speed: Speed,
    keys: &Keys,
    webhooks: &str,
) -> anyhow::Result<EngineHandle> {
    Engine::start(EngineSettings {
        seed,
        speed,
        simulated_start: Some(morning()),
        webhook_url: Some(webhooks.to_owned()),
        webhook_secret: Some(SecretString::from(keys.webhook_secret.as_str())),
        internal_token: SecretString::from(keys.service_token.as_str()),
        calls_live_max: LINES,
        ..EngineSettings::default()
    })
    .await
}

/// What goes wrong at the engine while the product is being broken.
///
/// # Errors
/// Never: the document is written here.
pub(super) fn faults(forgets: bool, placed: u64) -> anyhow::Result<Faults> {
    // Where calls are asked for, one dial in three is taken and never answered, and so few webhooks come that
    // many a one is found by looking it up alone. What such an engine also forgot would be held until the
    // longest call is over, which no run waits for at a pace that dials keep.
    let (forgets, time_out, lose) =
        if placed > 0 { (false, 0.33, 0.6) } else { (forgets, 0.1, 0.01) };
    let keys_ignored = after(placed).dial.keys_ignored;
    Ok(serde_json::from_value(json!({
        "webhooks": {
            "duplicateSameEvent": 0.1, "duplicateNewEvent": 0.05, "reorder": 0.1, "delay": 0.05,
            "earlyEnded": 0.3, "skipStates": 0.05, "shrinkMessages": 0.05, "lose": lose,
        },
        "dial": {
            "acceptThenTimeOut": time_out, "acceptThenFail": 0.15, "serverError": 0.05, "tooMany": 0.05,
            "answerAfterFirstWebhook": 0.35, "keysIgnored": keys_ignored,
        },
        "analyzer": {"tooMany": 0.05, "serverError": 0.05},
        "pull": {"serverError": 0.02},
        "metadataForgotten": forgets,
        "holdS": HOLD_S,
    }))?)
}

/// What goes on once nothing breaks any more: where calls are asked for, keys mean nothing to the engine.
///
/// An engine that knows a key again would answer a dial that is sent twice with the first one's call, and
/// nobody would be seen to ring twice, whatever the product does.
pub(super) fn after(placed: u64) -> Faults {
    let dial = DialFaults { keys_ignored: placed > 0, ..DialFaults::default() };
    Faults { dial, ..Faults::default() }
}

/// Makes up `count` candidates; everybody is interviewed in the second call.
pub(super) fn cast(seed: u64, count: u32) -> Vec<Candidate> {
    let draw = |position: u32| {
        let home = Home::ALL[if position % 5 == 4 { 1 } else { 0 }];
        let mut candidate = Candidate::living(home, seed, position);
        let first = match position % 4 {
            0 => CallScript::ending(Outcome::NoAnswer),
            1 => CallScript::ending(Outcome::Busy),
            2 => CallScript::boundary(59.9, 900),
            _ => CallScript::ending(Outcome::ProviderError),
        };
        let talk = CallScript::boundary(f64::from(61 + position % 40), 400);
        candidate.application.attempts = vec![first, talk];
        candidate
    };
    (0..count).map(draw).collect()
}

/// Returns when the first call of each candidate begins, spread over `span` of real time.
pub(super) fn begins(
    now: DateTime<Utc>,
    span: Duration,
    speed: Speed,
    count: usize,
) -> Vec<DateTime<Utc>> {
    let span_ms = span.as_millis() as f64 * speed.factor();
    let at = |position: usize| {
        let share = position as f64 / count.max(1) as f64;
        now + TimeDelta::milliseconds((span_ms * share) as i64)
    };
    (0..count).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_rings_again_for_a_key_that_it_knows_as_long_as_a_run_goes_on() {
        for during in [faults(true, 1).unwrap(), after(1)] {
            assert!(during.dial.keys_ignored);
        }
        assert_eq!(after(0), Faults::default());
    }

    #[test]
    fn faults_are_understood_and_the_day_begins_at_nine_in_india() {
        assert!(faults(true, 0).unwrap().metadata_forgotten);
        assert_eq!(morning().to_rfc3339(), "2027-03-01T03:30:00+00:00");
    }
}
