//! The engine's webhooks: authentic bytes are evidence, whatever they look like.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::TenantId;
use domain::ports::Unusable;
use serde::Serialize;
use supervisor::Routed;
use uuid::Uuid;

use super::{Services, wrong_field};
use crate::error::ApiError;
use crate::extract::RawBody;

/// `{"success": true, "ok": true, "id": …, "parked"?: true, "data": {…}}`, as the engine expects.
#[derive(Serialize)]
pub struct Taken {
    success: bool,
    ok: bool,
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    parked: Option<bool>,
    data: TakenData,
}

#[derive(Serialize)]
struct TakenData {
    id: Uuid,
    verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remarks: Option<String>,
}

/// `POST /api/voice-interviews/webhook`. 200 only after the commit, and then for everything that
/// names a call; 503 when it could not be made durable in time.
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
