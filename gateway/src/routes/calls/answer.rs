//! What whoever asked for a call is told.

use axum::Json;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use domain::ports::InterviewSummary;
use domain::{EntityId, Provider};
use serde::Serialize;
use supervisor::Batch;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::envelope::Data;

/// Says that a request was carried out before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// What is recorded of a dial before anybody outside has answered it.
const UNANSWERED: [&str; 2] = ["dial_planned", "dial_sent"];

/// A call that was asked for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlacedView {
    /// The interview's id.
    id: Uuid,
    /// The engine's name for the call; null until it has taken the dial.
    call_id: Option<String>,
    /// How far the call got.
    status: &'static str,
    /// Who carries it.
    provider: Option<&'static str>,
    /// When the callee's calling window opens, where it is closed now.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<DateTime<Utc>>,
    #[serde(flatten)]
    prompt: Option<PromptUsed>,
}

/// What the agent is told; only the first answer to a request says so.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptUsed {
    /// The prompt; null is the built-in one.
    pub prompt_id: Option<Uuid>,
    /// Names in it that nothing was put in for.
    pub missing: Vec<String>,
}

/// The answer, and whether it was given before.
pub struct Answer {
    view: PlacedView,
    is_replayed: bool,
}

impl Answer {
    /// Makes the answer for the interview as it stands; one without a prompt repeats an earlier one.
    pub(super) fn new(
        row: InterviewSummary,
        not_before: Option<DateTime<Utc>>,
        prompt: Option<PromptUsed>,
    ) -> Self {
        let is_replayed = prompt.is_none();
        let not_before = not_before.filter(|_| row.call_id.is_none() && !row.status.is_over());
        let view = PlacedView {
            id: row.id.0,
            call_id: row.call_id,
            status: row.status.as_str(),
            provider: row.provider.map(Provider::as_str),
            not_before,
            prompt,
        };
        Self { view, is_replayed }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Json(Data::new(self.view)).into_response();
        if self.is_replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// Waits until somebody outside has answered the dial of `interview`, or it is known that nobody does yet.
pub(super) async fn answered(live: &mut Receiver<Batch>, interview: EntityId) {
    loop {
        match live.recv().await {
            Ok(batch) => {
                let mut facts = batch.iter().filter(|fact| fact.key.id == interview);
                if facts.any(|fact| !UNANSWERED.contains(&fact.name.as_str())) {
                    return;
                }
            }
            // What was missed may be what is waited for; the row says.
            Err(RecvError::Lagged(_) | RecvError::Closed) => return,
        }
    }
}
