//! Points 12 and 14 of the checklist, and the rest of `POST /call`: keys, refusals, misleading
//! answers.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use simulations::Rate;
use simulations::engine::{CallScript, DialAnswer, EngineSettings, Faults, Outcome, Provider};

use crate::bench::{Bench, TOKEN, application, dialling, order, settings, speed};

// 12. All lines taken: 429 with Retry-After.

#[tokio::test]
async fn beyond_the_lines_orders_are_sent_away() {
    let slow = EngineSettings { speed: speed(1.0), calls_live_max: 2, ..settings() };
    let bench = Bench::with(slow).await;
    assert_eq!(bench.place(&order(1)).await.0, StatusCode::OK);
    assert_eq!(bench.place(&order(2)).await.0, StatusCode::OK);
    let answer = bench.send(bench.request_call(&order(3))).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let retry_after: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(retry_after >= 1);
    assert_eq!(bench.ledger().calls.len(), 2);
}

// 14. A retry gets a call id of its own, and counts as the next attempt of its application.

#[tokio::test]
async fn a_retry_is_another_call() {
    let bench = Bench::answering().await;
    let mut scripted = application(7);
    scripted.attempts = vec![CallScript::ending(Outcome::Busy), CallScript::boundary(60.0, 51)];
    let first = bench.start(scripted.clone()).await;
    let mut retry = order(1);
    retry["applicationId"] = json!(scripted.application_id);
    let (_, answer) = bench.place(&retry).await;
    let second = answer["callId"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    let entry = bench.settled_entry(&second).await;
    assert_eq!((entry.attempt, entry.duration_s, entry.transcript_chars), (2, 60.0, 51));
    assert_eq!(bench.entry(&first).outcome, Outcome::Busy);
    assert_eq!(bench.webhooks_of(&second, 1).await[0].metadata.as_ref().unwrap()["intentId"], "1");
}

// POST /call beyond the list: keys, refusals and answers that mislead.

#[tokio::test]
async fn a_key_makes_a_repetition_harmless() {
    let bench = Bench::answering().await;
    let (_, first) = bench.place(&order(1)).await;
    assert_eq!(bench.place(&order(1)).await.1, first);
    let mut other = order(1);
    other["candidateName"] = json!("Somebody Else");
    let (status, answer) = bench.place(&other).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (StatusCode::CONFLICT, &json!("idempotency_key_reused"))
    );
    let ledger = bench.ledger();
    let call_id = ledger.calls[0].call_id.clone();
    assert_eq!(ledger.calls.len(), 1);
    let answers: Vec<_> = ledger.requests.into_iter().map(|request| request.answer).collect();
    assert_eq!(answers[0], DialAnswer::Accepted { call_id: call_id.clone() });
    assert_eq!(answers[1], DialAnswer::Replayed { call_id });
    assert!(matches!(answers[2], DialAnswer::Refused { status: 409, .. }));
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let day_in_half_a_second = 24.0 * 3600.0 / 0.5;
    let fast = EngineSettings { speed: speed(day_in_half_a_second), ..settings() };
    let bench = Bench::with(fast).await;
    let (_, first) = bench.place(&order(1)).await;
    let second = bench.until("the key is forgotten", async || {
        let (_, answer) = bench.place(&order(1)).await;
        (answer["callId"] != first["callId"]).then_some(answer)
    });
    assert!(second.await["callId"].is_string());
}

#[tokio::test]
async fn an_order_is_refused_for_good_reasons() {
    let mut careful = settings();
    let user = uuid::Uuid::from_u128(5);
    careful.providers_allowed.insert(user, vec![Provider::ElevenLabs]);
    let bench = Bench::with(careful).await;
    let with = |key: &str, value: Value| {
        let mut order = order(9);
        order[key] = value;
        order
    };
    let invalid =
        [with("phoneNumber", json!("12345")), with("systemPrompt", json!(" ")), json!([])];
    for order in invalid {
        assert_eq!(bench.place(&order).await.0, StatusCode::BAD_REQUEST);
    }
    let status = bench.place(&with("belongsTo", json!(user))).await.0;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _) = bench.post("/call", &order(9), Some("wrong")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(bench.post("/call", &order(9), Some(TOKEN)).await.0, StatusCode::OK);
    assert_eq!((bench.ledger().requests.len(), bench.ledger().calls.len()), (6, 1));
}

#[tokio::test]
async fn an_order_fails_on_demand() {
    let bench = Bench::answering().await;
    bench.set_faults(dialling(|dial| dial.draining = true)).await;
    assert_eq!(bench.place(&order(1)).await.0, StatusCode::SERVICE_UNAVAILABLE);
    bench.set_faults(dialling(|dial| dial.server_error = Rate::ALWAYS)).await;
    assert!(bench.place(&order(2)).await.0.is_server_error());
    bench.set_faults(dialling(|dial| dial.too_many = Rate::ALWAYS)).await;
    let answer = bench.send(bench.request_call(&order(3))).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(bench.ledger().calls.is_empty());
}

#[tokio::test]
async fn a_call_may_be_placed_though_the_answer_says_otherwise() {
    let bench = Bench::answering().await;
    bench.set_faults(dialling(|dial| dial.accept_then_time_out = Rate::ALWAYS)).await;
    let request = bench.request_call(&order(1)).timeout(Duration::from_millis(300));
    assert!(request.send().await.unwrap_err().is_timeout());
    bench.set_faults(dialling(|dial| dial.accept_then_fail = Rate::ALWAYS)).await;
    assert_eq!(bench.place(&order(2)).await.0, StatusCode::BAD_GATEWAY);

    let ledger = bench.all_settled(2).await;
    assert!(matches!(ledger.requests[0].answer, DialAnswer::Unanswered { .. }));
    assert!(matches!(ledger.requests[1].answer, DialAnswer::Denied { .. }));
    bench.set_faults(Faults::default()).await;
    let (_, answer) = bench.place(&order(1)).await; // The key still stands for the first call.
    assert_eq!(answer["callId"], ledger.calls[0].call_id);
}

#[tokio::test]
async fn metadata_is_echoed_unless_it_is_forgotten() {
    let bench = Bench::answering().await;
    let (_, answer) = bench.place(&order(1)).await;
    let call_id = answer["callId"].as_str().unwrap();
    let told = bench.settled(call_id).await;
    assert!(told.iter().all(|webhook| webhook.metadata.as_ref().unwrap()["intentId"] == "1"));
    let (_, list) = bench.get("/calls").await;
    let (_, detail) = bench.get(&format!("/call/{call_id}")).await;
    assert_eq!(list["calls"][0]["metadata"]["intentId"], "1");
    assert_eq!(detail["metadata"]["intentId"], "1");
    assert!(!bench.entry(call_id).metadata_forgotten);

    bench.set_faults(Faults { metadata_forgotten: true, ..Faults::default() }).await;
    let (_, list) = bench.get("/calls").await;
    assert!(list["calls"][0].get("metadata").is_none());
    assert!(bench.entry(call_id).metadata_forgotten, "the ledger says so");
}
