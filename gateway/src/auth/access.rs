//! Who a route lets in; declared with the route, enforced before its handler.

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, AsHeaderName, HeaderMap, HeaderValue};
use metrics::counter;
use tracing::warn;

use super::secret::check;
use super::{Principal, Role, ServiceCaller, TokenError};
use crate::error::ApiError;
use crate::problem::Code;
use crate::state::AppState;

/// Who a route lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Everybody as far as the door; the handler itself asks who it is, as the first frame of a
    /// WebSocket may say.
    InBand,
    /// Every person with a valid token.
    AnyRole,
    /// People with one of these roles.
    Roles(&'static [Role]),
    /// Our own services.
    Service,
    /// People with one of these roles, and our own services.
    RolesOrService(&'static [Role]),
    /// The sender of a webhook.
    Webhook(WebhookSource),
}

/// Who sends webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookSource {
    /// The call engine; its secret travels in `x-webhook-secret`.
    MrHire,
}

impl WebhookSource {
    /// Returns the label under which it is counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MrHire => "mr_hire",
        }
    }

    const fn header(self) -> &'static str {
        match self {
            Self::MrHire => "x-webhook-secret",
        }
    }
}

/// Lets the request in, with its principal, or says why not.
///
/// # Errors
/// [`ApiError`] to whoever may not come in.
pub(crate) fn admit(app: &AppState, access: Access, request: &mut Request) -> Result<(), ApiError> {
    match access {
        Access::Open | Access::InBand => {}
        Access::AnyRole => {
            let principal = person(app, request.headers())?;
            request.extensions_mut().insert(principal);
        }
        Access::Roles(roles) => {
            let principal = person(app, request.headers())?;
            if !roles.contains(&principal.role) {
                return Err(forbidden(principal.role));
            }
            request.extensions_mut().insert(principal);
        }
        Access::Service => {
            let caller = service(app, request.headers())?;
            request.extensions_mut().insert(caller);
        }
        Access::RolesOrService(_) if is_service(app, request.headers()) => {
            request.extensions_mut().insert(ServiceCaller);
        }
        Access::RolesOrService(roles) => return admit(app, Access::Roles(roles), request),
        Access::Webhook(source) => webhook(app, source, request.headers())?,
    }
    Ok(())
}

fn person(app: &AppState, headers: &HeaderMap) -> Result<Principal, ApiError> {
    let keys = app.keys.jwt.as_ref().ok_or_else(|| ApiError::new(Code::AuthNotConfigured))?;
    let token = bearer(headers).ok_or_else(|| ApiError::new(Code::Unauthenticated))?;
    keys.verify(token, app.clock.now()).map_err(ApiError::from)
}

fn service(app: &AppState, headers: &HeaderMap) -> Result<ServiceCaller, ApiError> {
    let secret = app.keys.service.as_ref();
    let secret = secret.ok_or_else(|| ApiError::new(Code::AuthNotConfigured))?;
    let token = bearer(headers).ok_or_else(|| ApiError::new(Code::Unauthenticated))?;
    if !secret.matches(token.as_bytes()) {
        return Err(ApiError::new(Code::InvalidToken));
    }
    Ok(ServiceCaller)
}

/// Whether the token is our own services'; nothing else is said of another one.
fn is_service(app: &AppState, headers: &HeaderMap) -> bool {
    let token = bearer(headers).map(str::as_bytes);
    app.keys.service.as_ref().zip(token).is_some_and(|(secret, token)| secret.matches(token))
}

fn webhook(app: &AppState, source: WebhookSource, headers: &HeaderMap) -> Result<(), ApiError> {
    let configured = match source {
        WebhookSource::MrHire => app.keys.mr_hire_webhook.as_ref(),
    };
    let presented = single(headers, source.header()).map(HeaderValue::as_bytes);
    check(configured, presented).map_err(|rejection| {
        let (source, reason) = (source.as_str(), rejection.reason());
        counter!("ringmaster_webhook_rejected_total", "source" => source, "reason" => reason)
            .increment(1);
        warn!(source, reason, "webhook of {source} refused: {rejection}");
        ApiError::new(Code::WebhookUnauthorized)
    })
}

/// Returns a header that is there once; twice counts as not at all, since two readers might each
/// believe another one.
fn single(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    values.next().filter(|_| values.next().is_none())
}

/// Returns the bearer token.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = single(headers, AUTHORIZATION)?;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn forbidden(role: Role) -> ApiError {
    ApiError::new(Code::Forbidden).detail(format!("the role {role} may not do this"))
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        let code = match &error {
            TokenError::Expired => Code::TokenExpired,
            TokenError::TooEarly | TokenError::Claims(_) | TokenError::Untrusted(_) => {
                Code::InvalidToken
            }
        };
        Self::new(code).detail(error.to_string()).because(error)
    }
}
