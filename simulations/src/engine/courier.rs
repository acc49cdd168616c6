//! Delivery of a call's webhooks, with the engine's patience.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use secrecy::ExposeSecret;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::call::Call;
use super::course::Emission;
use super::faults::SecretSent;
use super::ledger::Acknowledgement;
use super::wire::CallBody;
use super::{Inner, spawn_in};

/// When each attempt at a delivery is made, in simulated seconds from the first.
const ATTEMPTS_AT_S: [u64; 5] = [0, 2, 10, 60, 300];
/// The header that carries the secret.
const SECRET_HEADER: &str = "x-webhook-secret";

/// What an attempt came to.
enum Verdict {
    Acknowledged,
    Refused,
    TryAgain,
}

/// Delivers the webhooks of one call.
#[derive(Clone)]
pub(super) struct Courier {
    pub engine: Arc<Inner>,
    pub call: Arc<Call>,
    /// When it ends, so do all deliveries.
    pub epoch: CancellationToken,
}

impl Courier {
    /// Sends the webhooks as they come up, and says when the first one was.
    ///
    /// The next one waits for the first attempt at the one before, not for its repetitions: order
    /// is attempted, not promised.
    pub(super) async fn deliver_all(self, first_sent: oneshot::Sender<()>) {
        let mut first_sent = Some(first_sent);
        for emission in &self.call.emissions {
            self.engine.clock.sleep_until(self.call.created_at + emission.at).await;
            if emission.lost {
                self.engine.book().note(self.call.number, |tally| tally.lost += 1);
                continue;
            }
            let first_at = self.engine.clock.now();
            if matches!(self.attempt(emission, 1).await, Verdict::TryAgain) {
                spawn_in(&self.epoch, self.clone().repeat(*emission, first_at));
            }
            if let Some(first_sent) = first_sent.take() {
                let _nobody_may_wait = first_sent.send(());
            }
        }
    }

    /// Makes the attempts after the first.
    async fn repeat(self, emission: Emission, first_at: DateTime<Utc>) {
        for (number, after_s) in (1..).zip(ATTEMPTS_AT_S).skip(1) {
            self.engine.clock.sleep_until(first_at + Duration::from_secs(after_s)).await;
            if !matches!(self.attempt(&emission, number).await, Verdict::TryAgain) {
                return;
            }
        }
        self.engine.book().note(self.call.number, |tally| tally.abandoned += 1);
    }

    async fn attempt(&self, emission: &Emission, number: u32) -> Verdict {
        let Self { engine, call, .. } = self;
        let Some(url) = &engine.settings.webhook_url else {
            engine.book().note(call.number, |tally| tally.abandoned += 1);
            return Verdict::Refused;
        };
        let (with_metadata, secret) = {
            let mut book = engine.book();
            book.note(call.number, |tally| tally.sent += 1);
            (book.keeps_metadata([call]), book.faults.webhooks.secret)
        };
        let mut body = call.webhook(emission, with_metadata);
        body.attempt = Some(number);
        let verdict = judge(send(engine, url, &body, secret).await);
        match verdict {
            Verdict::Acknowledged => acknowledge(engine, call, body, number),
            Verdict::Refused => engine.book().note(call.number, |tally| tally.refused += 1),
            Verdict::TryAgain => {}
        }
        verdict
    }
}

fn acknowledge(engine: &Inner, call: &Call, body: CallBody, attempt: u32) {
    let acknowledgement = Acknowledgement {
        event_id: body.event_id,
        status: body.status,
        occurred_at: body.occurred_at,
        attempt,
        at: engine.clock.moment(),
    };
    engine.book().acknowledge(call.number, acknowledgement);
}

async fn send(
    engine: &Inner,
    url: &str,
    body: &CallBody,
    secret: SecretSent,
) -> Result<StatusCode, reqwest::Error> {
    let mut request = engine.http.post(url).header(CONTENT_TYPE, "application/json").json(body);
    request = match (secret, &engine.settings.webhook_secret) {
        (SecretSent::Right, Some(secret)) => request.header(SECRET_HEADER, secret.expose_secret()),
        (SecretSent::Wrong, _) => request.header(SECRET_HEADER, "not-the-secret"),
        (SecretSent::Missing, _) | (SecretSent::Right, None) => request,
    };
    let answer = request.timeout(engine.settings.webhook_timeout).send().await?;
    let status = answer.status();
    answer.bytes().await?; // A connection is used again only when its answer was read.
    Ok(status)
}

fn judge(answer: Result<StatusCode, reqwest::Error>) -> Verdict {
    match answer {
        Ok(status) if status.is_success() => Verdict::Acknowledged,
        Ok(StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) | Err(_) => {
            Verdict::TryAgain
        }
        Ok(status) if status.is_server_error() => Verdict::TryAgain,
        Ok(_) => Verdict::Refused,
    }
}
