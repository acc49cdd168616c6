//! The outermost layer: what holds for every request, whatever its route.
//!
//! It names the request, bounds its time, catches a panic, reads what is left of the body, writes
//! failures out, and counts.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use metrics::{gauge, histogram};
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, debug, debug_span};

use crate::accept;
use crate::error::{self, ApiError, Occurrence, PROBLEM_TYPE};
use crate::linger;
use crate::problem::Code;
use crate::request_id::{REQUEST_ID, RequestId, TRACEPARENT, traceparent};
use crate::state::AppState;

/// What is kept of a request until its answer leaves.
struct Asked {
    id: RequestId,
    traceparent: Option<HeaderValue>,
    method: &'static str,
    path: String,
    route: String,
    wants_problem: bool,
    since: Instant,
}

/// Wraps every request.
pub(crate) async fn around(
    State(app): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let asked = Asked::new(&request, &app);
    let _active = Active::enter();
    request.extensions_mut().insert(asked.id.clone());
    let (request, leftover) = linger::split(request);
    // Lines read alone and name what they are about; the span is for whoever follows one request.
    let span = debug_span!("request", request.id = %asked.id, http.route = asked.route);
    let response = guarded(next.run(request), app.request_timeout).instrument(span).await;
    leftover.discard().await;
    asked.answer(response)
}

/// Bounds the time until an answer begins, and turns a panic into a 500.
async fn guarded(answer: impl Future<Output = Response>, limit: Duration) -> Response {
    match timeout(limit, AssertUnwindSafe(answer).catch_unwind()).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            ApiError::internal(anyhow::anyhow!("panic: {}", text(&*panic))).into_response()
        }
        Err(_) => ApiError::new(Code::TimedOut).into_response(),
    }
}

fn text(panic: &(dyn std::any::Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a text")
}

impl Asked {
    fn new(request: &Request, app: &AppState) -> Self {
        let headers = request.headers();
        let matched = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        Self {
            id: RequestId::given(headers).unwrap_or_else(|| app.request_ids.draw()),
            traceparent: traceparent(headers),
            method: label(request.method()),
            path: request.uri().path().to_owned(),
            route: route_label(matched).to_owned(),
            wants_problem: accept::names(headers, PROBLEM_TYPE),
            since: Instant::now(),
        }
    }

    fn answer(self, response: Response) -> Response {
        let place = Occurrence { request_id: Some(self.id.as_str()), path: Some(&self.path) };
        let mut response = error::finish(response, place, self.wants_problem);
        response.headers_mut().insert(REQUEST_ID, self.id.to_header());
        if let Some(trace) = self.traceparent.clone() {
            response.headers_mut().insert(TRACEPARENT, trace);
        }
        self.count(response.status());
        response
    }

    fn count(self, status: StatusCode) {
        let took = self.since.elapsed();
        debug!(request.id = %self.id, status = status.as_u16(), took_us = took.as_micros(),
            "request {} answered {status}", self.id);
        histogram!(
            "http_server_request_duration_seconds",
            "http_request_method" => self.method,
            "http_route" => self.route,
            "http_response_status_code" => status.as_str().to_owned(),
        )
        .record(took);
    }
}

/// Counts the requests under way; also one whose client went away is counted down.
struct Active;

impl Active {
    fn enter() -> Self {
        gauge!("http_server_active_requests").increment(1.0);
        Self
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        gauge!("http_server_active_requests").decrement(1.0);
    }
}

/// Labels come from closed sets: a caller can invent methods. Source: OpenTelemetry's `_OTHER`.
fn label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}

/// A route with and without its last slash is one route.
fn route_label(matched: Option<&str>) -> &str {
    match matched {
        Some("/") => "/",
        Some(path) => path.trim_end_matches('/'),
        None => "none",
    }
}
