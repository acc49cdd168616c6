//! How often somebody may ask: each token, each tenant, each source of webhooks; and how often anybody may
//! guess at a token, a secret or an id.
//!
//! Every process counts for itself, by the injected clock. What is counted is bounded, whoever comes.

mod fields;
mod guesses;
mod settings;
mod shares;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::http::StatusCode;
use domain::TenantId;
use domain::ports::Clock;
use metrics::counter;
use uuid::Uuid;

pub(crate) use fields::RateFields;
pub use settings::{InvalidRate, Rate, RateSettings};

use crate::auth::{Principal, WebhookSource};
use crate::error::ApiError;
use crate::problem::Code;
use fields::Policy;
use guesses::Guesses;
use shares::{Share, Shares, Ticks, Whole};

/// A token, as it is counted: whoever has several tokens of one tenant has one share all the same.
type Who = (TenantId, Uuid);

/// The rates of one server.
pub struct Rates {
    token: Option<Shares<Who>>,
    tenant: Option<Shares<TenantId>>,
    sources: Vec<(WebhookSource, Whole)>,
    failures: Option<Guesses<IpAddr>>,
    misses: Option<Guesses<Who>>,
}

impl Rates {
    /// Starts to count.
    pub fn new(settings: &RateSettings, clock: Arc<dyn Clock>) -> Self {
        let ticks = Ticks(clock);
        let second = |name, rate: Rate| Some(Policy::per_second(name, rate.get()?));
        let source = |one: &WebhookSource| {
            let policy = second("source", settings.source)?;
            Some((*one, Whole::new(policy, ticks.clone())))
        };
        let failures = settings.failures.get().map(|max| Policy::per_minute("failures", max));
        let misses = settings.failures.get().map(|max| Policy::per_minute("misses", max));
        Self {
            token: second("token", settings.token).map(|one| Shares::new(one, ticks.clone())),
            tenant: second("tenant", settings.tenant).map(|one| Shares::new(one, ticks.clone())),
            sources: WebhookSource::ALL.iter().filter_map(source).collect(),
            failures: failures.map(|policy| Guesses::new(policy, ticks.clone())),
            misses: misses.map(|policy| Guesses::new(policy, ticks.clone())),
        }
    }

    /// Takes one request of a person's shares; answers what is left of them.
    ///
    /// # Errors
    /// [`Code::RateLimited`] when nothing is.
    pub(crate) fn take(&self, principal: &Principal) -> Result<Option<RateFields>, ApiError> {
        let token = self.token.as_ref().map(|one| one.take(&(principal.tenant, principal.sub)));
        let token = token.transpose().map_err(|over| refused(&over))?;
        let tenant = self.tenant.as_ref().map(|one| one.take(&principal.tenant));
        let tenant = tenant.transpose().map_err(|over| refused(&over))?;
        let taken: Vec<Share<'_>> = token.into_iter().chain(tenant).collect();
        Ok(RateFields::of(&taken))
    }

    /// Takes one webhook of a source's share: one atomic.
    ///
    /// # Errors
    /// [`Code::RateLimited`] when nothing is left of it.
    pub(crate) fn take_webhook(&self, source: WebhookSource) -> Result<(), ApiError> {
        match self.sources.iter().find(|(one, _)| *one == source) {
            Some((_, whole)) => whole.take().map(drop).map_err(|over| refused(&over)),
            None => Ok(()),
        }
    }

    /// Counts a refusal of credentials that came from `remote`; answers what it is told.
    pub(crate) fn failed(&self, remote: IpAddr, refusal: ApiError) -> ApiError {
        if refusal.code().status() != StatusCode::UNAUTHORIZED {
            return refusal;
        }
        let over = self.failures.as_ref().and_then(|guesses| guesses.wrong(remote));
        over.map_or(refusal, |over| refused(&over))
    }

    /// Counts a refusal of credentials that was answered already.
    pub(crate) fn refused(&self, remote: IpAddr) {
        if let Some(guesses) = &self.failures {
            let _shut_out = guesses.wrong(remote);
        }
    }

    /// Tells whether somebody may ask for things by their id.
    ///
    /// # Errors
    /// [`Code::RateLimited`] while too many that they asked for do not exist.
    pub(crate) fn may_look(&self, principal: &Principal) -> Result<(), ApiError> {
        let who = (principal.tenant, principal.sub);
        let over = self.misses.as_ref().and_then(|guesses| guesses.over(&who));
        over.map_or(Ok(()), |over| Err(refused(&over)))
    }

    /// Counts an id that does not exist.
    ///
    /// # Errors
    /// [`Code::RateLimited`] when it was one too many.
    pub(crate) fn missed(&self, principal: &Principal) -> Result<(), ApiError> {
        let who = (principal.tenant, principal.sub);
        let over = self.misses.as_ref().and_then(|guesses| guesses.wrong(who));
        over.map_or(Ok(()), |over| Err(refused(&over)))
    }
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rates")
    }
}

/// Says that nothing is left of a share, and from when on there is.
fn refused(share: &Share<'_>) -> ApiError {
    counter!("ringmaster_rate_limited_total", "limit" => share.policy.name()).increment(1);
    let error = ApiError::new(Code::RateLimited)
        .detail(share.policy.sentence())
        .retry_after_s(share.wait_s.max(1));
    match RateFields::of(std::slice::from_ref(share)) {
        Some(fields) => error.rated(fields),
        None => error,
    }
}
