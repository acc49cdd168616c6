//! What a handler answers when it cannot do as it was asked.

use std::fmt;
use std::sync::Arc;

use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use tracing::{debug, error};
use utoipa::ToSchema;

use crate::contract::sets;
use crate::problem::{Code, Loudness};
use crate::rates::RateFields;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The media type that a client must name to be answered in it.
pub(crate) const PROBLEM_TYPE: &str = "application/problem+json";

/// A failure on its way to the caller: a code, what is special about this occurrence, and the
/// cause, which is logged and never shown.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", .0.code.name(), .0.message())]
pub struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    message: Option<String>,
    detail: Option<String>,
    errors: Vec<FieldError>,
    retry_after_s: Option<u64>,
    rate: Option<RateFields>,
    data: Option<Value>,
    cause: Option<anyhow::Error>,
}

impl Inner {
    fn message(&self) -> &str {
        self.message.as_deref().unwrap_or(self.code.page().title)
    }
}

/// The part of a request that a pointer points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// The JSON body; not written, since that is what a pointer usually means.
    Body,
    /// The query, seen as an object of its parameters.
    Query,
    /// The path, seen as an object of its captures.
    Path,
    /// The headers, seen as an object.
    Header,
}

impl Place {
    fn is_body(&self) -> bool {
        *self == Self::Body
    }
}

/// One thing that is wrong with a request, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// A JSON pointer in its URI form, `#/filters/0`.
    pub pointer: String,
    /// A stable snake case name of what is wrong.
    pub code: &'static str,
    /// A sentence about it.
    pub message: String,
    /// Where the pointer points into.
    #[serde(rename = "in", skip_serializing_if = "Place::is_body")]
    pub place: Place,
}

impl ApiError {
    /// Starts a failure with nothing but its code.
    pub fn new(code: Code) -> Self {
        Self(Box::new(Inner {
            code,
            message: None,
            detail: None,
            errors: Vec::new(),
            retry_after_s: code.retry_after_s(),
            rate: None,
            data: None,
            cause: None,
        }))
    }

    /// A fault of ours; the caller learns nothing of `cause`.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Self::new(Code::Internal).because(cause)
    }

    /// A request of which exactly one thing is wrong.
    pub fn invalid(error: FieldError) -> Self {
        Self::new(Code::InvalidRequest).message(error.message.clone()).field(error)
    }

    /// A request of which `errors` are wrong.
    pub fn invalid_all(errors: Vec<FieldError>) -> Self {
        let message = match errors.as_slice() {
            [only] => only.message.clone(),
            many => format!("{} fields of the request are invalid", many.len()),
        };
        let mut error = Self::new(Code::InvalidRequest).message(message);
        error.0.errors = errors;
        error
    }

    /// Sets the sentence a person is shown; ignored on a 5xx.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.0.message = Some(message.into());
        self
    }

    /// Sets what is special about this occurrence; ignored on a 5xx.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds one wrong field.
    #[must_use]
    pub fn field(mut self, error: FieldError) -> Self {
        self.0.errors.push(error);
        self
    }

    /// Sets when asking again makes sense, which also makes the failure retryable.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u64) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// Says what is left of the rates that it was counted against.
    #[must_use]
    pub(crate) fn rated(mut self, fields: RateFields) -> Self {
        self.0.rate = Some(fields);
        self
    }

    /// Adds a `data` member; it is public, also on a 5xx.
    #[must_use]
    pub fn data(mut self, data: Value) -> Self {
        self.0.data = Some(data);
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn because(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Returns the code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Returns what is wrong with the request, field by field.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// Returns the body, as it also travels inside a frame of the live feed.
    ///
    /// A 5xx says what its code says and nothing of this occurrence.
    pub fn document(&self, place: Occurrence<'_>) -> Document {
        let Inner { code, errors, retry_after_s, data, .. } = &*self.0;
        let page = code.page();
        let public = !code.status().is_server_error();
        let message = if public { self.0.message() } else { page.title };
        let detail = self.0.detail.as_deref().filter(|_| public).unwrap_or(page.meaning);
        Document {
            success: false,
            message: message.to_owned(),
            kind: format!("/problems/{}", code.name()),
            title: page.title,
            status: code.status().as_u16(),
            detail: detail.to_owned(),
            instance: place.path.map(str::to_owned),
            code: code.name(),
            errors: if public { errors.clone() } else { Vec::new() },
            request_id: place.request_id.map(str::to_owned),
            retryable: retry_after_s.is_some(),
            docs: format!("/problems/{}", code.name()),
            data: data.clone(),
        }
    }

    /// Logs a 5xx; called once, where the answer leaves.
    pub(crate) fn log(&self, place: Occurrence<'_>) {
        let code = self.0.code;
        if !code.status().is_server_error() {
            return;
        }
        let (id, path) = (place.request_id.unwrap_or("-"), place.path.unwrap_or("-"));
        let (cause, name) = (Cause(self.0.cause.as_ref()), code.name());
        match code.loudness() {
            Loudness::Quiet => {
                debug!(request.id = id, path, error = %cause, "request {id} failed: {name}");
            }
            Loudness::Loud => {
                error!(request.id = id, path, error = %cause, "request {id} failed: {name}");
            }
        }
    }

    fn render(&self, place: Occurrence<'_>, as_problem: bool) -> (HeaderMap, Vec<u8>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, if as_problem { PROBLEM_JSON } else { JSON });
        if let Some(seconds) = self.0.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(rate) = &self.0.rate {
            rate.put(&mut headers);
        }
        if let Some(challenge) = challenge(self.0.code) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        let body = serde_json::to_vec(&self.document(place));
        (headers, body.expect("a document has string keys only"))
    }
}

/// RFC 6750: what a client that came without a good token is told about tokens.
fn challenge(code: Code) -> Option<&'static str> {
    match code {
        Code::Unauthenticated | Code::AuthNotConfigured => Some("Bearer"),
        Code::InvalidToken
        | Code::TokenExpired
        | Code::UserDeleted
        | Code::RoleChanged
        | Code::UnknownTenant => Some("Bearer error=\"invalid_token\""),
        _ => None,
    }
}

