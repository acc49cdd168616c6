//! The bytes of a body, up to a limit.

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::error::ApiError;
use crate::problem::Code;

/// How many bytes a body may have; the router puts it into each request of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyMax(pub usize);

impl BodyMax {
    /// For REST: forms and lists of ids, nothing larger. Source: the house's API rules.
    pub const REST: Self = Self(256 * 1024);
    /// For webhooks, which carry whole transcripts. Source: the house's API rules.
    pub const WEBHOOK: Self = Self(1024 * 1024);
}

/// The raw bytes of a body; larger than the route's [`BodyMax`] is a 413, compressed a 415: what a
/// small body unpacks to has no bound.
#[derive(Clone, Debug)]
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if is_encoded(request.headers()) {
            return Err(ApiError::new(Code::UnsupportedMediaType)
                .message("the body must not be compressed")
                .detail("bodies are taken as they are: send this one without a content-encoding"));
        }
        let max = request.extensions().get::<BodyMax>().copied().unwrap_or(BodyMax::REST);
        read(request.into_body(), max).await.map(Self)
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    !headers.get_all(CONTENT_ENCODING).iter().all(plain)
}

async fn read(body: Body, max: BodyMax) -> Result<Bytes, ApiError> {
    let BodyMax(bytes_max) = max;
    // What is announced as too large is not read at all.
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large(max));
    }
    match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(max)),
        Err(error) => Err(ApiError::new(Code::InvalidRequest)
            .message("the body ended before it was complete")
            .because(anyhow::Error::from_boxed(error))),
    }
}

fn too_large(BodyMax(bytes_max): BodyMax) -> ApiError {
    ApiError::new(Code::BodyTooLarge)
        .detail(format!("this route takes bodies of at most {bytes_max} bytes"))
}
