//! Asks the server for the first call of each candidate, as a recruiting pipeline does.

use chrono::{DateTime, Utc};
use serde_json::json;
use simulations::cast::Candidate;
use simulations::product::Api;
use tokio::task::JoinSet;

/// Requests under way at once: each waits a few seconds for the engine.
const AT_ONCE: usize = 64;

/// Asks for calls when their time has come, each under a key, until it is answered.
pub(super) struct Caller {
    /// Shows the token of our own services.
    api: Api,
    due: Vec<(DateTime<Utc>, Candidate)>,
    asking: JoinSet<Option<Candidate>>,
    /// How many are placed or planned.
    pub(super) placed: u64,
}

impl Caller {
    pub(super) fn new(api: Api) -> Self {
        Self { api, due: Vec::new(), asking: JoinSet::new(), placed: 0 }
    }

    /// Takes over whom to ask for, and when.
    pub(super) fn expect(&mut self, calls: impl IntoIterator<Item = (DateTime<Utc>, Candidate)>) {
        self.due.extend(calls);
    }

    /// Says whether everybody it knows was asked for, and answered for.
    pub(super) fn is_idle(&self) -> bool {
        self.due.is_empty() && self.asking.is_empty()
    }

    /// Asks for whom the time has come. Who was not answered for is asked for again, under the same key.
    pub(super) fn ask(&mut self, now: DateTime<Utc>) {
        while let Some(done) = self.asking.try_join_next() {
            match done.ok().flatten() {
                Some(again) => self.due.push((now, again)),
                None => self.placed += 1,
            }
        }
        let (mut ripe, later): (Vec<_>, Vec<_>) =
            self.due.drain(..).partition(|(at, _)| *at <= now);
        ripe.sort_by_key(|(at, _)| *at);
        let free = AT_ONCE.saturating_sub(self.asking.len()).min(ripe.len());
        self.due = ripe.split_off(free);
        self.due.extend(later);
        for (_, candidate) in ripe {
            self.asking.spawn(ask(self.api.clone(), candidate));
        }
    }
}

/// Asks once; answers the candidate where it has to be done again.
async fn ask(api: Api, candidate: Candidate) -> Option<Candidate> {
    let one = &candidate.application;
    let body = json!({
        "phoneNumber": one.phone_number, "candidateName": one.candidate_name, "role": one.role,
        "applicationId": one.application_id, "belongsTo": one.belongs_to,
    });
    let key = format!("demo-{}", one.application_id);
    // A server that is away comes back, and the key keeps the call from being placed twice.
    let is_placed = api.place(&key, &body).await.is_ok();
    (!is_placed).then_some(candidate)
}
