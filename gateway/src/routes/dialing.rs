//! `/api/v1/dialing`: the red button.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::MR_HIRE;
use domain::ports::DialScope;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tree::{StopView, stops_for};
use super::{Services, wrong_field};
use crate::auth::Principal;
use crate::envelope::Data;
use crate::error::ApiError;
use crate::extract::Json as Body;
use crate::problem::Code;

/// The longest reason that is kept, in characters.
const REASON_CHARS_MAX: usize = 500;

/// What is stopped or resumed; when it does not say, all that the caller may stop.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialingRequest {
    /// `all`, `tenant:<uuid>` or `provider:mr-hire`.
    #[schema(
        pattern = "^(all|tenant:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|provider:mr-hire)$"
    )]
    scope: Option<String>,
    /// Why, for those who ask later; beyond 500 characters it is cut off.
    reason: Option<String>,
}

/// Whether dialing is stopped, and by whom.
#[derive(Serialize, ToSchema)]
#[schema(as = Dialing)]
#[serde(rename_all = "camelCase")]
pub struct DialingView {
    stopped: bool,
    stops: Vec<StopView>,
}

/// `GET /api/v1/dialing`. Tells whether dialing is stopped.
#[utoipa::path(
    get, path = "/api/v1/dialing", tag = "supervision", operation_id = "dialing",
    responses((status = 200, description = "The stops that hold the caller's dials.", body = Data<DialingView>)),
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    principal: Principal,
) -> Result<Json<Data<DialingView>>, ApiError> {
    status(&services, &principal).await
}

/// `POST /api/v1/dialing/stop`. Stops dialing. No dial begins after the answer.
#[utoipa::path(
    post, path = "/api/v1/dialing/stop", tag = "supervision", request_body = Option<DialingRequest>,
    responses((status = 200, description = "The stops that hold the caller's dials.", body = Data<DialingView>)),
)]
pub(super) async fn stop(
    State(services): State<Arc<Services>>,
    principal: Principal,
    body: Option<Body<DialingRequest>>,
) -> Result<Json<Data<DialingView>>, ApiError> {
    let (scope, reason) = read(body, &principal)?;
    services.tree.stop_dialing(scope, principal.sub.to_string(), reason).await?;
    status(&services, &principal).await
}

/// `POST /api/v1/dialing/resume`. Takes a stop back. Dials may begin again.
#[utoipa::path(
    post, path = "/api/v1/dialing/resume", tag = "supervision", request_body = Option<DialingRequest>,
    responses((status = 200, description = "The stops that hold the caller's dials.", body = Data<DialingView>)),
)]
pub(super) async fn resume(
    State(services): State<Arc<Services>>,
    principal: Principal,
    body: Option<Body<DialingRequest>>,
) -> Result<Json<Data<DialingView>>, ApiError> {
    let (scope, _) = read(body, &principal)?;
    services.tree.resume_dialing(scope).await?;
    status(&services, &principal).await
}

async fn status(
    services: &Services,
    principal: &Principal,
) -> Result<Json<Data<DialingView>>, ApiError> {
    let stops = stops_for(&services.tree.stops().await?, principal);
    Ok(Json(Data::new(DialingView { stopped: !stops.is_empty(), stops })))
}

fn read(
    body: Option<Body<DialingRequest>>,
    principal: &Principal,
) -> Result<(DialScope, Option<String>), ApiError> {
    let request = body.map(|Body(request)| request).unwrap_or_default();
    let reason = request.reason.map(|text| text.chars().take(REASON_CHARS_MAX).collect());
    let widest = principal.confined_to().map_or(DialScope::All, DialScope::Tenant);
    let Some(text) = request.scope else { return Ok((widest, reason)) };
    let message = "scope is none of all, tenant:<uuid>, provider:mr-hire";
    let scope =
        parse_scope(&text).ok_or_else(|| ApiError::invalid(wrong_field("#/scope", message)))?;
    if widest != DialScope::All && scope != widest {
        return Err(ApiError::new(Code::ScopeForbidden).detail(format!("{text} is not yours")));
    }
    Ok((scope, reason))
}

/// Reads a scope that somebody dials in.
fn parse_scope(text: &str) -> Option<DialScope> {
    match DialScope::read(text) {
        DialScope::Provider(name) if name != MR_HIRE => None,
        DialScope::Unknown(_) => None,
        scope => Some(scope),
    }
}

#[cfg(test)]
mod tests {
    use domain::TenantId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn only_a_scope_that_stops_something_is_read() {
        let id = Uuid::nil();
        for scope in [
            DialScope::All,
            DialScope::Tenant(TenantId(id)),
            DialScope::Provider(MR_HIRE.to_owned()),
        ] {
            assert_eq!(parse_scope(&scope.as_text()), Some(scope));
        }
        assert_eq!(parse_scope("everything"), None);
        assert_eq!(parse_scope(&format!("campaign:{id}")), None, "it would stop nothing");
        assert_eq!(parse_scope("tenant:x"), None);
        assert_eq!(parse_scope("provider:twilio"), None);
    }
}
