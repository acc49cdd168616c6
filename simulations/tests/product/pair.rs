//! Two servers on one database end with the same records as one.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use http::{HeaderMap, StatusCode};
use simulations::audit;
use simulations::cast::{Candidate, Home};
use simulations::engine::{CallScript, Faults, Outcome};
use simulations::product::{Api, Server, ServerPlan, free_address};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::harness::{
    AFTER_RETRIES, Folder, SOON, Setup, World, base, eventually, own_database, webhook_url,
};

/// Slower than the other tests: two servers that move the same entities on wait for each other, and
/// a dial must leave within 10 simulated seconds all the same.
const SPEED: f64 = 400.0;

/// Hands each webhook to another of several servers than the one before.
struct Splitter {
    http: reqwest::Client,
    targets: Mutex<Vec<String>>,
    count: AtomicUsize,
}

impl Splitter {
    /// Starts to listen; returns the URL that stands for all targets.
    async fn start() -> (Arc<Self>, String) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let (targets, count) = (Mutex::default(), AtomicUsize::new(0));
        let splitter = Arc::new(Self { http, targets, count });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass_on).with_state(Arc::clone(&splitter));
        tokio::spawn(axum::serve(listener, router).into_future());
        (splitter, url)
    }
}

async fn pass_on(
    State(splitter): State<Arc<Splitter>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = {
        let targets = splitter.targets.lock().await;
        let turn = splitter.count.fetch_add(1, Ordering::Relaxed);
        targets[turn % targets.len()].clone()
    };
    let secret = headers.get("x-webhook-secret").cloned();
    let mut request = splitter.http.post(target).header("content-type", "application/json");
    if let Some(secret) = secret {
        request = request.header("x-webhook-secret", secret);
    }
    match request.body(body).send().await {
        Ok(answer) => answer.status().into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// Candidates of whom everything is scripted, so that two runs come out alike; none needs a third call.
fn cast() -> Vec<Candidate> {
    let attempts = |position: u32| match position % 6 {
        0 => vec![CallScript::boundary(60.0, 51)],
        1 => vec![CallScript::boundary(59.9, 900), CallScript::boundary(75.0, 700)],
        2 => vec![CallScript::ending(Outcome::NoAnswer), CallScript::boundary(130.0, 800)],
        3 => vec![CallScript::ending(Outcome::ProviderError), CallScript::boundary(61.0, 300)],
        4 => vec![CallScript::boundary(100.0, 50), CallScript::boundary(90.0, 60)],
        _ => vec![CallScript::boundary(240.0, 2_000)],
    };
    let draw = |position| {
        let mut candidate = Candidate::living(Home::India, 7, position);
        candidate.application.attempts = attempts(position);
        candidate
    };
    (0..24).map(draw).collect()
}

/// What must be the same in both: by candidate, its calls in order and what became of it.
type Story = BTreeMap<String, (Vec<String>, String)>;

/// Plays the cast to its end; returns what the records say.
async fn play(world: &World, apis: &[Api]) -> Story {
    let cast = cast();
    world.call(&cast, TimeDelta::seconds(20)).await;
    world.told().await;
    // A call whose every webhook was lost is found by whoever asks the engine.
    apis[apis.len() - 1].sync().await.unwrap();
    eventually(AFTER_RETRIES, "every screening is over", async || {
        let rows = world.api.screenings(usize::MAX).await.unwrap();
        (rows.len() == cast.len() && rows.iter().all(|row| row.is_final())).then_some(())
    })
    .await;
    world.told().await;
    for api in apis {
        api.sync().await.unwrap();
        let records = audit::collect(api, &cast).await.unwrap();
        let ledger = world.engine.engine().ledger();
        assert_eq!(audit::compare(&cast, &ledger, &records), Vec::<String>::new());
    }
    let mut records = audit::collect(&world.api, &cast).await.unwrap();
    let story = |candidate: &Candidate| {
        let mut record = records.remove(&candidate.id()).unwrap();
        record
            .interviews
            .sort_by_key(|one| one.row.duration.map(|seconds| (seconds * 10.0) as i64));
        let line = |one: &simulations::product::InterviewDetail| {
            let (row, turns) = (&one.row, one.messages.len());
            format!("{} {:?} {turns} {:?}", row.status, row.duration, row.outcome)
        };
        let calls = record.interviews.iter().map(line).collect();
        let end = record.screening.unwrap();
        let end =
            format!("{} {} {:?} {:?}", end.status, end.attempts, end.call_score, end.final_score);
        (candidate.id().to_string(), (calls, end))
    };
    cast.iter().map(story).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_database_end_with_the_same_records_as_one() {
    let (alone, together) = tokio::join!(play_alone(), play_together());
    assert_eq!(alone, together);
}

async fn play_alone() -> Story {
    let world = World::with(Setup { faults: faults(), speed: SPEED, ..Setup::default() }).await;
    let story = play(&world, std::slice::from_ref(&world.api)).await;
    world.end().await;
    story
}

async fn play_together() -> Story {
    let folder = Folder::new();
    let (database, url) = own_database(&folder).await;
    let (splitter, webhooks) = Splitter::start().await;
    let setup = Setup {
        faults: faults(),
        database: Some(url),
        webhooks: Some(webhooks),
        ..Setup::default()
    };
    let world = World::with(setup).await;
    let listen = free_address((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let log_file = world.folder.join("second.log");
    let second = ServerPlan { listen, log_file, ..world.plan.clone() };
    let second_server = Server::start(&second).await.unwrap();
    *splitter.targets.lock().await = vec![webhook_url(world.plan.listen), webhook_url(listen)];

    let token = world.token(simulations::product::Role::Admin, crate::harness::ADMIN);
    let second_api = Api::new(base(&second), Some(token)).unwrap();
    let story = play(&world, &[world.api.clone(), second_api]).await;
    assert!(splitter.count.load(Ordering::Relaxed) > 100);
    assert!(second_server.stop(SOON).await.unwrap().success());
    world.end().await;
    database.stop().await.unwrap();
    story
}

/// Everything that must not make a difference, more often than on a bad day.
fn faults() -> Faults {
    serde_json::from_value(serde_json::json!({
        "webhooks": {
            "duplicateSameEvent": 0.2, "duplicateNewEvent": 0.1, "reorder": 0.2, "delay": 0.1,
            "earlyEnded": 0.4, "skipStates": 0.1, "shrinkMessages": 0.1, "lose": 0.02,
        },
    }))
    .unwrap()
}
