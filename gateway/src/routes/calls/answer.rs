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

use crate::contract::sets;
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
    #[schema(schema_with = sets::call_status)]
    status: &'static str,
    /// Who carries it.
    #[schema(schema_with = sets::provider)]
    provider: Option<&'static str>,
    /// When the callee's calling window opens, where it is closed now.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<DateTime<Utc>>,
    /// The prompt that the agent is told; null is the built-in one. Only the first answer to a request says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    prompt_id: Option<Option<Uuid>>,
    /// Names in the prompt that nothing was put in for. Only the first answer says them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<String>, required = false)]
    missing: Option<Vec<String>>,
}

/// What the agent is told.
pub struct PromptUsed {
    /// The prompt; none is the built-in one.
    pub prompt_id: Option<Uuid>,
    /// Names in it that nothing was put in for.
    pub missing: Vec<String>,
}

/// Which answer to a request it is.
pub(super) enum Turn {
    /// The one that placed the call.
    First(PromptUsed),
    /// A later one, to the same request.
    Replayed,
}

impl Turn {
    /// Returns the view's prompt and what is missing in it, and what the header says.
    fn parts(self) -> (Option<Option<Uuid>>, Option<Vec<String>>, Option<HeaderValue>) {
        match self {
            Self::First(prompt) => (Some(prompt.prompt_id), Some(prompt.missing), None),
            Self::Replayed => (None, None, Some(HeaderValue::from_static("true"))),
        }
    }
}

/// The answer, and whether it was given before.
pub struct Answer {
    view: PlacedView,
    replayed: Option<HeaderValue>,
}

impl Answer {
    /// Makes the answer for the interview as it stands.
    pub(super) fn new(
        row: InterviewSummary,
        not_before: Option<DateTime<Utc>>,
        turn: Turn,
    ) -> Self {
        let (prompt_id, missing, replayed) = turn.parts();
        let not_before = not_before.filter(|_| row.call_id.is_none() && !row.status.is_over());
        let view = PlacedView {
            id: row.id.0,
            call_id: row.call_id,
            status: row.status.as_str(),
            provider: row.provider.map(Provider::as_str),
            not_before,
            prompt_id,
            missing,
        };
        Self { view, replayed }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Json(Data::new(self.view)).into_response();
        if let Some(value) = self.replayed {
            response.headers_mut().insert(REPLAYED, value);
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn members(turn: Turn) -> Value {
        let (prompt_id, missing, _) = turn.parts();
        let view = PlacedView {
            id: Uuid::nil(),
            call_id: None,
            status: "queued",
            provider: None,
            not_before: None,
            prompt_id,
            missing,
        };
        serde_json::to_value(view).unwrap()
    }

    #[test]
    fn only_a_first_answer_says_the_prompt_and_the_document_requires_it_of_none() {
        let first = members(Turn::First(PromptUsed { prompt_id: None, missing: Vec::new() }));
        assert_eq!((first.get("promptId"), &first["missing"]), (Some(&Value::Null), &json!([])));
        let replayed = members(Turn::Replayed);
        assert_eq!((replayed.get("promptId"), replayed.get("missing")), (None, None));
        let schema = &crate::contract::document()["components"]["schemas"]["PlacedView"];
        let required: Vec<&str> =
            schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(required.iter().all(|name| replayed.get(name).is_some()), "{required:?}");
        for name in ["promptId", "missing", "notBefore"] {
            assert!(!schema["properties"][name].is_null(), "{name} is not described");
        }
    }
}
