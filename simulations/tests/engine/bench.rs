//! An engine, a receiver of its webhooks, and ways to ask both.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use reqwest::{Client, RequestBuilder, Response};
use secrecy::SecretString;
use serde_json::{Value, json};
use simulations::clock::Speed;
use simulations::engine::{
    Application, CallBody, CallEntry, CallScript, DialFaults, Engine, EngineHandle, EngineSettings,
    Faults, Ledger, Outcome, Profile, Provider, Start, Started,
};
use tokio::net::TcpListener;
use tokio::time::Instant;
use uuid::Uuid;

/// How fast simulated time passes in most tests: the longest call takes about a second.
pub const SPEED: f64 = 2_000.0;
/// The bearer token of the engine.
pub const TOKEN: &str = "internal-token";

const SECRET: &str = "webhook-secret";
/// How long anything awaited may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// How often what is awaited is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What most tests start with: every call is answered, nothing goes wrong.
pub fn settings() -> EngineSettings {
    EngineSettings {
        speed: speed(SPEED),
        profile: Profile { talk_max_s: 600.0, ..Profile::always(Outcome::Answered) },
        calls_live_max: 1_000,
        ..EngineSettings::default()
    }
}

/// The body of an order; each `key` makes another one.
pub fn order(key: u32) -> Value {
    json!({
        "phoneNumber": format!("+9195291{key:05}"),
        "candidateName": "Asha Rao",
        "role": "Backend Engineer",
        "systemPrompt": "You are a polite interviewer.",
        "metadata": {"intentId": key.to_string()},
        "idempotencyKey": format!("att-{key}"),
    })
}

/// An application; each `number` makes another one.
pub fn application(number: u32) -> Application {
    Application {
        application_id: Uuid::from_u128(number.into()),
        phone_number: format!("+9195290{number:05}"),
        candidate_name: "Asha Rao".to_owned(),
        belongs_to: Some(Uuid::from_u128(1_000)),
        role: "Backend Engineer".to_owned(),
        provider: Provider::Vapi,
        start: Start::Now,
        attempts: Vec::new(),
    }
}

/// A speed other than [`SPEED`].
pub fn speed(factor: f64) -> Speed {
    Speed::new(factor).unwrap()
}

/// Faults of `POST /call`.
pub fn dialling(change: impl FnOnce(&mut DialFaults)) -> Faults {
    let mut faults = Faults::default();
    change(&mut faults.dial);
    faults
}

/// How many different events were told.
pub fn event_ids(told: &[CallBody]) -> usize {
    told.iter().map(|webhook| &webhook.event_id).collect::<HashSet<_>>().len()
}

/// An engine and a receiver.
pub struct Bench {
    pub http: Client,
    pub receiver: Receiver,
    engine: EngineHandle,
    applications: Mutex<u32>,
}

impl Bench {
    pub async fn answering() -> Self {
        Self::with(settings()).await
    }

    pub async fn with_faults(faults: Faults) -> Self {
        Self::with(EngineSettings { faults, ..settings() }).await
    }

    pub async fn with(settings: EngineSettings) -> Self {
        let receiver = Receiver::start().await;
        let settings = EngineSettings {
            webhook_url: Some(receiver.url.clone()),
            webhook_secret: Some(SecretString::from(SECRET)),
            ..settings
        };
        let engine = Engine::start(settings).await.unwrap();
        let http = Client::builder().no_proxy().build().unwrap();
        Self { http, receiver, engine, applications: Mutex::new(100) }
    }

    pub async fn send(&self, request: RequestBuilder) -> Response {
        request.send().await.unwrap()
    }

    pub async fn post(&self, path: &str, body: &Value, token: Option<&str>) -> (StatusCode, Value) {
        let mut request = self.http.post(self.url(path)).json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        read(self.send(request).await).await
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        read(self.send(self.http.get(self.url(path))).await).await
    }

    pub fn request_call(&self, order: &Value) -> RequestBuilder {
        self.http.post(self.url("/call")).json(order)
    }

    pub async fn place(&self, order: &Value) -> (StatusCode, Value) {
        read(self.send(self.request_call(order)).await).await
    }

    pub fn request_analysis(&self, body: &Value) -> RequestBuilder {
        let url = self.url("/api/v1/screening/analyze-call");
        self.http.post(url).bearer_auth(TOKEN).json(body)
    }

    pub async fn analyze(&self, body: &Value) -> (StatusCode, Value) {
        read(self.send(self.request_analysis(body)).await).await
    }

