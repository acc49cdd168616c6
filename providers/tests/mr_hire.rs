//! The engine's client against the engine's simulator, over real HTTP, and against answers no engine
//! should give.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{any, post};
use chrono::{DateTime, TimeDelta, Utc};
use domain::interview::CallStatus;
use domain::ports::{
    AnalysisRequest, Analyzer, CallEngine, DialRequest, EngineError, Leave, LostDial,
    ProviderRefresh, Sighting,
};
use domain::{CallId, EntityId, IntentId, Phone};
use providers::{MrHire, MrHireSettings};
use serde_json::json;
use simulations::Rate;
use simulations::engine::{Engine, EngineHandle, EngineSettings, Faults};
use tokio::net::TcpListener;
use uuid::Uuid;

fn client(base: Option<&str>) -> MrHire {
    let settings = MrHireSettings {
        base: base.map(|url| url.parse().unwrap()),
        token: Some("internal-token".into()),
    };
    MrHire::new(settings).unwrap()
}

async fn engine(faults: Faults) -> (EngineHandle, MrHire) {
    let settings = EngineSettings { faults, ..EngineSettings::default() };
    let engine = Engine::start(settings).await.unwrap();
    let client = client(Some(engine.base_url()));
    (engine, client)
}

/// Serves `router` on loopback and returns a client of it.
async fn stranger(router: Router) -> MrHire {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    client(Some(&url))
}

fn order(intent: u128) -> DialRequest {
    DialRequest {
        intent: IntentId(Uuid::from_u128(intent)),
        phone: Phone::parse("+919529117230").unwrap(),
        candidate_name: "Asha Rao".to_owned(),
        role: "Backend Engineer".to_owned(),
        system_prompt: "You are kind.".to_owned(),
        application: Some(EntityId(Uuid::from_u128(7))),
        belongs_to: None,
        provider: None,
        leave: Leave::new(|| true),
    }
}

fn transcript(text: &str) -> AnalysisRequest {
    AnalysisRequest {
        call_id: CallId::parse("call_1").unwrap(),
        application: EntityId(Uuid::from_u128(7)),
        job_title: "Backend Engineer".to_owned(),
        job_description: String::new(),
        transcript: text.to_owned(),
    }
}

#[tokio::test]
async fn dial_repeated_with_its_key_is_one_call() {
    let (engine, client) = engine(Faults::default()).await;
    let (first, _) = client.dial(order(1)).await.unwrap();
    let (again, _) = client.dial(order(1)).await.unwrap();
    let (other, _) = client.dial(order(2)).await.unwrap();
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert_eq!(engine.engine().ledger().totals.calls, 2);
}

#[tokio::test]
async fn dial_carries_our_intent_to_the_webhook() {
    let (_engine, client) = engine(Faults::default()).await;
    let (call, _) = client.dial(order(5)).await.unwrap();
    let report = client.call(call.clone()).await.unwrap();
    assert_eq!(report.call_id, call);
    assert_eq!(report.intent, Some(IntentId(Uuid::from_u128(5))));
    assert_eq!(report.application, Some(EntityId(Uuid::from_u128(7))));
    let listed = client.calls().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].call_id, call);
    assert!(listed[0].status >= CallStatus::Queued);
}

#[tokio::test]
async fn dial_that_may_not_leave_any_more_does_not() {
    let (engine, client) = engine(Faults::default()).await;
    let late = DialRequest { leave: Leave::new(|| false), ..order(1) };
    assert!(matches!(client.dial(late).await, Err(EngineError::NotSent)));
    assert_eq!(engine.engine().ledger().requests.len(), 0);
}

#[tokio::test]
async fn refresh_names_the_user_and_says_what_came_of_it() {
    let (engine, client) = engine(Faults::default()).await;
    let user = Uuid::from_u128(9);
    client.refresh_provider(user).await.unwrap();
    let refreshes = engine.engine().ledger().refreshes;
    let told: Vec<_> = refreshes.iter().map(|one| (one.user_id.clone(), one.status)).collect();
    assert_eq!(told, [(Some(user.to_string()), 204)]);

    let mut faults = Faults::default();
    faults.pull.refresh_error = Rate::new(1.0).unwrap();
    engine.engine().set_faults(faults);
    assert!(matches!(client.refresh_provider(user).await, Err(EngineError::Unsure(_))));
    let wordy = stranger(Router::new().fallback(any(|| async { "{\"ok\":true}" }))).await;
    wordy.refresh_provider(user).await.unwrap();
    let off = self::client(None);
    assert!(matches!(off.refresh_provider(user).await, Err(EngineError::Off)));
}

