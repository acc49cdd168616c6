//! How the engine says no.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::de::DeserializeOwned;
use serde_json::json;

/// A request that was not done, as the caller learns it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0}")]
    Invalid(String),
    #[error("the token is missing or wrong")]
    Unauthorized,
    #[error("there is no such thing")]
    NotFound,
    #[error("the key was used for another request")]
    KeyReused,
    #[error("this user may not use that provider")]
    ProviderNotAllowed,
    #[error("the body is too large")]
    TooLarge,
    #[error("all lines are taken")]
    TooMany { retry_after_s: u64 },
    #[error("something broke")]
    Broken,
    #[error("the platform refused")]
    PlatformRefused,
    #[error("the engine takes no calls at present")]
    Draining,
    #[error("the platform did not answer")]
    TimedOut,
}

impl Refusal {
    /// Returns the HTTP status and the error's code.
    pub(super) const fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::KeyReused => (StatusCode::CONFLICT, "idempotency_key_reused"),
            Self::ProviderNotAllowed => (StatusCode::UNPROCESSABLE_ENTITY, "provider_not_allowed"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_calls"),
            Self::Broken => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            Self::PlatformRefused => (StatusCode::BAD_GATEWAY, "provider_error"),
            Self::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
            Self::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
        }
    }

    /// Returns the HTTP status as a number.
    pub(super) const fn status(&self) -> u16 {
        self.kind().0.as_u16()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = self.kind();
        let body = Json(json!({"error": {"code": code, "message": self.to_string()}}));
        match self {
            Self::TooMany { retry_after_s } => {
                (status, [(RETRY_AFTER, retry_after_s.to_string())], body).into_response()
            }
            _ => (status, body).into_response(),
        }
    }
}

/// Reads a JSON body, whatever content type it claims to have.
pub(super) fn parse<T: DeserializeOwned>(
    body: Result<Bytes, BytesRejection>,
) -> Result<T, Refusal> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
        _ => Refusal::Invalid(rejection.body_text()),
    })?;
    serde_json::from_slice(&body).map_err(|error| Refusal::Invalid(error.to_string()))
}
