//! Writing tokens: HS256, since the private half of a public key is somebody else's.

use chrono::{DateTime, Duration, Utc};
use domain::{Role, TenantId};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use uuid::Uuid;

use super::{TokenRules, seconds};
use crate::auth::Pages;

/// What is written into a new token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whom it is for.
    pub sub: Uuid,
    /// What they may do.
    pub role: Role,
    /// Whose data they see; the default tenant when absent.
    pub tenant: Option<TenantId>,
    /// Which pages it opens.
    pub pages: Pages,
    /// How long it is good for.
    pub ttl: Duration,
}

#[derive(Serialize)]
struct Written<'a> {
    sub: Uuid,
    role: Role,
    exp: i64,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pages: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
}

/// Writes a token that is good from `now` on, where nothing else is asked of tokens.
///
/// # Errors
/// When it cannot be signed.
pub fn mint(secret: &SecretString, grant: Grant, now: DateTime<Utc>) -> anyhow::Result<String> {
    TokenRules::default().mint(secret, grant, now)
}

impl TokenRules {
    /// Writes a token that is good from `now` on, and says what these rules ask for.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn mint(
        &self,
        secret: &SecretString,
        grant: Grant,
        now: DateTime<Utc>,
    ) -> anyhow::Result<String> {
        let claims = Written {
            sub: grant.sub,
            role: grant.role,
            exp: seconds(now + grant.ttl) as i64,
            iat: seconds(now) as i64,
            tenant: grant.tenant,
            pages: grant.pages.names(),
            aud: self.audience.as_deref(),
            iss: self.issuer.as_deref(),
        };
        let header = Header { kid: self.key_ids.first().cloned(), ..Header::new(Algorithm::HS256) };
        let key = EncodingKey::from_secret(secret.expose_secret().as_bytes());
        Ok(encode(&header, &claims, &key)?)
    }
}
