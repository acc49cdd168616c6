//! A request that may be repeated without being carried out twice.

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderName};
use domain::RequestMark;
use serde::de::DeserializeOwned;

use super::{json, shape};
use crate::error::{ApiError, FieldError, Place};

/// Carries the key.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key, in characters.
const KEY_CHARS_MAX: usize = 255;

/// The caller's name for a request: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads the header, where there is one.
    ///
    /// # Errors
    /// [`ApiError`] when it is there twice, or its value is none.
    pub fn given(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let mut values = headers.get_all(IDEMPOTENCY_KEY).into_iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(wrong("it is there more than once"));
        }
        let is_visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
        if !is_visible || !(1..=KEY_CHARS_MAX).contains(&value.len()) {
            return Err(wrong("it must have 1 to 255 visible ASCII characters"));
        }
        let text = value.to_str().map_err(|_| wrong("it is no text"))?;
        Ok(Some(Self(text.to_owned())))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn wrong(why: &str) -> ApiError {
    ApiError::invalid(FieldError {
        pointer: "#/idempotency-key".to_owned(),
        code: "invalid_value",
        message: format!("Idempotency-Key: {why}"),
        place: Place::Header,
    })
}

/// A JSON body, with what tells its request from another one.
#[derive(Clone, Debug)]
pub struct Keyed<T> {
    /// The body.
    pub body: T,
    /// The caller's name for the request, where it has one.
    pub key: Option<IdempotencyKey>,
    /// What the request is known by.
    pub mark: RequestMark,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Keyed<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let key = IdempotencyKey::given(request.headers())?;
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let (family, bytes) = json::read(request, state).await?;
        // With and without a slash at its end it is the same route.
        let mark = RequestMark::of(method.as_str(), path.trim_end_matches('/'), &bytes);
        let body = shape::body(&bytes, family)?;
        Ok(Self { body, key, mark })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(values: &[&[u8]]) -> Result<Option<IdempotencyKey>, ApiError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, axum::http::HeaderValue::from_bytes(value).unwrap());
        }
        IdempotencyKey::given(&headers)
    }

    #[test]
    fn key_is_one_to_255_visible_characters_and_there_once() {
        assert_eq!(given(&[]).unwrap(), None);
        assert_eq!(given(&[b"a-1~"]).unwrap().unwrap().as_str(), "a-1~");
        assert!(given(&[&[b'x'; 255]]).unwrap().is_some());
        let long = [b'x'; 256];
        for wrong in [&b""[..], b"a b", b"a\tb", "schl\u{fc}ssel".as_bytes(), &long] {
            let refused = given(&[wrong]).unwrap_err();
            assert_eq!(refused.errors()[0].pointer, "#/idempotency-key", "{wrong:?}");
        }
        assert!(given(&[b"a", b"a"]).is_err(), "which of the two is it?");
    }
}
