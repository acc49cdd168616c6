//! The load generator against a receiver that takes notes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use simulations::Rate;
use simulations::engine::{CallBody, CallStatus};
use simulations::load::{LoadSettings, Model, Pace, Story, WebhookLoad};
use tokio::net::TcpListener;

const CALLS: u64 = 40;

type Notes = Arc<Mutex<Vec<CallBody>>>;

async fn receiver() -> (String, Notes) {
    let notes = Notes::default();
    let routes = Router::new()
        .route("/api/voice-interviews/webhook", post(receive))
        .with_state(Arc::clone(&notes));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, routes).into_future());
    (target, notes)
}

async fn receive(
    State(notes): State<Notes>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    if headers["x-webhook-secret"] != "secret" {
        return (StatusCode::UNAUTHORIZED, Json(Value::Null));
    }
    notes.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    (StatusCode::OK, Json(json!({"success": true})))
}

fn settings(target: &str) -> LoadSettings {
    LoadSettings {
        target: target.parse().unwrap(),
        secret: SecretString::from("secret"),
        calls: CALLS,
        pace: Pace::Max,
        connections: 4,
        calls_per_connection: 3,
        duplicates: Rate::NEVER,
        reorder: Rate::NEVER,
        seed: 1,
        with_application: false,
        story: Story::Whole,
        time_max: None,
    }
}

fn statuses_by_call(notes: &Notes) -> HashMap<String, Vec<CallStatus>> {
    let mut calls: HashMap<_, Vec<_>> = HashMap::new();
    for webhook in notes.lock().unwrap().iter() {
        calls.entry(webhook.call_id.clone()).or_default().push(webhook.status);
    }
    calls
}

#[tokio::test]
async fn every_call_is_told_from_beginning_to_end() {
    let (target, notes) = receiver().await;
    let load = WebhookLoad::new(settings(&target)).unwrap();
    let counters = load.counters();
    let report = load.run().await.unwrap();
    assert_eq!((report.sent, report.ok, report.errors), (4 * CALLS, 4 * CALLS, 0));
    assert_eq!(
        (report.model, counters.calls_done(), counters.answered()),
        (Model::Closed, CALLS, 160)
    );
    let calls = statuses_by_call(&notes);
    assert_eq!(calls.len() as u64, CALLS);
    for statuses in calls.values() {
        use CallStatus::{Ended, InProgress, Queued, Ringing};
        assert_eq!(*statuses, [Queued, Ringing, InProgress, Ended]);
    }
}

#[tokio::test]
async fn duplicates_and_swaps_reach_the_receiver() {
    let (target, notes) = receiver().await;
    let mut settings = settings(&target);
    (settings.duplicates, settings.reorder) = (Rate::ALWAYS, Rate::NEVER);
    let report = WebhookLoad::new(settings.clone()).unwrap().run().await.unwrap();
    assert_eq!(report.ok, 8 * CALLS);

    notes.lock().unwrap().clear();
    (settings.duplicates, settings.reorder) = (Rate::NEVER, Rate::ALWAYS);
    WebhookLoad::new(settings).unwrap().run().await.unwrap();
    for statuses in statuses_by_call(&notes).values() {
        assert!(!statuses.is_sorted());
    }
}

#[tokio::test]
async fn a_rate_is_kept_and_latency_counts_from_the_intended_moment() {
    let (target, _) = receiver().await;
    let pace = Pace::Rate(800.0);
    let load = WebhookLoad::new(LoadSettings { pace, ..settings(&target) }).unwrap();
    let report = load.run().await.unwrap();
    assert_eq!((report.model, report.rate_asked), (Model::Open, Some(800.0)));
    let seconds = (4 * CALLS - 1) as f64 / 800.0;
    assert!(report.seconds >= seconds, "{}", report.seconds);
    assert!(report.latency_ms.max >= report.service_ms.max);
}

#[tokio::test]
async fn refusals_and_silence_are_counted() {
    let (target, notes) = receiver().await;
    let secret = SecretString::from("another");
    let load = WebhookLoad::new(LoadSettings { secret, ..settings(&target) }).unwrap();
    let report = load.run().await.unwrap();
    assert_eq!((report.ok, report.other_statuses[&401]), (0, 4 * CALLS));
    assert!(notes.lock().unwrap().is_empty());
    let nothing = report.accepted().unwrap_err();
    assert_eq!((nothing.refused, nothing.unanswered), (4 * CALLS, 0));

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = LoadSettings { calls: 1, ..settings(&format!("http://{nobody}")) };
    let load = WebhookLoad::new(settings).unwrap();
    let report = tokio::time::timeout(Duration::from_secs(20), load.run()).await.unwrap().unwrap();
    assert_eq!((report.sent, report.errors), (4, 4));
    assert!(report.first_error.unwrap().starts_with("cannot connect"));
}

#[tokio::test]
async fn load_of_which_nothing_was_taken_fails_and_says_so() {
    let (target, _) = receiver().await;
    for (secret, is_taken) in [("secret", true), ("another", false)] {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ringmaster-sim"));
        command.args(["load", "webhooks", "--calls", "3", "--max", "--target", &target]);
        let output = command.env("MR_HIRE_WEBHOOK_SECRET", secret).output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.success(), is_taken, "{said}");
        assert_eq!(said.contains("none of 12 webhooks was accepted"), !is_taken, "{said}");
    }
}
