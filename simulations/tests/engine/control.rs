//! The engine's own calls, the control routes and repeatability.

use std::time::Duration;

use chrono::DateTime;
use http::StatusCode;
use serde_json::json;
use simulations::engine::{CallScript, EngineSettings, Faults, Profile, Start, World};

use crate::bench::{Bench, application, settings};

// The world, control and repeatability.

#[tokio::test]
async fn the_engine_places_the_first_calls_of_its_world_itself() {
    let mut applications = [application(1), application(2), application(3)];
    applications[0].start = Start::AfterS(10.0);
    applications[1].start = Start::AfterS(40.0);
    applications[2].start = Start::Never;
    let begun = DateTime::UNIX_EPOCH;
    let world = World { applications: applications.to_vec() };
    let bench =
        Bench::with(EngineSettings { world, simulated_start: Some(begun), ..settings() }).await;
    let ledger = bench.all_settled(2).await;
    let ids: Vec<_> = ledger.calls.iter().map(|call| call.application_id.unwrap()).collect();
    assert_eq!(ids, [applications[0].application_id, applications[1].application_id]);
    assert!(ledger.calls[0].created_at.simulated >= begun + Duration::from_secs(10));
    assert!(ledger.calls[1].created_at.simulated >= begun + Duration::from_secs(40));
    for webhook in bench.received() {
        assert!(webhook.belongs_to.is_some() && webhook.application_id.is_some());
    }
}

#[tokio::test]
async fn a_reset_forgets_everything_but_gives_no_id_twice() {
    let bench = Bench::answering().await;
    let before = bench.call(CallScript::default()).await;
    assert_eq!(bench.post("/_sim/reset", &json!({}), None).await.0, StatusCode::NO_CONTENT);
    assert!(bench.ledger().calls.is_empty());
    assert_ne!(bench.call(CallScript::default()).await, before);
    bench.post("/_sim/reset", &json!({"seed": 1}), None).await;
    assert_eq!(bench.call(CallScript::default()).await, before);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_calls() {
    let mut runs = Vec::new();
    for seed in [3, 3, 4] {
        let lifelike = Faults::lifelike();
        let profile = Profile::default();
        let bench =
            Bench::with(EngineSettings { seed, profile, faults: lifelike, ..settings() }).await;
        bench.generate(30).await;
        let calls = bench.all_settled(30).await.calls.into_iter();
        let told = calls.map(|call| {
            (call.call_id, call.outcome, call.duration_s.to_bits(), call.webhooks.planned)
        });
        runs.push(told.collect::<Vec<_>>());
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}