    pub async fn set_faults(&self, faults: Faults) {
        let answer = self.send(self.http.put(self.url("/_sim/faults")).json(&faults)).await;
        assert_eq!(answer.json::<Faults>().await.unwrap(), faults);
    }

    /// Lets the engine place a call that comes out as `script` says; returns its id.
    pub async fn call(&self, script: CallScript) -> String {
        let number = {
            let mut applications = self.applications.lock().unwrap();
            *applications += 1;
            *applications
        };
        self.start(Application { attempts: vec![script], ..application(number) }).await
    }

    /// Lets the engine place the first call of an application; returns its id.
    pub async fn start(&self, application: Application) -> String {
        let body = json!({"applications": [application]});
        let (_, answer) = self.post("/_sim/calls", &body, None).await;
        let started: Started = serde_json::from_value(answer).unwrap();
        started.calls[0].call_id.clone().unwrap()
    }

    /// Lets the engine make up `count` applications and call them at once.
    pub async fn generate(&self, count: u32) {
        let (status, _) = self.post("/_sim/calls", &json!({"generate": count}), None).await;
        assert_eq!(status, StatusCode::OK);
    }

    pub fn ledger(&self) -> Ledger {
        self.engine.engine().ledger()
    }

    pub fn entry(&self, call_id: &str) -> CallEntry {
        let calls = self.ledger().calls;
        calls.into_iter().find(|call| call.call_id == call_id).unwrap()
    }

    /// Waits until nothing more will be told of a call.
    pub async fn settled_entry(&self, call_id: &str) -> CallEntry {
        self.until("the call is settled", async || {
            let entry = self.entry(call_id);
            (entry.webhooks.open() == 0).then_some(entry)
        })
        .await
    }

    /// Waits until nothing more will be told of a call; returns what was received of it.
    pub async fn settled(&self, call_id: &str) -> Vec<CallBody> {
        self.settled_entry(call_id).await;
        self.of_call(call_id)
    }

    /// Waits until `count` calls were made and nothing more will be told of them.
    pub async fn all_settled(&self, count: u64) -> Ledger {
        self.until("all calls are settled", async || {
            let ledger = self.ledger();
            let totals = &ledger.totals;
            (totals.calls == count && totals.unsettled == 0).then_some(ledger)
        })
        .await
    }

    /// Waits until `count` webhooks of a call were received.
    pub async fn webhooks_of(&self, call_id: &str, count: usize) -> Vec<CallBody> {
        self.until("the webhooks are there", async || {
            let received = self.of_call(call_id);
            (received.len() >= count).then_some(received)
        })
        .await
    }

    pub fn received(&self) -> Vec<CallBody> {
        let inbox = self.receiver.inbox.lock().unwrap();
        inbox.received.clone()
    }

    /// Looks at something until it is there.
    pub async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(begun.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn of_call(&self, call_id: &str) -> Vec<CallBody> {
        self.received().into_iter().filter(|webhook| webhook.call_id == call_id).collect()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.engine.base_url())
    }
}

async fn read(answer: Response) -> (StatusCode, Value) {
    let status = answer.status();
    let body = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// A receiver that keeps what it got and answers as it is told.
pub struct Receiver {
    url: String,
    inbox: Arc<Mutex<Inbox>>,
}

#[derive(Default)]
struct Inbox {
    received: Vec<CallBody>,
    failures: VecDeque<u16>,
    stalls: bool,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let inbox = Arc::<Mutex<Inbox>>::default();
        let routes = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&inbox));
        tokio::spawn(axum::serve(listener, routes).into_future());
        Self { url, inbox }
    }

    /// Answers the next webhooks with these statuses, and 200 from then on.
    pub fn fail_next(&self, statuses: &[u16]) {
        self.inbox.lock().unwrap().failures = statuses.iter().copied().collect();
    }

    /// Takes the next webhook and never answers it.
    pub fn stall_next(&self) {
        self.inbox.lock().unwrap().stalls = true;
    }
}

async fn receive(
    State(inbox): State<Arc<Mutex<Inbox>>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    if headers.get("x-webhook-secret").is_none_or(|secret| secret != SECRET) {
        return (StatusCode::UNAUTHORIZED, Json(Value::Null));
    }
    let webhook = serde_json::from_slice(&body).unwrap();
    let (status, stalls) = {
        let mut inbox = inbox.lock().unwrap();
        inbox.received.push(webhook);
        (inbox.failures.pop_front().unwrap_or(200), std::mem::take(&mut inbox.stalls))
    };
    if stalls {
        std::future::pending::<()>().await;
    }
    (StatusCode::from_u16(status).unwrap(), Json(json!({"success": true, "ok": true})))
}
