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
const APPLICATIONS: u128 = 4;
/// Two groups, which go to the servers in opposite turns.
const GROUPS: usize = 2;
/// How often they are flipped in one round; the last content is the first one again.
const FLIPS: usize = 11;
/// The two contents.
const NAMES: [&str; 2] = ["Heads", "Tails"];
/// How long the screenings are given to hear of one flip before the next.
const PAUSE: Duration = Duration::from_millis(180);
/// How long an import is tried again.
const PATIENCE: Duration = Duration::from_secs(40);

/// What was acknowledged of one application.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flipped {
    /// The last content.
    pub name: &'static str,
    /// How often the content was another one than before. Each time is news, and is applied.
    pub changes: usize,
}

/// What was acknowledged of each.
#[derive(Default)]
pub(super) struct Flips {
    last: Mutex<HashMap<Uuid, Flipped>>,
}

impl Flips {
    /// Flips all of them a few times, by turns over each server.
    pub async fn flip(&self, sender: &Sender, token: &str) -> anyhow::Result<()> {
        for flip in 0..FLIPS {
            for group in 0..GROUPS {
                self.import(sender, token, flip, group).await?;
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn import(
        &self,
        sender: &Sender,
        token: &str,
        flip: usize,
        group: usize,
    ) -> anyhow::Result<()> {
        let name = NAMES[flip % NAMES.len()];
        let body = body(group, name);
        let mut turn = flip + group;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let server = sender.turn(turn);
            let api = Api::new(sender.base(server), Some(token.to_owned()))?;
            let number = sender.history.invoke("import", name, "flips", server);
            let outcome = match api.import(&body).await {
                Ok(()) => Outcome::Ok { verdict: "imported".to_owned() },
                Err(ApiError::Away(why)) if why.is_connect() => Outcome::Fail(why.to_string()),
                Err(why) => Outcome::Info(why.to_string()),
            };
            sender.history.complete(number, &outcome);
            if matches!(outcome, Outcome::Ok { .. }) {
                let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                for id in ids(group) {
                    let flipped = last.entry(id).or_default();
                    flipped.changes += usize::from(flipped.name != name);
                    flipped.name = name;
                }
                return Ok(());
            }
            turn += 1;
            sleep(PAUSE).await;
        }
        anyhow::bail!("an import was not taken within {PATIENCE:?}")
    }

    /// Returns what each of them must be called, and how often it must have changed.
    pub fn all(&self) -> HashMap<Uuid, Flipped> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn ids(group: usize) -> impl Iterator<Item = Uuid> {
    let group = 0xf11b << 64 | (group as u128) << 32;
    (1..=APPLICATIONS).map(move |number| Uuid::from_u128(group | number))
}

fn body(group: usize, name: &str) -> Value {
    let row = |id: Uuid| {
        json!({
            "id": id, "jobPostId": JOBS[0].id(), "candidateName": name,
            "phoneNumber": "+910000088888",
        })
    };
    let mut body = import_body(&[]);
    body["applications"] = ids(group).map(row).collect();
    body
}
