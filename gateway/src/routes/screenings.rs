//! `/api/v1/screenings`: what became of applications.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::ports::{PageRequest, ScreeningSummary};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Services, scope};
use crate::auth::Principal;
use crate::envelope::{Data, List, Meta};
use crate::error::ApiError;
use crate::extract::{NativePageParams, Page, Path};
use crate::problem::Code;

/// `GET /api/v1/screenings`. Lists screenings, newest first.
#[utoipa::path(
    get, path = "/api/v1/screenings", tag = "screenings", params(NativePageParams),
    responses((status = 200, description = "One page.", body = List<ScreeningView>)),
)]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    principal: Principal,
    page: Page,
) -> Result<Json<List<ScreeningView>>, ApiError> {
    let request = PageRequest { page: page.number(), limit: page.limit() };
    let found = services.screening_queries.screenings(scope(&principal), request).await?;
    let meta = Meta { as_of: services.clock.now(), seq: found.seq };
    let total = u64::try_from(found.total).unwrap_or_default();
    let rows = found.rows.into_iter().map(ScreeningView::from).collect();
    Ok(Json(List::new(rows, page, total, meta)))
}

/// `GET /api/v1/screenings/{application_id}`. Shows how one application stands.
#[utoipa::path(
    get, path = "/api/v1/screenings/{application_id}", tag = "screenings",
    params(("application_id" = Uuid, Path)),
    responses((status = 200, description = "The screening.", body = Data<ScreeningView>)),
)]
pub(super) async fn detail(
    State(services): State<Arc<Services>>,
    principal: Principal,
    Path(application): Path<Uuid>,
) -> Result<Json<Data<ScreeningView>>, ApiError> {
    let found = services.screening_queries.screening(scope(&principal), application).await?;
    let found = found.ok_or_else(|| ApiError::new(Code::NotFound))?;
    Ok(Json(Data::new(found.into())))
}

/// One screening as clients see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Screening)]
#[serde(rename_all = "camelCase")]
pub struct ScreeningView {
    application_id: Uuid,
    status: String,
    call_status: String,
    attempts: i32,
    call_id: Option<String>,
    call_processed_at: Option<DateTime<Utc>>,
    next_attempt_at: Option<DateTime<Utc>>,
    resume_score: Option<f64>,
    quiz_score: Option<f64>,
    communication_score: Option<f64>,
    technical_score: Option<f64>,
    call_score: Option<f64>,
    final_score: Option<f64>,
    failure_reason: Option<String>,
    candidate_info: Option<Value>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<ScreeningSummary> for ScreeningView {
    fn from(row: ScreeningSummary) -> Self {
        Self {
            application_id: row.application_id,
            status: row.status,
            call_status: row.call_status,
            attempts: row.attempts,
            call_id: row.call_id,
            call_processed_at: row.call_processed_at,
            next_attempt_at: row.next_attempt_at,
            resume_score: row.resume_score,
            quiz_score: row.quiz_score,
            communication_score: row.communication_score,
            technical_score: row.technical_score,
            call_score: row.call_score,
            final_score: row.final_score,
            failure_reason: row.failure_reason,
            candidate_info: row.candidate_info,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
