//! Whom a request speaks for.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use domain::TenantId;
use uuid::Uuid;

use super::{Page, Pages, Role};
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
    /// Which pages of the head office their token opens.
    pub pages: Pages,
    /// When their token ends; a socket that lives longer asks for a new one.
    pub expires_at: DateTime<Utc>,
}

impl Principal {
    /// Returns the tenant to which what they run is confined; none for those who run the server.
    ///
    /// Those are the SUPERADMINs, and the default tenant's ADMINs: on a server without further tenants
    /// there is nobody else.
    pub fn confined_to(&self) -> Option<TenantId> {
        let runs_the_server = match self.role {
            Role::Superadmin => true,
            Role::Admin => self.tenant == TenantId::DEFAULT,
            Role::SalesHead
            | Role::Hr
            | Role::ExternalHr
            | Role::BatchLead
            | Role::Student
            | Role::Agent => false,
        };
        (!runs_the_server).then_some(self.tenant)
    }
}

impl Principal {
    /// Tells whether they may open `page`. An administrator may open all of them; everybody else needs the
    /// token to say so.
    pub const fn may_open(&self, page: Page) -> bool {
        match self.role {
            Role::Admin | Role::Superadmin => true,
            Role::SalesHead
            | Role::Hr
            | Role::ExternalHr
            | Role::BatchLead
            | Role::Student
            | Role::Agent => self.pages.contains(page),
        }
    }
}

/// One of our own services; proof that its token was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceCaller;

/// Whoever a route lets in that is for people and for services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A person.
    Person(Principal),
    /// One of our own services; it acts for the default tenant.
    Service,
}

impl Caller {
    /// Returns the tenant that the caller acts for.
    pub fn tenant(&self) -> TenantId {
        match self {
            Self::Person(person) => person.tenant,
            Self::Service => TenantId::DEFAULT,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if parts.extensions.get::<ServiceCaller>().is_some() {
            return Ok(Self::Service);
        }
        Principal::from_request_parts(parts, state).await.map(Self::Person)
    }
}

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
