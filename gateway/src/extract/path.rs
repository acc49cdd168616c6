//! The captures of a path.

use axum::extract::FromRequestParts;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::shape;
use super::words;
use crate::error::{ApiError, FieldError, Place};

/// The captures of a path; what does not parse, or holds a NUL, is a 400 with a pointer.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if parts.uri.path().contains("%00") {
            return Err(ApiError::invalid(shape::nul("#".to_owned(), Place::Path)));
        }
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(refusal(rejection)),
        }
    }
}

/// Names what did not parse. A route that asks for captures it does not have is a fault of ours.
fn refusal(rejection: PathRejection) -> ApiError {
    let PathRejection::FailedToDeserializePathParams(failed) = rejection else {
        return ApiError::internal(rejection);
    };
    let (pointer, (code, message)) = match failed.kind() {
        ErrorKind::ParseErrorAtKey { key, expected_type, .. } => {
            (shape::join("#", key), words::expected(expected_type))
        }
        ErrorKind::ParseErrorAtIndex { index, expected_type, .. } => {
            (format!("#/{index}"), words::expected(expected_type))
        }
        ErrorKind::ParseError { expected_type, .. } => {
            ("#".to_owned(), words::expected(expected_type))
        }
        ErrorKind::InvalidUtf8InPathParam { key } => {
            (shape::join("#", key), ("not_utf8", "must be UTF-8".to_owned()))
        }
        ErrorKind::DeserializeError { key, message, .. } => {
            (shape::join("#", key), words::of(message))
        }
        ErrorKind::Message(message) => ("#".to_owned(), words::of(message)),
        _ => return ApiError::internal(failed),
    };
    ApiError::invalid(FieldError { pointer, code, message, place: Place::Path })
}
