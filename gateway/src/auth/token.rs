//! Bearer tokens: JWT, under the one algorithm that each key is for.

mod grant;
mod public;
#[cfg(test)]
mod tests;

use std::fmt;

use chrono::{DateTime, Utc};
use domain::{Role, TenantId};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use uuid::Uuid;

pub use grant::{Grant, mint};
pub use public::{InvalidPublicKey, PublicKey};

use super::{Pages, Principal};

/// By how many seconds clocks may differ. Source: RFC 7519, 4.1.4 ("a few minutes" at most).
pub const LEEWAY_S: i64 = 60;

/// What every token must say beside whom it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRules {
    /// A token names one of these in its `kid`; where there are none, a `kid` means nothing.
    pub key_ids: Vec<String>,
    /// A token is for this audience. Where none is set, one that names an audience is not for us.
    pub audience: Option<String>,
    /// A token is of this issuer; of any where none is set.
    pub issuer: Option<String>,
}

/// Verifies tokens.
#[derive(Clone)]
pub struct JwtKeys {
    verifiers: Vec<Verifier>,
    key_ids: Vec<String>,
}

/// One key, and the one algorithm it is for: a token says which key it means, and never what to do with it.
#[derive(Clone)]
struct Verifier {
    algorithm: Algorithm,
    key: DecodingKey,
    rules: Validation,
}

impl fmt::Debug for JwtKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtKeys(****)")
    }
}

/// Why a token is refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It was good once.
    #[error("the token has expired")]
    Expired,
    /// It is not good yet.
    #[error("the token is not valid yet")]
    TooEarly,
    /// It lacks a claim, or one has the wrong type.
    #[error("the token's claims are incomplete or malformed")]
    Claims(#[source] anyhow::Error),
    /// It is no token, or nobody we trust signed it.
    #[error("the token cannot be verified")]
    Untrusted(#[source] anyhow::Error),
}

#[derive(Deserialize)]
struct Claims {
    sub: Uuid,
    role: Role,
    /// Seconds since the epoch; RFC 7519 allows fractions. A string is not a number.
    exp: f64,
    nbf: Option<f64>,
    #[serde(default, alias = "tenantId", alias = "tenant_id")]
    tenant: Option<TenantId>,
    #[serde(default)]
    pages: Vec<String>,
}

impl JwtKeys {
    /// Takes the one secret that signs and verifies, and asks nothing else of tokens.
    pub fn new(secret: &SecretString) -> Self {
        let verifiers = vec![Verifier::of_secret(secret, &TokenRules::default())];
        Self { verifiers, key_ids: Vec::new() }
    }

    /// Takes the keys that are configured; none when none is, since then nothing can be verified.
    pub fn configured(
        secret: Option<&SecretString>,
        public: Option<PublicKey>,
        rules: &TokenRules,
    ) -> Option<Self> {
        let secret = secret.map(|secret| Verifier::of_secret(secret, rules));
        let public = public.map(|public| Verifier::of_public(public, rules));
        let verifiers: Vec<Verifier> = secret.into_iter().chain(public).collect();
        (!verifiers.is_empty()).then(|| Self { verifiers, key_ids: rules.key_ids.clone() })
    }

    /// Returns whom `token` speaks for at `now`.
    ///
    /// # Errors
    /// [`TokenError`] when it speaks for nobody.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Principal, TokenError> {
        let header = decode_header(token).map_err(refusal)?;
        let verifier = self.chosen(&header)?;
        let decoded = decode::<Claims>(token, &verifier.key, &verifier.rules).map_err(refusal)?;
        decoded.claims.at(now)
    }

    /// Chooses the key that a header means, among ours.
    fn chosen(&self, header: &Header) -> Result<&Verifier, TokenError> {
        let untrusted = |why: &'static str| TokenError::Untrusted(anyhow::anyhow!(why));
        if header.crit.is_some() {
            return Err(untrusted("it has critical headers, of which none is known here"));
        }
        let is_ours = |kid: &String| self.key_ids.contains(kid);
        if !self.key_ids.is_empty() && !header.kid.as_ref().is_some_and(is_ours) {
            return Err(untrusted("its key id is none of those that are allowed"));
        }
        let verifier = self.verifiers.iter().find(|one| one.algorithm == header.alg);
        verifier.ok_or_else(|| untrusted("no key of ours is for its algorithm"))
    }
}

impl Verifier {
    fn of_secret(secret: &SecretString, rules: &TokenRules) -> Self {
        let key = DecodingKey::from_secret(secret.expose_secret().as_bytes());
        Self::new(Algorithm::HS256, key, rules)
    }

    fn of_public(public: PublicKey, rules: &TokenRules) -> Self {
        let (algorithm, key) = public.into_parts();
        Self::new(algorithm, key, rules)
    }

    fn new(algorithm: Algorithm, key: DecodingKey, wanted: &TokenRules) -> Self {
        let mut rules = Validation::new(algorithm);
        // The times are judged below, by the injected clock; the library would read its own.
        rules.validate_exp = false;
        rules.validate_nbf = false;
        let mut required = vec!["exp", "sub"];
        if let Some(audience) = &wanted.audience {
            rules.set_audience(&[audience]);
            required.push("aud");
        }
        if let Some(issuer) = &wanted.issuer {
            rules.set_issuer(&[issuer]);
            required.push("iss");
        }
        rules.set_required_spec_claims(&required);
        Self { algorithm, key, rules }
    }
}

impl Claims {
    fn at(self, now: DateTime<Utc>) -> Result<Principal, TokenError> {
        let (now, leeway) = (seconds(now), LEEWAY_S as f64);
        if now > self.exp + leeway {
            return Err(TokenError::Expired);
        }
        if self.nbf.is_some_and(|nbf| now < nbf - leeway) {
            return Err(TokenError::TooEarly);
        }
        let expires_at =
            DateTime::from_timestamp(self.exp as i64, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Ok(Principal {
            sub: self.sub,
            role: self.role,
            tenant: self.tenant.unwrap_or(TenantId::DEFAULT),
            pages: Pages::named(self.pages.iter().map(String::as_str)),
            expires_at,
        })
    }
}

fn refusal(error: jsonwebtoken::errors::Error) -> TokenError {
    match error.kind() {
        ErrorKind::MissingRequiredClaim(_)
        | ErrorKind::InvalidClaimFormat(_)
        | ErrorKind::InvalidAudience
        | ErrorKind::InvalidIssuer
        | ErrorKind::Json(_) => TokenError::Claims(error.into()),
        _ => TokenError::Untrusted(error.into()),
    }
}

fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1_000.0
}