/// Connecting may take seconds, in which the window closes or the button is pressed.
#[tokio::test]
async fn dial_is_asked_whether_it_may_leave_when_the_connection_stands() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let client = client(Some(&format!("http://{}", listener.local_addr().unwrap())));
    let accepted = Arc::new(Mutex::new(None));
    let leave = Leave::new({
        let accepted = Arc::clone(&accepted);
        move || {
            *accepted.lock().unwrap() = listener.accept().ok();
            false
        }
    });
    let dialled = client.dial(DialRequest { leave, ..order(1) }).await;
    assert!(matches!(dialled, Err(EngineError::NotSent)), "{dialled:?}");
    let (mut socket, _) = accepted.lock().unwrap().take().expect("asked before it was connected");
    socket.set_nonblocking(false).unwrap();
    let mut heard = Vec::new();
    socket.read_to_end(&mut heard).unwrap();
    assert_eq!(String::from_utf8_lossy(&heard), "", "not even its head");
}

#[expect(clippy::disallowed_methods, reason = "the simulated engine lives in real time here")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

fn lost(intent: u128) -> LostDial {
    LostDial {
        intent: IntentId(Uuid::from_u128(intent)),
        phone: Phone::parse("+919529117230").unwrap(),
        since: now(),
    }
}

#[tokio::test]
async fn dial_whose_answer_was_lost_is_found_by_its_intent() {
    let mut faults = Faults::default();
    faults.dial.accept_then_fail = Rate::ALWAYS;
    let (engine, client) = engine(faults).await;
    assert!(client.dial(order(1)).await.is_err());
    let Sighting::Placed(call_id, _) = client.find(lost(1)).await.unwrap() else {
        panic!("not found")
    };
    assert_eq!(engine.engine().ledger().calls[0].call_id, call_id.as_str());
    assert_eq!(client.find(lost(2)).await.unwrap(), Sighting::Absent);
}

#[tokio::test]
async fn dial_is_looked_for_on_every_page_back_to_its_time() {
    let settings = EngineSettings { calls_live_max: 1_000, ..EngineSettings::default() };
    let engine = Engine::start(settings).await.unwrap();
    let client = client(Some(engine.base_url()));
    let since = now();
    for intent in 1..=230 {
        let phone = Phone::parse(&format!("+9195291{intent:05}")).unwrap();
        client.dial(DialRequest { phone, ..order(intent) }).await.unwrap();
    }
    let first = client.find(LostDial { since, ..lost(1) }).await.unwrap();
    assert!(matches!(first, Sighting::Placed(..)), "{first:?}");
    assert_eq!(client.find(lost(999)).await.unwrap(), Sighting::Absent);
}

#[tokio::test]
async fn engine_that_forgets_metadata_proves_nothing_about_a_number_it_rang() {
    let (_engine, client) = engine(Faults { metadata_forgotten: true, ..Faults::default() }).await;
    client.dial(order(1)).await.unwrap();
    assert_eq!(client.find(lost(1)).await.unwrap(), Sighting::Unclear);
    let other = Phone::parse("+919529117231").unwrap();
    assert_eq!(client.find(LostDial { phone: other, ..lost(1) }).await.unwrap(), Sighting::Absent);
    let later = now() + TimeDelta::hours(1);
    assert_eq!(client.find(LostDial { since: later, ..lost(1) }).await.unwrap(), Sighting::Absent);
}

#[tokio::test]
async fn full_list_without_a_cursor_is_not_complete() {
    let row = |n: usize| {
        json!({"callId": format!("c{n}"), "phoneNumber": "+919529117239",
        "status": "queued", "createdAt": now()})
    };
    for (rows, said) in [(99, Sighting::Absent), (100, Sighting::Unclear)] {
        let calls: Vec<_> = (0..rows).map(row).collect();
        let list = json!({ "calls": calls }).to_string();
        let client = stranger(Router::new().fallback(any(move || async move { list }))).await;
        assert_eq!(client.find(lost(1)).await.unwrap(), said);
    }
}

#[tokio::test]
async fn answer_that_may_hide_a_call_is_unsure_and_sent_once() {
    let mut faults = Faults::default();
    faults.dial.accept_then_fail = Rate::ALWAYS;
    let (engine, client) = engine(faults).await;
    assert!(matches!(client.dial(order(1)).await, Err(EngineError::Unsure(_))));
    assert_eq!(
        engine.engine().ledger().requests.len(),
        1,
        "a dial is never repeated by the client"
    );
}

