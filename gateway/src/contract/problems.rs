//! What goes wrong, with a body for each.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::captures;
use crate::auth::Access;
use crate::error::{ApiError, Occurrence, PROBLEM_TYPE};
use crate::problem::Code;
use crate::router::Route;

/// Declares what the table knows to go wrong, and gives every failure its body.
pub(super) fn declare(operation: &mut Value, route: &Route) {
    for status in of_route(operation, route) {
        let answer = &mut operation["responses"][status.as_str()];
        if answer.is_null() {
            *answer = json!({ "$ref": format!("#/components/responses/{}", name(status)) });
        }
    }
    let Some(answers) = operation["responses"].as_object_mut() else { return };
    for (status, answer) in answers {
        let status: Option<StatusCode> = status.parse().ok();
        let failed = status.filter(|status| status.is_client_error() || status.is_server_error());
        let is_bare = answer.get("content").is_none() && answer.get("$ref").is_none();
        if let Some(status) = failed.filter(|_| is_bare) {
            let said = answer["description"].as_str().unwrap_or_default().to_owned();
            *answer = failure(status, &said);
        }
    }
}

/// Returns the failures that several routes have, by their names.
pub(super) fn answers() -> Value {
    let mut statuses: Vec<StatusCode> = Code::all().iter().map(|code| code.status()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    let named = |status: StatusCode| {
        let reason = status.canonical_reason().unwrap_or_default();
        (name(status), failure(status, reason))
    };
    statuses.into_iter().map(named).collect::<Map<_, _>>().into()
}

fn name(status: StatusCode) -> String {
    format!("Problem{}", status.as_str())
}

/// Returns the failures that follow from how a route stands in the table.
fn of_route(operation: &Value, route: &Route) -> Vec<StatusCode> {
    use StatusCode as S;
    let has_body = operation.get("requestBody").is_some();
    let has_capture = captures(route.path()).next().is_some();
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    let is_asked = parameters.iter().any(|parameter| parameter["in"] == "query");
    let mut found = vec![S::SERVICE_UNAVAILABLE];
    // What the probes are asked they never refuse.
    if has_body || has_capture || is_asked && route.access() != Access::Open {
        found.push(S::BAD_REQUEST);
    }
    if has_capture {
        found.push(S::NOT_FOUND);
    }
    let is_conditional = |parameter: &Value| parameter["name"] == "If-Match";
    if parameters.iter().any(is_conditional) {
        found.push(S::PRECONDITION_FAILED);
    }
    if has_body {
        found.extend([S::PAYLOAD_TOO_LARGE, S::UNSUPPORTED_MEDIA_TYPE]);
    }
    match route.access() {
        Access::Open => return found,
        Access::AnyRole | Access::Service | Access::Webhook(_) => found.push(S::UNAUTHORIZED),
        Access::InBand | Access::Roles(_) | Access::Page(..) | Access::RolesOrService(_) => {
            found.extend([S::UNAUTHORIZED, S::FORBIDDEN]);
        }
    }
    found.push(S::TOO_MANY_REQUESTS);
    found
}

/// Returns a failure with the body that all of its status have, and names their pages.
fn failure(status: StatusCode, said: &str) -> Value {
    let codes = move || Code::all().iter().filter(move |code| code.status() == status);
    let pages: Vec<String> =
        codes().map(|code| format!("[`{0}`](/problems/{0})", code.name())).collect();
    let examples: Map<String, Value> = codes()
        .map(|code| {
            let example = format!("#/components/examples/{}", code.name());
            (code.name().to_owned(), json!({ "$ref": example }))
        })
        .collect();
    let body = json!({
        "schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples,
    });
    let mut answer = json!({
        "description": format!("{}: {}.", said.trim_end_matches('.'), pages.join(", ")),
        "content": {"application/json": body, PROBLEM_TYPE: body},
    });
    if codes().any(|code| code.retry_after_s().is_some()) {
        answer["headers"] = json!({"Retry-After": {
            "description": "After how many seconds asking again makes sense, where it does.",
            "schema": {"type": "integer", "minimum": 0},
        }});
    }
    answer
}

/// Returns one problem of each code.
pub(super) fn examples() -> Value {
    let of = |code: &Code| {
        let place = Occurrence { request_id: Some("req_1"), path: None };
        let page = code.page();
        let example = json!({
            "summary": page.title, "description": format!("{} {}", page.cause, page.fix),
            "value": ApiError::new(*code).document(place),
        });
        (code.name().to_owned(), example)
    };
    Code::all().iter().map(of).collect::<Map<_, _>>().into()
}
