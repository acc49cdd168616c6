//! `/api/v1/dialing`: the red button.

use axum::Json;
use axum::extract::State;
use domain::TenantId;
use domain::ports::DialScope;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::tree::StopView;
use super::{Services, wrong_field};
use crate::auth::Principal;
use crate::envelope::Data;
use crate::error::ApiError;
use crate::extract::Json as Body;

/// The longest reason that is kept, in characters.
const REASON_CHARS_MAX: usize = 500;

/// What is stopped or resumed; everything when it does not say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialingRequest {
    /// `all`, `tenant:<uuid>`, `provider:<name>` or `campaign:<uuid>`.
    scope: Option<String>,
    /// Why, for those who ask later.
    reason: Option<String>,
}

/// Whether dialing is stopped, and by whom.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DialingView {
    stopped: bool,
    stops: Vec<StopView>,
}

/// `GET /api/v1/dialing`.
pub(super) async fn show(
    State(services): State<Services>,
) -> Result<Json<Data<DialingView>>, ApiError> {
    status(&services).await
}

/// `POST /api/v1/dialing/stop`. No dial begins after the answer.
pub(super) async fn stop(
    State(services): State<Services>,
    principal: Principal,
    body: Option<Body<DialingRequest>>,
) -> Result<Json<Data<DialingView>>, ApiError> {
    let (scope, reason) = read(body)?;
    services.tree.stop_dialing(scope, principal.sub.to_string(), reason).await?;
    status(&services).await
}

/// `POST /api/v1/dialing/resume`.
pub(super) async fn resume(
    State(services): State<Services>,
    body: Option<Body<DialingRequest>>,
) -> Result<Json<Data<DialingView>>, ApiError> {
    let (scope, _) = read(body)?;
    services.tree.resume_dialing(scope).await?;
    status(&services).await
}

async fn status(services: &Services) -> Result<Json<Data<DialingView>>, ApiError> {
    let stops = services.tree.stops().await?;
    let stops: Vec<_> = stops.into_iter().map(StopView::from).collect();
    Ok(Json(Data::new(DialingView { stopped: !stops.is_empty(), stops })))
}

fn read(body: Option<Body<DialingRequest>>) -> Result<(DialScope, Option<String>), ApiError> {
    let request = body.map(|Body(request)| request).unwrap_or_default();
    let reason = request.reason.map(|text| text.chars().take(REASON_CHARS_MAX).collect());
    let scope = request.scope.as_deref().map_or(Some(DialScope::All), parse_scope);
    let message = "scope is none of all, tenant:<uuid>, provider:mr-hire, campaign:<uuid>";
    let scope = scope.ok_or_else(|| ApiError::invalid(wrong_field("#/scope", message)))?;
    Ok((scope, reason))
}

fn parse_scope(text: &str) -> Option<DialScope> {
    let uuid = |text: &str| Uuid::parse_str(text).ok();
    match text.split_once(':') {
        None => (text == "all").then_some(DialScope::All),
        Some(("tenant", id)) => uuid(id).map(TenantId).map(DialScope::Tenant),
        Some(("campaign", id)) => uuid(id).map(DialScope::Campaign),
        Some(("provider", "mr-hire")) => Some(DialScope::Provider("mr-hire".to_owned())),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_is_read_as_it_is_written() {
        let id = Uuid::nil();
        for scope in [
            DialScope::All,
            DialScope::Tenant(TenantId(id)),
            DialScope::Provider("mr-hire".to_owned()),
            DialScope::Campaign(id),
        ] {
            assert_eq!(parse_scope(&scope.as_text()), Some(scope));
        }
        assert_eq!(parse_scope("everything"), None);
        assert_eq!(parse_scope("tenant:x"), None);
    }
}
