//! A JSON body, in and out.

use axum::body::Bytes;
use axum::extract::{FromRequest, OptionalFromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::shape;
use super::{Family, RawBody};
use crate::error::ApiError;
use crate::problem::Code;

/// A JSON body.
///
/// As an extractor it refuses too large bodies (413), other content types (415, native routes),
/// what is no JSON, strings with NUL, and what does not fit `T` (400, with a pointer). Wrapped in
/// an `Option` an empty body is `None`.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (family, bytes) = read(request, state).await?;
        shape::body(&bytes, family).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        if !request.headers().contains_key(CONTENT_TYPE) && is_empty(&request) {
            return Ok(None);
        }
        let (family, bytes) = read(request, state).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        shape::body(&bytes, family).map(|value| Some(Self(value)))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => {
                let json = HeaderValue::from_static("application/json");
                ([(CONTENT_TYPE, json)], bytes).into_response()
            }
            Err(error) => ApiError::internal(error).into_response(),
        }
    }
}

/// Reads the bytes of a body that is meant to be JSON.
pub(super) async fn read<S: Send + Sync>(
    request: Request,
    state: &S,
) -> Result<(Family, Bytes), ApiError> {
    let family = Family::of(request.uri().path());
    if family.is_strict() && !is_json(request.headers()) {
        return Err(ApiError::new(Code::UnsupportedMediaType)
            .message("the body must be JSON")
            .detail(
                "routes below /api/v1/ take JSON only: send `Content-Type: application/json`",
            ));
    }
    let RawBody(bytes) = RawBody::from_request(request, state).await?;
    Ok((family, bytes))
}

fn is_empty(request: &Request) -> bool {
    use axum::body::HttpBody as _;
    request.body().is_end_stream()
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(HeaderValue::to_str) else {
        return false;
    };
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}
