//! The routes for those who run the server: probes and metrics.

use axum::extract::State;
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::envelope::Data;
use crate::error::ApiError;
use crate::extract::Json;
use crate::problem::Code;
use crate::readiness::Snapshot;
use crate::state::AppState;

/// The text format that Prometheus reads.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Serialize)]
pub(crate) struct Status {
    status: &'static str,
}

/// `GET /livez`: the process answers; nothing else is asked.
pub(crate) async fn livez() -> Json<Data<Status>> {
    Json(Data::new(Status { status: "live" }))
}

/// `GET /startupz`: the start is over.
pub(crate) async fn startupz(State(app): State<AppState>) -> Result<Json<Data<Status>>, ApiError> {
    if !app.readiness.is_started() {
        return Err(ApiError::new(Code::NotReady));
    }
    Ok(Json(Data::new(Status { status: "started" })))
}

/// `GET /readyz`, `GET /health`: the gates are open; `?verbose` shows every check.
pub(crate) async fn readyz(State(app): State<AppState>, uri: Uri) -> Result<Response, ApiError> {
    let mut snapshot = app.readiness.snapshot();
    let (ready, verbose) = (snapshot.ready, is_verbose(&uri));
    if !verbose {
        snapshot.checks.retain(|check| check.gates && !check.report.ok);
    }
    let body = view(&snapshot, verbose);
    if ready {
        return Ok(Json(Data::new(body)).into_response());
    }
    Err(ApiError::new(Code::NotReady).data(body))
}

/// `GET /metrics`.
pub(crate) async fn metrics(State(app): State<AppState>) -> Response {
    ([(CONTENT_TYPE, METRICS_TYPE)], app.metrics.render()).into_response()
}

/// `?verbose` in any form but `false` and `0` means yes.
fn is_verbose(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .any(|(name, value)| name == "verbose" && !matches!(&*value, "false" | "0"))
}

fn view(snapshot: &Snapshot, verbose: bool) -> serde_json::Value {
    let status = if snapshot.ready { "ready" } else { "not_ready" };
    if snapshot.ready && !verbose {
        return json!({ "status": status });
    }
    json!({
        "status": status,
        "started": snapshot.started,
        "draining": snapshot.draining,
        "checks": snapshot.checks,
    })
}
