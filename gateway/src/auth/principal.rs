//! Whom a request speaks for.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use domain::TenantId;
use uuid::Uuid;

use super::Role;
use crate::error::ApiError;

/// The person a request speaks for, as their token says.
///
/// As an extractor it only works behind a route that lets people in; elsewhere asking for it is a
/// fault of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Their id.
    pub sub: Uuid,
    /// What they may do.
    pub role: Role,
    /// Whose data they see.
    pub tenant: TenantId,
    /// When their token ends; a socket that lives longer asks for a new one.
    pub expires_at: DateTime<Utc>,
}

/// One of our own services; proof that its token was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceCaller;

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().copied().ok_or_else(|| not_behind("people", parts))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ServiceCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().copied().ok_or_else(|| not_behind("services", parts))
    }
}

fn not_behind(whom: &str, parts: &Parts) -> ApiError {
    ApiError::internal(anyhow::anyhow!("{} is not a route for {whom}", parts.uri.path()))
}
