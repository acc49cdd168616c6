//! Who a route lets in; declared with the route, enforced before its handler.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, AsHeaderName, HeaderMap, HeaderValue};
use metrics::counter;
use tracing::warn;

use super::secret::check;
use super::{Page, Patience, Principal, Role, ServiceCaller, TokenError};
use crate::error::ApiError;
use crate::problem::Code;
use crate::rates::RateFields;
use crate::server::Remote;
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
    /// People with one of these roles whose token opens the page; administrators among them need no such
    /// claim.
    Page(&'static [Role], Page),
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
    /// Every source there is.
    pub const ALL: [Self; 1] = [Self::MrHire];

    /// Returns the label under which it is counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MrHire => "mr_hire",
        }
    }

    /// Returns the header in which its secret travels.
    pub const fn header(self) -> &'static str {
        match self {
            Self::MrHire => "x-webhook-secret",
        }
    }
}

/// Who came in.
#[derive(Debug)]
pub(crate) enum Visitor {
    /// Nobody who is counted by name.
    Unnamed,
    /// A person, and what is left of their shares.
    Person(Principal, Option<RateFields>),
}

/// Lets the request in, with its principal, or says why not.
///
/// Credentials are always looked at, which costs little: whoever has good ones is not kept out by those who
/// guess from the same address, as behind a proxy all do. Bad ones are counted, and beyond the limit answered
/// 429. A person's request is then counted too, and it is asked whether they may still come in.
///
/// # Errors
/// [`ApiError`] to whoever may not come in.
pub(crate) async fn admit(
    app: &AppState,
    access: Access,
    request: &mut Request,
) -> Result<Visitor, ApiError> {
    let remote = Remote::of(request.extensions());
    match access {
        Access::Open => Ok(Visitor::Unnamed),
        Access::InBand => Ok(Visitor::Unnamed),
        Access::AnyRole => person(app, request, remote, |_| Ok(())).await,
        Access::Roles(roles) => {
            person(app, request, remote, |principal| has_role(principal, roles)).await
        }
        Access::Page(roles, page) => {
            let fits = |principal: &Principal| {
                has_role(principal, roles)?;
                if principal.may_open(page) { Ok(()) } else { Err(page_forbidden(page)) }
            };
            person(app, request, remote, fits).await
        }
        Access::Service => {
            let caller = service(app, request.headers());
            let caller = caller.map_err(|refusal| app.rates.failed(remote, refusal))?;
            request.extensions_mut().insert(caller);
            Ok(Visitor::Unnamed)
        }
        Access::RolesOrService(roles) => {
            if is_service(app, request.headers()) {
                request.extensions_mut().insert(ServiceCaller);
                return Ok(Visitor::Unnamed);
            }
            person(app, request, remote, |principal| has_role(principal, roles)).await
        }
        Access::Webhook(source) => {
            let checked = webhook(app, source, request.headers());
            checked.map_err(|refusal| app.rates.failed(remote, refusal))?;
            app.rates.take_webhook(source)?;
            Ok(Visitor::Unnamed)
        }
    }
}

/// Lets a person in whose token is good, who may still come in, and who `fits` the route.
async fn person(
    app: &AppState,
    request: &mut Request,
    remote: IpAddr,
    fits: impl Fn(&Principal) -> Result<(), ApiError>,
) -> Result<Visitor, ApiError> {
    let principal = bearer(request.headers())
        .ok_or_else(|| ApiError::new(unnamed(app)))
        .and_then(|token| verified(app, token))
        .map_err(|refusal| app.rates.failed(remote, refusal))?;
    let left = app.rates.take(&principal)?;
    let rated = |refusal: ApiError| match &left {
        Some(left) => refusal.rated(left.clone()),
        None => refusal,
    };
    let standing = app.register.admit(&principal, Patience::Request).await;
    standing.map_err(|refusal| rated(app.rates.failed(remote, refusal)))?;
    fits(&principal).map_err(rated)?;
    request.extensions_mut().insert(principal);
    Ok(Visitor::Person(principal, left))
}

/// Returns whom `token` speaks for, whether or not they may still come in.
pub(crate) fn verified(app: &AppState, token: &str) -> Result<Principal, ApiError> {
    let keys = app.keys.jwt.as_ref().ok_or_else(|| ApiError::new(Code::AuthNotConfigured))?;
    keys.verify(token, app.clock.now()).map_err(ApiError::from)
}

/// Returns what somebody without a token is told: that none can be verified, if that is so.
fn unnamed(app: &AppState) -> Code {
    if app.keys.jwt.is_some() { Code::Unauthenticated } else { Code::AuthNotConfigured }
}

fn has_role(principal: &Principal, roles: &[Role]) -> Result<(), ApiError> {
    if roles.contains(&principal.role) { Ok(()) } else { Err(forbidden(principal.role)) }
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

fn page_forbidden(page: Page) -> ApiError {
    ApiError::new(Code::PageForbidden).detail(format!("the token does not open the page {page}"))
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
