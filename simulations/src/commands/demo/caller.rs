//! Asks the server for the first call of each candidate, as a recruiting pipeline does.

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use serde_json::{Value, json};
use simulations::cast::Candidate;
use simulations::product::{Api, ApiError};
use tokio::task::{JoinError, JoinSet};

/// Requests under way at once: each waits a few seconds for the engine.
const AT_ONCE: usize = 64;

/// Asks for calls when their time has come, each under a key, until it is answered.
pub(super) struct Caller {
    /// Shows the token of our own services.
    api: Api,
    due: Vec<(DateTime<Utc>, Candidate)>,
    asking: JoinSet<Asked>,
    /// How many are placed or planned.
    pub(super) placed: u64,
}

/// What came of asking once.
enum Asked {
    Placed,
    /// Nobody answered, or what holds it up passes.
    Later(Box<Candidate>),
    /// Asking again would be answered the same.
    Refused(ApiError),
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
    ///
    /// # Errors
    /// When a call was refused for good, or nobody can say what became of asking for it.
    pub(super) fn ask(&mut self, now: DateTime<Utc>) -> anyhow::Result<()> {
        while let Some(done) = self.asking.try_join_next() {
            self.hear(done, now)?;
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
        Ok(())
    }

    fn hear(&mut self, done: Result<Asked, JoinError>, now: DateTime<Utc>) -> anyhow::Result<()> {
        match done.context("what became of asking for a call is not known")? {
            Asked::Placed => self.placed += 1,
            Asked::Later(candidate) => self.due.push((now, *candidate)),
            Asked::Refused(why) => bail!("a call was refused: {why}"),
        }
        Ok(())
    }
}

/// Asks once.
async fn ask(api: Api, candidate: Candidate) -> Asked {
    let one = &candidate.application;
    let body = json!({
        "phoneNumber": one.phone_number, "candidateName": one.candidate_name, "role": one.role,
        "applicationId": one.application_id, "belongsTo": one.belongs_to,
    });
    let key = format!("demo-{}", one.application_id);
    match api.place(&key, &body).await {
        Ok(_) => Asked::Placed,
        // A server that is away comes back, and the key keeps the call from being placed twice.
        Err(ApiError::Away(_)) => Asked::Later(candidate.into()),
        Err(ApiError::Refused { status, body }) if passes(status, &body) => {
            Asked::Later(candidate.into())
        }
        Err(why @ (ApiError::Refused { .. } | ApiError::Unreadable(_))) => Asked::Refused(why),
    }
}

/// Says whether a refusal is one of the moment: the server is busy or broken, or dialing is stopped.
fn passes(status: StatusCode, body: &str) -> bool {
    let is_stopped = || {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        body["code"] == "dialing_stopped"
    };
    status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::CONFLICT && is_stopped()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::post;
    use simulations::cast::Home;

    use super::*;

    /// Asks for a candidate's call at a server that gives one answer to all, and hears what came of it.
    async fn asked(status: u16, body: &'static str) -> (Caller, anyhow::Result<()>) {
        let answer = (StatusCode::from_u16(status).unwrap(), body);
        let server = Router::new().route("/api/mr-hire/call", post(async move || answer));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, server).await });
        let mut caller = Caller::new(Api::new(base, None).unwrap());
        let now = DateTime::default();
        caller.expect([(now, Candidate::living(Home::India, 7, 1))]);
        caller.ask(now).unwrap();
        let done = caller.asking.join_next().await.unwrap();
        let heard = caller.hear(done, now);
        (caller, heard)
    }

    #[tokio::test]
    async fn what_passes_is_asked_again_and_any_other_refusal_ends_it() {
        for (status, body) in
            [(409, r#"{"code":"dialing_stopped"}"#), (429, ""), (500, ""), (503, "{}")]
        {
            let (caller, heard) = asked(status, body).await;
            assert!(heard.is_ok(), "{status}: {heard:?}");
            assert_eq!((caller.placed, caller.due.len()), (0, 1), "{status}");
        }
        for (status, body) in [
            (400, r#"{"code":"invalid_request"}"#),
            (401, ""),
            (409, r#"{"code":"conflict"}"#),
            (409, "dialing_stopped"),
            (422, ""),
        ] {
            let (caller, heard) = asked(status, body).await;
            let said = heard.unwrap_err().to_string();
            assert!(said.contains(&status.to_string()) && said.contains(body), "{said}");
            assert_eq!(caller.placed, 0);
        }
        let (caller, heard) = asked(200, "{}").await;
        assert!(heard.is_ok() && caller.is_idle() && caller.placed == 1);
    }

    #[tokio::test]
    async fn task_that_panics_is_no_call_that_was_placed() {
        let mut caller = Caller::new(Api::new("http://127.0.0.1:9", None).unwrap());
        caller.asking.spawn(async { panic!("planned") });
        let done = caller.asking.join_next().await.unwrap();
        assert!(caller.hear(done, DateTime::default()).is_err());
        assert_eq!(caller.placed, 0);
    }
}
