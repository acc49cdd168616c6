//! Pushing one event to one of the servers, written down on both sides of the request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::history::{Event, History, Outcome};

/// How long an answer may take; the product promises one in less.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a request did not happen: the server is away.
pub(super) const NOBODY: &str = "nobody listens";

/// Pushes events. Cheap to clone.
#[derive(Clone)]
pub(super) struct Sender {
    pub http: reqwest::Client,
    secret: String,
    /// The base URL of each server, whether it is up or not.
    bases: Arc<[String; 2]>,
    /// How many of them are meant to be up.
    up: Arc<AtomicUsize>,
    pub history: Arc<History>,
}

impl Sender {
    pub fn new(secret: &str, bases: [String; 2], history: Arc<History>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER_TIMEOUT).build()?;
        let (bases, up) = (Arc::new(bases), Arc::new(AtomicUsize::new(1)));
        Ok(Self { http, secret: secret.to_owned(), bases, up, history })
    }

    /// Says how many servers are meant to be up.
    pub fn set_up(&self, count: usize) {
        self.up.store(count, Ordering::SeqCst);
    }

    /// Returns the server whose turn it is, of those that are meant to be up.
    pub fn turn(&self, turn: usize) -> usize {
        turn % self.up.load(Ordering::SeqCst).max(1)
    }

    /// Returns the base URL of a server.
    pub fn base(&self, server: usize) -> &str {
        &self.bases[server]
    }

    /// Pushes `event` once.
    pub async fn push(&self, event: &Event, server: usize) -> Outcome {
        let number = self.history.invoke("push", &event.id, &event.call_id, server);
        let outcome = self.post(event, server).await;
        self.history.complete(number, &outcome);
        self.history.delivered(event, &outcome);
        outcome
    }

    async fn post(&self, event: &Event, server: usize) -> Outcome {
        let url = format!("{}/api/voice-interviews/webhook", self.bases[server]);
        let request = self.http.post(url).header("x-webhook-secret", &self.secret);
        let request = request.header("content-type", "application/json").body(event.body.clone());
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return Outcome::Fail(NOBODY.to_owned()),
            Err(error) => return Outcome::Info(error.to_string()),
        };
        let status = answer.status();
        let body: Value = match answer.json().await {
            Ok(body) => body,
            Err(error) => return Outcome::Info(format!("{status}, then {error}")),
        };
        match status {
            status if status.is_success() => {
                let parked = body["parked"] == true;
                let verdict = body["data"]["verdict"].as_str().unwrap_or("no verdict");
                Outcome::Ok { verdict: if parked { "parked" } else { verdict }.to_owned() }
            }
            // It could not be made durable in time, and may become so after all.
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Outcome::Info(status.to_string())
            }
            status if status.is_server_error() => Outcome::Info(status.to_string()),
            status => Outcome::Fail(format!("{status}: {body}")),
        }
    }
}
