//! `/api/voice-interviews`: what recruiters read, and what administrators do.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use domain::interview::{CallStatus, FailureReason, InterviewOutcome};
use domain::ports::{
    EngineError, InterviewDetail, InterviewFilter, InterviewStats, InterviewSummary, PageRequest,
    StatusCount,
};
use domain::{EntityId, Provider, Rejected};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use supervisor::{Routed, SyncError, SyncReport};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Services, scope, wrong_parameter};
use crate::auth::Principal;
use crate::contract::sets;
use crate::envelope::{Data, List, Meta};
use crate::error::ApiError;
use crate::extract::{PageParams, Paged, Path, Query};
use crate::problem::Code;

/// After how many seconds an engine is asked again that did not answer as agreed.
const UNSURE_RETRY_S: u64 = 5;

/// The filters, as they stand in the query.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct FilterQuery {
    /// How far the calls got; a comma means "or".
    #[param(style = Form, explode = false, inline, value_type = Option<Vec<sets::StatusName>>)]
    status: Option<String>,
    /// What carried the calls; a comma means "or".
    #[param(style = Form, explode = false, inline, value_type = Option<Vec<sets::ProviderName>>)]
    provider: Option<String>,
    /// From when on; of a day its beginning, in UTC.
    #[param(inline, value_type = Option<sets::DayOrInstant>)]
    date_from: Option<String>,
    /// Until when; of a day its end, in UTC.
    #[param(inline, value_type = Option<sets::DayOrInstant>)]
    date_to: Option<String>,
    /// Whose they are.
    #[param(value_type = Option<Uuid>)]
    belongs_to: Option<String>,
    /// What they are for.
    #[param(value_type = Option<Uuid>)]
    application_id: Option<String>,
}

impl FilterQuery {
    fn parse(self) -> Result<InterviewFilter, ApiError> {
        Ok(InterviewFilter {
            statuses: any_of("status", self.status, CallStatus::parse)?,
            providers: any_of("provider", self.provider, Provider::parse)?,
            from: self.date_from.map(|text| instant("dateFrom", &text, Edge::Start)).transpose()?,
            to: self.date_to.map(|text| instant("dateTo", &text, Edge::End)).transpose()?,
            belongs_to: self.belongs_to.map(|text| uuid("belongsTo", &text)).transpose()?,
            application: self
                .application_id
                .map(|text| uuid("applicationId", &text))
                .transpose()?,
        })
    }
}

/// `GET /api/voice-interviews`. Lists interviews: recruiters their own, administrators their tenant's. Answers from
/// the database at once, and pulls what it may have missed in the background.
#[utoipa::path(
    get, path = "/api/voice-interviews", tag = "interviews", params(PageParams, FilterQuery),
    responses((status = 200, description = "One page.", body = List<InterviewView>)),
)]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    principal: Principal,
    Paged { page, filter }: Paged<FilterQuery>,
) -> Result<Json<List<InterviewView>>, ApiError> {
    let filter = filter.parse()?;
    let request = PageRequest { page: page.number(), limit: page.limit() };
    let found = services.interview_queries.page(scope(&principal), filter, request).await?;
    services.interviews.sync_in_background(principal.tenant);
    let meta = Meta { as_of: services.clock.now(), seq: found.seq };
    let total = u64::try_from(found.total).unwrap_or_default();
    let rows = found.rows.into_iter().map(InterviewView::from).collect();
    Ok(Json(List::new(rows, page, total, meta)))
}

/// `GET /api/voice-interviews/stats`. Counts the interviews that fit the filters.
#[utoipa::path(
    get, path = "/api/voice-interviews/stats", tag = "interviews", params(FilterQuery),
    responses((status = 200, description = "The figures.", body = Data<StatsView>)),
)]
pub(super) async fn stats(
    State(services): State<Arc<Services>>,
    principal: Principal,
    Query(filter): Query<FilterQuery>,
) -> Result<Json<Data<StatsView>>, ApiError> {
    let stats = services.interview_queries.stats(scope(&principal), filter.parse()?).await?;
    Ok(Json(Data::new(stats.into())))
}

/// `GET /api/voice-interviews/{id}`. Shows one interview with what was said.
#[utoipa::path(
    get, path = "/api/voice-interviews/{id}", tag = "interviews", params(("id" = Uuid, Path)),
    responses((status = 200, description = "The interview.", body = Data<DetailView>)),
)]
pub(super) async fn detail(
    State(services): State<Arc<Services>>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<Json<Data<DetailView>>, ApiError> {
    let found = services.interview_queries.detail(scope(&principal), EntityId(id)).await?;
    let found = found.ok_or_else(|| ApiError::new(Code::InterviewNotFound))?;
    Ok(Json(Data::new(found.into())))
}

/// `POST /api/voice-interviews/sync`. Pulls from the call engine what was missed. Waits for a sync that is under
/// way first.
#[utoipa::path(
    post, path = "/api/voice-interviews/sync", tag = "interviews",
    responses(
        (status = 200, description = "What it did.", body = Data<SyncView>),
        (status = 502, description = "The call engine answers nothing usable"),
    ),
)]
pub(super) async fn sync(
    State(services): State<Arc<Services>>,
    principal: Principal,
) -> Result<Json<Data<SyncView>>, ApiError> {
    let report = services.interviews.sync(principal.tenant).await.map_err(sync_failed)?;
    let data = Data::new(SyncView::from(report));
    Ok(Json(match services.interviews.engine_is_on() {
        true => data,
        false => data.message("no call engine is configured: nothing was synced"),
    }))
}