#[tokio::test]
async fn full_or_draining_engine_says_when_to_come_again() {
    let mut faults = Faults::default();
    faults.dial.too_many = Rate::ALWAYS;
    let (engine, client) = engine(faults).await;
    let answer = client.dial(order(1)).await;
    assert!(
        matches!(answer, Err(EngineError::Throttled { retry_after }) if retry_after.num_seconds() >= 1)
    );
    let mut draining = Faults::default();
    draining.dial.draining = true;
    engine.engine().set_faults(draining);
    assert!(matches!(client.dial(order(1)).await, Err(EngineError::Throttled { .. })));
}

#[tokio::test]
async fn refused_order_is_refused_with_the_engines_code() {
    let (_engine, client) = engine(Faults::default()).await;
    let empty = DialRequest { system_prompt: String::new(), ..order(1) };
    let answer = client.dial(empty).await;
    assert!(matches!(answer, Err(EngineError::Refused { code }) if !code.is_empty()));
}

#[tokio::test]
async fn unknown_call_is_not_found() {
    let (_engine, client) = engine(Faults::default()).await;
    let unknown = CallId::parse("call_nobody").unwrap();
    assert!(matches!(client.call(unknown).await, Err(EngineError::NotFound)));
}

#[tokio::test]
async fn analysis_is_scored_and_its_failures_are_told_apart() {
    let said = "assistant: Hello. user: I design services that lose nothing, and measure them.";
    let mut fast = Faults::default();
    fast.analyzer.latency = simulations::Span::seconds(0.0, 0.0);
    let (engine, client) = engine(fast.clone()).await;
    let analysis = client.analyze(transcript(said)).await.unwrap();
    assert!((0.0..=100.0).contains(&analysis.overall));
    assert!(analysis.cost.is_some());
    let mut busy = fast.clone();
    busy.analyzer.too_many = Rate::ALWAYS;
    engine.engine().set_faults(busy);
    let answer = client.analyze(transcript(said)).await;
    assert!(matches!(answer, Err(EngineError::Throttled { .. })));
    let mut broken = fast;
    broken.analyzer.server_error = Rate::ALWAYS;
    engine.engine().set_faults(broken);
    let answer = client.analyze(transcript(said)).await;
    assert!(matches!(answer, Err(EngineError::Unsure(_))));
}

#[tokio::test]
async fn engine_that_is_off_or_not_there_was_sent_nothing() {
    let off = client(None);
    assert!(!off.is_on());
    assert!(matches!(off.dial(order(1)).await, Err(EngineError::Off)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert!(matches!(client(Some(&nobody)).dial(order(1)).await, Err(EngineError::NotSent)));
}

#[tokio::test]
async fn redirect_is_not_followed_with_our_token() {
    let followed = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&followed);
    let target = move || {
        seen.fetch_add(1, Ordering::Relaxed);
        async { "{}" }
    };
    let moved = || async { (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/elsewhere")]) };
    let client =
        stranger(Router::new().route("/call", post(moved)).route("/elsewhere", any(target))).await;
    assert!(matches!(client.dial(order(1)).await, Err(EngineError::Unsure(_))));
    assert_eq!(followed.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn garbage_in_a_good_answer_is_unsure() {
    for body in ["", "nonsense", "[]", r#"{"callId":7}"#, r#"{"callId":""}"#] {
        let client =
            stranger(Router::new().route("/call", post(move || async move { body }))).await;
        assert!(matches!(client.dial(order(1)).await, Err(EngineError::Unsure(_))), "{body}");
    }
}

#[tokio::test]
async fn endless_answer_is_cut_off() {
    let endless = || async {
        let chunk = axum::body::Bytes::from(vec![b' '; 1024 * 1024]);
        let chunks =
            futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
        axum::body::Body::from_stream(chunks).into_response()
    };
    let client = stranger(Router::new().route("/call", post(endless))).await;
    assert!(matches!(client.dial(order(1)).await, Err(EngineError::Unsure(_))));
}

#[tokio::test]
async fn answer_about_another_call_is_not_believed() {
    let other = || async { r#"{"callId":"call_other","status":"ended"}"# };
    let client = stranger(Router::new().route("/call/{id}", any(other))).await;
    let asked = CallId::parse("call_mine").unwrap();
    assert!(matches!(client.call(asked).await, Err(EngineError::Unsure(_))));
}
