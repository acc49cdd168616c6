//! The engine's webhooks: authentic bytes are evidence, whatever they look like.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::TenantId;
use domain::ports::Unusable;
use serde::Serialize;
use serde_json::Value;
use supervisor::Routed;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Services, wrong_field};
use crate::contract::sets;
use crate::error::ApiError;
use crate::extract::RawBody;

/// `{"success": true, "ok": true, "id": …, "parked"?: true, "data": {…}}`, as the engine expects.
#[derive(Serialize, ToSchema)]
pub struct Taken {
    #[schema(schema_with = sets::yes)]
    success: bool,
    #[schema(schema_with = sets::yes)]
    ok: bool,
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    parked: Option<bool>,
    data: TakenData,
}

#[derive(Serialize, ToSchema)]
struct TakenData {
    id: Uuid,
    /// `applied`, `parked` or `rejected(…)`.
    verdict: String,
    /// Which fields were dropped, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    remarks: Option<String>,
}

/// A report of one call. Whatever does not parse is dropped, so nothing but the call's id must be of a certain kind.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes what the reader takes")]
pub(crate) struct CallReport {
    /// The engine's name for the call: at most 200 bytes, not blank, without control characters and U+FFFD.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F\uFFFD]+$"
    )]
    call_id: String,
    /// The sender's name for the delivery: what comes twice under it is taken once.
    event_id: Option<Value>,
    /// RFC 3339.
    occurred_at: Option<Value>,
    /// `queued`, `ringing`, `in-progress`, `ended`, `failed`.
    status: Option<Value>,
    /// `vapi`, `openai_twilio`, `elevenlabs`, `nvidia_twilio`.
    provider: Option<Value>,
    /// E.164.
    phone_number: Option<Value>,
    candidate_name: Option<Value>,
    /// Seconds, up to a week.
    duration: Option<Value>,
    /// US dollars, up to 10,000.
    cost: Option<Value>,
    transcript: Option<Value>,
    summary: Option<Value>,
    /// A list of `{role, message, sequenceOrder?}`.
    messages: Option<Value>,
    /// http or https, at most 2,048 bytes.
    recording_url: Option<Value>,
    /// `no-answer`, `busy`, `rejected`, `invalid-number`, `provider-error`, `voicemail`.
    failure_reason: Option<Value>,
    /// What the call is for: a UUID.
    application_id: Option<Value>,
    /// Whose it is: a UUID.
    belongs_to: Option<Value>,
    /// What a dial of ours carried; its `intentId` counts.
    metadata: Option<Value>,
}

/// `POST /api/voice-interviews/webhook`. Takes a report of the call engine. 200 only after the commit, and then for
/// everything that names a call; 503 when it could not be made durable in time. Names may be in snake_case; a field
/// that does not parse is dropped and named in `remarks`.
#[utoipa::path(
    post, path = "/api/voice-interviews/webhook", tag = "interviews", request_body = CallReport,
    responses((status = 200, description = "It is durable, also where it changes nothing.", body = Taken)),
)]
pub(super) async fn take(
    State(services): State<Arc<Services>>,
    RawBody(body): RawBody,
) -> Result<Json<Taken>, ApiError> {
    let evidence = services.evidence.read(&body)?;
    let (report, remarks) = (evidence.report, evidence.remarks);
    let event_id = evidence.event_id.as_deref();
    let raw = body.as_ref().into();
    let reported = services
        .interviews
        .report(TenantId::DEFAULT, report, event_id, raw, remarks.clone())
        .await?;
    metrics::counter!(
        "ringmaster_webhook_received_total", "source" => "mr_hire", "verdict" => label(reported.routed)
    )
    .increment(1);
    let id = reported.id.0;
    let (verdict, parked) = match reported.routed {
        Routed::Applied { .. } => ("applied".to_owned(), None),
        Routed::Rejected(why) => (format!("rejected({why})"), None),
        Routed::Parked => ("parked".to_owned(), Some(true)),
    };
    let data = TakenData { id, verdict, remarks };
    Ok(Json(Taken { success: true, ok: true, id, parked, data }))
}

fn label(routed: Routed) -> &'static str {
    match routed {
        Routed::Applied { .. } => "applied",
        Routed::Rejected(why) => why.as_str(),
        Routed::Parked => "parked",
    }
}

impl From<Unusable> for ApiError {
    fn from(error: Unusable) -> Self {
        Self::invalid(wrong_field(error.pointer, error.why))
    }
}