/// `DELETE /api/voice-interviews/{id}`. Deletes one interview for good. A later report of the call changes nothing.
#[utoipa::path(
    delete, path = "/api/voice-interviews/{id}", tag = "interviews", params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "It is gone.", body = Data<DeletedView>),
        (status = 409, description = "It is in a state that does not allow it"),
    ),
)]
pub(super) async fn delete(
    State(services): State<Arc<Services>>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<Json<Data<DeletedView>>, ApiError> {
    let gone = || ApiError::new(Code::InterviewNotFound);
    let id = EntityId(id);
    services.interview_queries.detail(scope(&principal), id).await?.ok_or_else(gone)?;
    let by = principal.sub.to_string();
    match services.interviews.delete(principal.tenant, id, by).await? {
        Routed::Rejected(Rejected::Deleted | Rejected::Absent) => Err(gone()),
        Routed::Rejected(_) => Err(ApiError::new(Code::Conflict)),
        Routed::Applied { .. } | Routed::Parked => {
            Ok(Json(Data::new(DeletedView { id: id.0, deleted: true })))
        }
    }
}

/// What a delete answers.
#[derive(Serialize, ToSchema)]
pub struct DeletedView {
    id: Uuid,
    #[schema(schema_with = sets::yes)]
    deleted: bool,
}

/// What a sync did.
#[derive(Serialize, ToSchema)]
pub struct SyncView {
    listed: usize,
    fetched: usize,
    updated: usize,
    failed: usize,
}

impl From<SyncReport> for SyncView {
    fn from(report: SyncReport) -> Self {
        let SyncReport { listed, fetched, updated, failed } = report;
        Self { listed, fetched, updated, failed }
    }
}

/// One interview as clients see it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Interview)]
pub struct InterviewView {
    id: Uuid,
    call_id: Option<String>,
    #[schema(schema_with = sets::call_status)]
    status: &'static str,
    #[schema(schema_with = sets::answer_class)]
    answered_by: &'static str,
    /// What came of it, once it is over.
    outcome: Option<&'static str>,
    #[schema(schema_with = sets::provider)]
    provider: Option<&'static str>,
    phone_number: Option<String>,
    candidate_name: Option<String>,
    /// Seconds.
    duration: Option<f64>,
    /// US dollars.
    cost: Option<f64>,
    recording_url: Option<String>,
    summary: Option<String>,
    #[schema(schema_with = sets::failure_reason)]
    failure_reason: Option<&'static str>,
    application_id: Option<Uuid>,
    belongs_to: Option<Uuid>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<InterviewSummary> for InterviewView {
    fn from(row: InterviewSummary) -> Self {
        Self {
            id: row.id.0,
            call_id: row.call_id,
            status: row.status.as_str(),
            answered_by: row.answered_by.as_str(),
            outcome: row.outcome.map(InterviewOutcome::as_str),
            provider: row.provider.map(Provider::as_str),
            phone_number: row.phone_number,
            candidate_name: row.candidate_name,
            duration: row.duration,
            cost: row.cost,
            recording_url: row.recording_url,
            summary: row.summary,
            failure_reason: row.failure_reason.map(FailureReason::as_str),
            application_id: row.application_id,
            belongs_to: row.belongs_to,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// One interview with what was said.
#[derive(Serialize, ToSchema)]
#[schema(as = InterviewDetail)]
pub struct DetailView {
    #[serde(flatten)]
    summary: InterviewView,
    transcript: Option<String>,
    messages: Vec<MessageView>,
    /// The position in the feed that this includes: subscribe to `call:{id}` from here.
    seq: i64,
}

/// One turn.
#[derive(Serialize, ToSchema)]
#[schema(as = Message)]
#[serde(rename_all = "camelCase")]
struct MessageView {
    role: String,
    message: String,
    sequence_order: i32,
}

impl From<InterviewDetail> for DetailView {
    fn from(detail: InterviewDetail) -> Self {
        let message = |turn: domain::ports::TurnView| MessageView {
            role: turn.role,
            message: turn.message,
            sequence_order: turn.sequence_order,
        };
        Self {
            summary: detail.summary.into(),
            transcript: detail.transcript,
            messages: detail.turns.into_iter().map(message).collect(),
            seq: detail.seq,
        }
    }
}

/// Figures over the interviews in scope.
#[derive(Serialize, ToSchema)]
#[schema(as = InterviewStats)]
#[serde(rename_all = "camelCase")]
pub struct StatsView {
    total: i64,
    #[schema(value_type = BTreeMap<String, i64>)]
    by_status: Map<String, Value>,
    #[schema(value_type = BTreeMap<String, i64>)]
    by_provider: Map<String, Value>,
    #[schema(value_type = BTreeMap<String, i64>)]
    by_outcome: Map<String, Value>,
    /// Seconds, to hundredths.
    avg_duration: Option<f64>,
    /// US dollars, to hundredths of a cent: calls cost cents.
    total_cost: f64,
    seq: i64,
}

impl From<InterviewStats> for StatsView {
    fn from(stats: InterviewStats) -> Self {
        let counts = |rows: Vec<StatusCount>| {
            rows.into_iter().map(|row| (row.value, row.count.into())).collect()
        };
        Self {
            total: stats.total,
            by_status: counts(stats.by_status),
            by_provider: counts(stats.by_provider),
            by_outcome: counts(stats.by_outcome),
            avg_duration: stats.average_duration.map(|seconds| rounded(seconds, 2)),
            total_cost: rounded(stats.total_cost, 4),
            seq: stats.seq,
        }
    }
}

/// Rounds to so many decimals: the rest is what floating-point sums leave behind.
fn rounded(value: f64, decimals: i32) -> f64 {
    let factor = 10_f64.powi(decimals);
    (value * factor).round() / factor
}

fn sync_failed(error: SyncError) -> ApiError {
    let error = match error {
        SyncError::Store(failure) => return failure.into(),
        SyncError::Engine(failure) => failure,
    };
    match error {
        EngineError::Off => ApiError::new(Code::EngineOff),
        EngineError::NotSent => ApiError::new(Code::EngineUnreachable).because(error),
        EngineError::Throttled { retry_after } | EngineError::NotAdmitted { retry_after } => {
            let seconds = u64::try_from(retry_after.num_seconds()).unwrap_or_default();
            ApiError::new(Code::EngineFailed).retry_after_s(seconds).because(error)
        }
        // It was only read from, so asking again does no harm.
        EngineError::Unsure(_) => {
            ApiError::new(Code::EngineFailed).retry_after_s(UNSURE_RETRY_S).because(error)
        }
        EngineError::NotFound | EngineError::Refused { .. } => {
            ApiError::new(Code::EngineFailed).because(error)
        }
    }
}

/// A comma means "or".
fn any_of<T, E: std::fmt::Display>(
    name: &'static str,
    text: Option<String>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, ApiError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| parse(part).map_err(|why| wrong_parameter(name, why.to_string()))).collect()
}

/// Which end of a day a bare date means.
enum Edge {
    Start,
    End,
}

fn instant(name: &'static str, text: &str, edge: Edge) -> Result<DateTime<Utc>, ApiError> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let day = text
        .parse::<NaiveDate>()
        .ok()
        .and_then(|day| match edge {
            Edge::Start => day.and_hms_opt(0, 0, 0),
            Edge::End => day.and_hms_micro_opt(23, 59, 59, 999_999),
        })
        .map(|at| at.and_utc());
    day.ok_or_else(|| {
        wrong_parameter(name, format!("{name} is neither a date nor an RFC 3339 instant"))
    })
}

fn uuid(name: &'static str, text: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(text).map_err(|_| wrong_parameter(name, format!("{name} is no UUID")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rounded_at_the_edge() {
        let stats = InterviewStats {
            total: 3,
            by_status: Vec::new(),
            by_provider: Vec::new(),
            by_outcome: Vec::new(),
            average_duration: Some(226.0 / 3.0),
            total_cost: 0.1 + 0.2 + 0.00125,
            seq: 1,
        };
        let view = serde_json::to_value(StatsView::from(stats)).unwrap();
        assert_eq!((&view["avgDuration"], &view["totalCost"]), (&75.33.into(), &0.3013.into()));
    }

    #[test]
    fn sync_may_be_repeated_when_the_engine_was_away_and_not_when_it_said_no() {
        let document = |error| {
            let failed = sync_failed(SyncError::Engine(error));
            let place = crate::error::Occurrence::default();
            let body = serde_json::to_value(failed.document(place)).unwrap();
            (body["code"].clone(), body["retryable"].clone())
        };
        let minute = chrono::Duration::minutes(1);
        let unsure = EngineError::Unsure(anyhow::anyhow!("no JSON"));
        assert_eq!(document(EngineError::NotSent), ("engine_unreachable".into(), true.into()));
        assert_eq!(document(unsure), ("engine_failed".into(), true.into()));
        for wait in [
            EngineError::Throttled { retry_after: minute },
            EngineError::NotAdmitted { retry_after: minute },
        ] {
            assert_eq!(document(wait), ("engine_failed".into(), true.into()));
        }
        assert_eq!(document(EngineError::NotFound), ("engine_failed".into(), false.into()));
    }
}
