//! Those who ask for calls over HTTP: each request under a key of its own, and again under the same key
//! until it is answered.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::Rng;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::findings::{Findings, Wrong};
use super::history::Outcome;
use super::load::BURST;
use super::sender::Sender;
use crate::dice::{Purpose, dice};

/// The route.
const PATH: &str = "/api/mr-hire/call";
/// How long most answers are waited for; longer than the server waits for the engine.
const PATIENT: Duration = Duration::from_secs(10);
/// How long some are: an answer that comes later is lost, whatever it says.
const HASTY: Duration = Duration::from_millis(250);
/// One request of so many is hasty the first time.
const HASTY_ONE_IN: u32 = 4;
/// One request of so many is made again once it was answered.
const ECHO_ONE_IN: u32 = 5;
/// The longest pause before a request is made again, in ms.
const AGAIN_MS_MAX: u64 = 250;
/// How long a request is made again and again.
const PATIENCE: Duration = Duration::from_secs(120);

/// What became of one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    /// Whom it was to ring.
    pub phone: String,
    /// The interviews that were named in answers to it.
    pub interviews: HashSet<Uuid>,
    /// How often its answer is not known.
    pub unknown: u32,
    /// An answer said that it rings later, when the callee may be called.
    pub is_for_later: bool,
}

/// What became of all of them, by their keys.
#[derive(Default)]
pub(super) struct Placed(Mutex<BTreeMap<String, Fate>>);

impl Placed {
    pub fn all(&self) -> BTreeMap<String, Fate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, key: &str, change: impl FnOnce(&mut Fate)) {
        let mut fates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(fates.entry(key.to_owned()).or_default());
    }
}

/// Whoever asks, with what they need for it.
#[derive(Clone)]
pub(super) struct Asker {
    pub sender: Sender,
    pub token: String,
    pub placed: Arc<Placed>,
    pub findings: Arc<Findings>,
    pub seed: u64,
}

impl Asker {
    /// Starts the requests numbered `numbers`; each ends when it is answered.
    pub fn begin(&self, numbers: std::ops::Range<u64>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for number in numbers {
            tasks.spawn(self.clone().ask(number));
        }
        tasks
    }

    async fn ask(self, number: u64) {
        let mut dice = dice(self.seed, Purpose::Placed, number);
        sleep(BURST.mul_f64(dice.random::<f64>())).await;
        let key = format!("crash-{}-{number}", self.seed);
        // A number of its own each: whoever is rung twice is rung twice for one key.
        let phone = format!("+910001{number:06}");
        self.placed.note(&key, |fate| fate.phone.clone_from(&phone));
        let body = json!({
            "phoneNumber": phone, "candidateName": format!("Candidate {number}"), "role": "Nurse",
            "variables": {"number": number.to_string()},
        });
        let began = Instant::now();
        let mut turn: usize = dice.random_range(0..2);
        let mut patience = if dice.random_ratio(1, HASTY_ONE_IN) { HASTY } else { PATIENT };
        let mut echoes = u32::from(dice.random_ratio(1, ECHO_ONE_IN));
        while began.elapsed() < PATIENCE {
            turn += 1;
            let server = self.sender.turn(turn);
            let done = self.post(&key, &body, server, patience).await;
            if matches!(done, Outcome::Ok { .. }) {
                if echoes == 0 {
                    return;
                }
                echoes -= 1;
            }
            patience = PATIENT;
            sleep(Duration::from_millis(dice.random_range(10..AGAIN_MS_MAX))).await;
        }
        self.findings.add(11, Wrong::Stuck, format!("{key} was not answered in {PATIENCE:?}"));
    }

    /// Makes the request once, written down on both sides.
    async fn post(&self, key: &str, body: &Value, server: usize, patience: Duration) -> Outcome {
        let number = self.sender.history.invoke("place", key, PATH, server);
        let outcome = self.answer(key, body, server, patience).await;
        self.sender.history.complete(number, &outcome);
        match &outcome {
            Outcome::Ok { verdict } => match verdict.parse::<Uuid>() {
                Ok(id) => self.placed.note(key, |fate| fate.interviews.extend([id])),
                Err(_) => self.refused(key, &format!("no interview but {verdict:?}")),
            },
            Outcome::Info(_) => self.placed.note(key, |fate| fate.unknown += 1),
            Outcome::Fail(why) if why == super::sender::NOBODY => {}
            Outcome::Fail(why) => self.refused(key, why),
        }
        outcome
    }

    fn refused(&self, key: &str, why: &str) {
        self.findings.add(11, Wrong::Lost, format!("{key} was answered {why}"));
    }

    async fn answer(&self, key: &str, body: &Value, server: usize, patience: Duration) -> Outcome {
        let url = format!("{}{PATH}", self.sender.base(server));
        let request = self.sender.http.post(url).timeout(patience).bearer_auth(&self.token);
        let answer = match request.header("idempotency-key", key).json(body).send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return Outcome::Fail(super::sender::NOBODY.into()),
            Err(error) => return Outcome::Info(error.to_string()),
        };
        let status = answer.status();
        let body: Value = match answer.json().await {
            Ok(body) => body,
            Err(error) => return Outcome::Info(format!("{status}, then {error}")),
        };
        match status {
            status if status.is_success() => {
                if body["data"]["notBefore"].is_string() {
                    self.placed.note(key, |fate| fate.is_for_later = true);
                }
                let id = body["data"]["id"].as_str().unwrap_or_default();
                Outcome::Ok { verdict: id.to_owned() }
            }
            status if status.is_server_error() => Outcome::Info(status.to_string()),
            status => Outcome::Fail(format!("{status}: {body}")),
        }
    }
}
