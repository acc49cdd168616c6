//! Applications that are imported to and fro between two servers.
//!
//! Each server holds the screening in memory as it last saw it. What one of them refuses as "nothing
//! new" may be news: the content that came back. Only a fenced refusal notices.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::history::Outcome;
use super::sender::Sender;
use crate::cast::{JOBS, import_body};
use crate::product::{Api, ApiError};

/// Applications that are flipped together.
const APPLICATIONS: u128 = 8;
/// How often they are flipped in one round; the last content is the first one again.
const FLIPS: usize = 11;
/// The two contents. Every other application shows the one while its neighbours show the other: where
/// nothing moves any more, half of them are wrong.
const NAMES: [&str; 2] = ["Heads", "Tails"];
/// How long the screenings are given to hear of one flip before the next.
const PAUSE: Duration = Duration::from_millis(180);
/// How long an import is tried again.
const PATIENCE: Duration = Duration::from_secs(40);

/// What was last acknowledged.
#[derive(Default)]
pub(super) struct Flips {
    last: Mutex<HashMap<Uuid, &'static str>>,
}

impl Flips {
    /// Flips all of them a few times, by turns over each server.
    pub async fn flip(&self, sender: &Sender, token: &str) -> anyhow::Result<()> {
        for flip in 0..FLIPS {
            self.import(sender, token, flip).await?;
            sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn import(&self, sender: &Sender, token: &str, flip: usize) -> anyhow::Result<()> {
        let body = body(flip);
        let mut turn = flip;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let server = sender.turn(turn);
            let api = Api::new(sender.base(server), Some(token.to_owned()))?;
            let number = sender.history.invoke("import", name(flip, 0), "flips", server);
            let outcome = match api.import(&body).await {
                Ok(()) => Outcome::Ok { verdict: "imported".to_owned() },
                Err(ApiError::Away(why)) if why.is_connect() => Outcome::Fail(why.to_string()),
                Err(why) => Outcome::Info(why.to_string()),
            };
            sender.history.complete(number, &outcome);
            if matches!(outcome, Outcome::Ok { .. }) {
                let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                last.extend(ids().enumerate().map(|(position, id)| (id, name(flip, position))));
                return Ok(());
            }
            turn += 1;
            sleep(PAUSE).await;
        }
        anyhow::bail!("an import was not taken within {PATIENCE:?}")
    }

    /// Returns what each of them must be called.
    pub fn names(&self) -> HashMap<Uuid, &'static str> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn ids() -> impl Iterator<Item = Uuid> {
    (1..=APPLICATIONS).map(|number| Uuid::from_u128(0xf11b << 64 | number))
}

fn name(flip: usize, position: usize) -> &'static str {
    NAMES[(flip + position) % NAMES.len()]
}

fn body(flip: usize) -> Value {
    let row = |(position, id): (usize, Uuid)| {
        json!({
            "id": id, "jobPostId": JOBS[0].id(), "candidateName": name(flip, position),
            "phoneNumber": "+910000088888",
        })
    };
    let mut body = import_body(&[]);
    body["applications"] = ids().enumerate().map(row).collect();
    body
}
