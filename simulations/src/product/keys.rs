//! What a server and those who talk to it recognise each other by.

use chrono::{DateTime, Utc};
use jsonwebtoken::{EncodingKey, Header, encode};
use rand::Rng;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The secrets of one installation. They guard simulated data only, so they are plain text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    /// What people's tokens are signed with.
    pub jwt_secret: String,
    /// What the engine's webhooks carry.
    pub webhook_secret: String,
    /// What the server shows the engine.
    pub service_token: String,
}

/// What a token's holder may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Runs the server.
    Superadmin,
    /// Runs a tenant.
    Admin,
    /// Sees their own calls.
    Hr,
    /// Sees no calls at all.
    Student,
}

#[derive(Serialize)]
struct Claims {
    sub: Uuid,
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<Uuid>,
    exp: i64,
}

impl Keys {
    /// Draws new ones, unlike everything else here without a seed: nobody shall guess them.
    pub fn draw() -> Self {
        let secret = || format!("{:032x}", rand::rng().random::<u128>());
        Self { jwt_secret: secret(), webhook_secret: secret(), service_token: secret() }
    }

    /// Writes a bearer token for `sub` that is good until `expires`, by the server's clock.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn token(&self, role: Role, sub: Uuid, expires: DateTime<Utc>) -> anyhow::Result<String> {
        self.sign(&Claims { sub, role, tenant: None, exp: expires.timestamp() })
    }

    /// Writes a bearer token for somebody of another tenant than the default one.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn token_in(
        &self,
        tenant: Uuid,
        role: Role,
        sub: Uuid,
        expires: DateTime<Utc>,
    ) -> anyhow::Result<String> {
        self.sign(&Claims { sub, role, tenant: Some(tenant), exp: expires.timestamp() })
    }

    fn sign(&self, claims: &Claims) -> anyhow::Result<String> {
        let key = EncodingKey::from_secret(self.jwt_secret.as_bytes());
        Ok(encode(&Header::default(), claims, &key)?)
    }
}
