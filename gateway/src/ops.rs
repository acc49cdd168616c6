//! The routes for those who run the server: probes and metrics.

use axum::extract::State;
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::envelope::Data;
use crate::error::ApiError;
use crate::extract::Json;
use crate::problem::Code;
use crate::readiness::{Checked, Snapshot};
use crate::state::AppState;

/// The text format that Prometheus reads.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Serialize, ToSchema)]
pub(crate) struct Status {
    status: &'static str,
}

/// Whether the server takes work; the rest is shown on request, or when it does not.
#[derive(Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(crate) struct ReadinessView {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    draining: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Vec<Checked>>,
}

/// `GET /livez`: the process answers; nothing else is asked.
#[utoipa::path(
    get, path = "/livez", tag = "operations",
    responses((status = 200, description = "It lives.", body = Data<Status>)),
)]
pub(crate) async fn livez() -> Json<Data<Status>> {
    Json(Data::new(Status { status: "live" }))
}

/// `GET /startupz`: the start is over.
#[utoipa::path(
    get, path = "/startupz", tag = "operations",
    responses((status = 200, description = "It is over.", body = Data<Status>)),
)]
pub(crate) async fn startupz(State(app): State<AppState>) -> Result<Json<Data<Status>>, ApiError> {
    if !app.readiness.is_started() {
        return Err(ApiError::new(Code::NotReady));
    }
    Ok(Json(Data::new(Status { status: "started" })))
}

/// `GET /readyz`: the gates are open. The journal is one; `verbose` shows every check, also those that gate nothing.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    params(("verbose" = Option<String>, Query, description = "In any form but `false` and `0`: yes.")),
    responses((status = 200, description = "It takes work.", body = Data<ReadinessView>)),
)]
pub(crate) async fn readyz(State(app): State<AppState>, uri: Uri) -> Result<Response, ApiError> {
    let mut snapshot = app.readiness.snapshot();
    let (ready, verbose) = (snapshot.ready, is_verbose(&uri));
    if !verbose {
        snapshot.checks.retain(|check| check.gates && !check.report.ok);
    }
    let body = view(snapshot, verbose);
    if ready {
        return Ok(Json(Data::new(body)).into_response());
    }
    let body = serde_json::to_value(body).map_err(ApiError::internal)?;
    Err(ApiError::new(Code::NotReady).data(body))
}

/// `GET /health`: the same as `/readyz`, under the name that older probes know.
#[utoipa::path(
    get, path = "/health", tag = "operations",
    params(("verbose" = Option<String>, Query, description = "In any form but `false` and `0`: yes.")),
    responses((status = 200, description = "It takes work.", body = Data<ReadinessView>)),
)]
pub(crate) async fn health(app: State<AppState>, uri: Uri) -> Result<Response, ApiError> {
    readyz(app, uri).await
}

/// `GET /metrics`: figures in Prometheus' text format.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "The figures.", body = String, content_type = "text/plain")),
)]
pub(crate) async fn metrics(State(app): State<AppState>) -> Response {
    ([(CONTENT_TYPE, METRICS_TYPE)], app.metrics.render()).into_response()
}

/// `?verbose` in any form but `false` and `0` means yes.
fn is_verbose(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .any(|(name, value)| name == "verbose" && !matches!(&*value, "false" | "0"))
}

fn view(snapshot: Snapshot, verbose: bool) -> ReadinessView {
    let Snapshot { ready, started, draining, checks } = snapshot;
    let status = if ready { "ready" } else { "not_ready" };
    if ready && !verbose {
        return ReadinessView { status, started: None, draining: None, checks: None };
    }
    let (started, draining) = (Some(started), Some(draining));
    ReadinessView { status, started, draining, checks: Some(checks) }
}
