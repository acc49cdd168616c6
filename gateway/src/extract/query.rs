//! The parameters of a query.

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::shape::{self, Pairs};
use crate::error::ApiError;

/// The parameters of a query; what does not fit `T` is a 400 with a pointer.
///
/// A list takes [`super::Paged`] instead, which knows `page` and `limit` too.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

/// No parameters, apart from those of a page.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct NoParameters {}

/// Refuses the parameters of a route that has none, where its family does.
///
/// # Errors
/// [`ApiError`] that points at each of them.
pub fn refuse_parameters(uri: &Uri) -> Result<(), ApiError> {
    let NoParameters {} = shape::query(&Pairs::of(uri)?, &[])?;
    Ok(())
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let pairs = Pairs::of(&parts.uri)?;
        shape::query(&pairs, &[]).map(Self)
    }
}