/// Where a failure happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Occurrence<'a> {
    /// The request's id.
    pub request_id: Option<&'a str>,
    /// The request's path.
    pub path: Option<&'a str>,
}

/// The error body: an RFC 9457 document that is also a `{success, message}` envelope.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    #[schema(schema_with = sets::no)]
    success: bool,
    /// A sentence for a person.
    message: String,
    /// The page of its code, on this server.
    #[serde(rename = "type")]
    kind: String,
    /// The same for every occurrence of its code.
    title: &'static str,
    status: u16,
    /// What is special about this occurrence.
    detail: String,
    /// The path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[schema(schema_with = sets::code)]
    code: &'static str,
    /// What is wrong with the request, field by field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// Whether asking again may help.
    retryable: bool,
    docs: String,
    /// What some problems show besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

/// Travels with a response until the outermost layer, which knows the request, writes it out.
#[derive(Clone)]
struct Failure(Arc<ApiError>);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (headers, body) = self.render(Occurrence::default(), false);
        let mut response = (self.0.code.status(), headers, body).into_response();
        response.extensions_mut().insert(Failure(Arc::new(self)));
        response
    }
}

/// Returns the code of the failure in `response`, if it is one.
pub(crate) fn code_of(response: &Response) -> Option<Code> {
    response.extensions().get().map(|Failure(failure)| failure.code())
}

/// Writes out the failure in `response`, if it is one: logged, with the request's id and path, in
/// the content type the client asked for.
pub(crate) fn finish(mut response: Response, place: Occurrence<'_>, as_problem: bool) -> Response {
    let Some(Failure(failure)) = response.extensions_mut().remove::<Failure>() else {
        return response;
    };
    failure.log(place);
    let (headers, body) = failure.render(place, as_problem);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().extend(headers);
    *response.body_mut() = body.into();
    response
}

/// A cause with its sources in one line.
struct Cause<'a>(Option<&'a anyhow::Error>);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(cause) => write!(f, "{cause:#}"),
            None => f.write_str("none given"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn body_is_a_problem_and_an_envelope_at_once() {
        let error = ApiError::invalid(FieldError {
            pointer: "#/limit".into(),
            code: "out_of_range",
            message: "must be at least 1".into(),
            place: Place::Query,
        });
        let place = Occurrence { request_id: Some("req_1"), path: Some("/api/v1/calls") };
        assert_eq!(
            serde_json::to_value(error.document(place)).unwrap(),
            json!({
                "success": false, "message": "must be at least 1",
                "type": "/problems/invalid_request", "title": "Invalid request", "status": 400,
                "detail": Code::InvalidRequest.page().meaning,
                "instance": "/api/v1/calls", "code": "invalid_request",
                "errors": [{
                    "pointer": "#/limit", "code": "out_of_range",
                    "message": "must be at least 1", "in": "query",
                }],
                "requestId": "req_1", "retryable": false, "docs": "/problems/invalid_request",
            })
        );
    }

    #[test]
    fn fault_of_ours_shows_nothing_of_its_cause() {
        let error = ApiError::internal(anyhow::anyhow!("password=hunter2"))
            .message("hunter2")
            .detail("hunter2");
        let body = serde_json::to_string(&error.document(Occurrence::default())).unwrap();
        assert!(!body.contains("hunter2"), "{body}");
    }

    #[test]
    fn lack_of_room_says_when_to_come_back() {
        let response = ApiError::new(Code::Overloaded).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
