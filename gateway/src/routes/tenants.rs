//! `/api/v1/tenants`: who shares this server.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::TenantId;
use domain::ports::{NewTenant, PageRequest, Tenant, TenantRefusal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Services;
use super::checks::Checks;
use crate::auth::Principal;
use crate::envelope::{Data, List, Meta};
use crate::error::ApiError;
use crate::extract::{Json as Body, NativePageParams, Page, Path};
use crate::problem::Code;

/// A tenant to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantRequest {
    /// Drawn by the caller, so that the same request twice creates one tenant; tokens carry it as `tenant`.
    id: Uuid,
    /// Not blank.
    #[schema(min_length = 1, max_length = 300)]
    name: String,
}

/// One tenant as clients see it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantView {
    id: Uuid,
    name: String,
    created_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> Self {
        let Tenant { id, name, created_at, closed_at } = tenant;
        Self { id: id.0, name, created_at, closed_at }
    }
}

/// `GET /api/v1/tenants`, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/tenants",
    tag = "tenants",
    params(NativePageParams),
    responses((status = 200, description = "A page of tenants.", body = List<TenantView>)),
)]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    _: Principal,
    page: Page,
) -> Result<Json<List<TenantView>>, ApiError> {
    let request = PageRequest { page: page.number(), limit: page.limit() };
    let found = services.tenants.tenants(request).await?;
    let meta = Meta { as_of: services.clock.now(), seq: found.seq };
    let total = u64::try_from(found.total).unwrap_or_default();
    let rows = found.rows.into_iter().map(TenantView::from).collect();
    Ok(Json(List::new(rows, page, total, meta)))
}

/// `POST /api/v1/tenants`. The same one again is answered as it is.
#[utoipa::path(
    post,
    path = "/api/v1/tenants",
    tag = "tenants",
    request_body = TenantRequest,
    responses(
        (status = 201, description = "It exists.", body = Data<TenantView>),
        (status = 409, description = "The id is another tenant's."),
    ),
)]
pub(super) async fn create(
    State(services): State<Arc<Services>>,
    _: Principal,
    Body(request): Body<TenantRequest>,
) -> Result<(StatusCode, Json<Data<TenantView>>), ApiError> {
    let tenant = request.parse()?;
    match services.tenants.create(tenant, services.clock.now()).await? {
        Ok(tenant) => Ok((StatusCode::CREATED, Json(Data::new(tenant.into())))),
        Err(TenantRefusal::IdTaken) => {
            let why = "a tenant of another name, or a closed one, has this id";
            Err(ApiError::new(Code::Conflict).detail(why))
        }
    }
}

/// `POST /api/v1/tenants/{id}/close`. Its people's tokens are refused from then on.
#[utoipa::path(
    post,
    path = "/api/v1/tenants/{id}/close",
    tag = "tenants",
    params(("id" = Uuid, Path, description = "The tenant.")),
    responses(
        (status = 200, description = "It is closed.", body = Data<TenantView>),
        (status = 409, description = "It is the default tenant, or the caller's own."),
    ),
)]
pub(super) async fn close(
    State(services): State<Arc<Services>>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<Json<Data<TenantView>>, ApiError> {
    let id = TenantId(id);
    // Whoever could undo it would be locked out by it.
    if id == TenantId::DEFAULT || id == principal.tenant {
        let why = "neither the default tenant nor the caller's own can be closed";
        return Err(ApiError::new(Code::Conflict).detail(why));
    }
    let closed = services.tenants.close(id, services.clock.now()).await?;
    let closed = closed.ok_or_else(|| ApiError::new(Code::NotFound))?;
    Ok(Json(Data::new(closed.into())))
}

impl TenantRequest {
    fn parse(self) -> Result<NewTenant, ApiError> {
        let mut checks = Checks::default();
        checks.filled("name", &self.name);
        if self.id.is_nil() {
            checks.wrong("id", "id is nil: draw one");
        }
        checks.passed()?;
        Ok(NewTenant { id: TenantId(self.id), name: self.name })
    }
}
