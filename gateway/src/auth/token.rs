//! Bearer tokens: JWT, HS256 and nothing else.

use std::fmt;

use chrono::{DateTime, Duration, Utc};
use domain::TenantId;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Principal, Role};

/// By how many seconds clocks may differ. Source: RFC 7519, 4.1.4 ("a few minutes" at most).
pub const LEEWAY_S: i64 = 60;

/// Verifies tokens.
#[derive(Clone)]
pub struct JwtKeys {
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

/// What is written into a new token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whom it is for.
    pub sub: Uuid,
    /// What they may do.
    pub role: Role,
    /// Whose data they see; the default tenant when absent.
    pub tenant: Option<TenantId>,
    /// How long it is good for.
    pub ttl: Duration,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: Uuid,
    role: Role,
    /// Seconds since the epoch; RFC 7519 allows fractions. A string is not a number.
    exp: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<f64>,
    #[serde(default, alias = "tenantId", alias = "tenant_id")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantId>,
}

impl JwtKeys {
    /// Takes the key that verifies.
    pub fn new(secret: &SecretString) -> Self {
        let mut rules = Validation::new(Algorithm::HS256);
        // The times are judged below, by the injected clock; the library would read its own.
        rules.validate_exp = false;
        rules.validate_nbf = false;
        rules.set_required_spec_claims(&["exp", "sub"]);
        Self { key: DecodingKey::from_secret(secret.expose_secret().as_bytes()), rules }
    }

    /// Returns whom `token` speaks for at `now`.
    ///
    /// # Errors
    /// [`TokenError`] when it speaks for nobody.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Principal, TokenError> {
        let decoded = decode::<Claims>(token, &self.key, &self.rules).map_err(refusal)?;
        if decoded.header.crit.is_some() {
            let cause = anyhow::anyhow!("it has critical headers, of which none is known here");
            return Err(TokenError::Untrusted(cause));
        }
        let claims = decoded.claims;
        let (now, leeway) = (seconds(now), LEEWAY_S as f64);
        if now > claims.exp + leeway {
            return Err(TokenError::Expired);
        }
        if claims.nbf.is_some_and(|nbf| now < nbf - leeway) {
            return Err(TokenError::TooEarly);
        }
        let tenant = claims.tenant.unwrap_or(TenantId::DEFAULT);
        let expires_at =
            DateTime::from_timestamp(claims.exp as i64, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Ok(Principal { sub: claims.sub, role: claims.role, tenant, expires_at })
    }
}

/// Writes a token that is good from `now` on.
///
/// # Errors
/// When it cannot be signed.
pub fn mint(secret: &SecretString, grant: Grant, now: DateTime<Utc>) -> anyhow::Result<String> {
    let claims = Claims {
        sub: grant.sub,
        role: grant.role,
        exp: seconds(now + grant.ttl).trunc(),
        nbf: None,
        iat: Some(seconds(now).trunc()),
        tenant: grant.tenant,
    };
    let key = EncodingKey::from_secret(secret.expose_secret().as_bytes());
    Ok(encode(&Header::new(Algorithm::HS256), &claims, &key)?)
}

fn refusal(error: jsonwebtoken::errors::Error) -> TokenError {
    match error.kind() {
        ErrorKind::MissingRequiredClaim(_)
        | ErrorKind::InvalidClaimFormat(_)
        | ErrorKind::InvalidAudience
        | ErrorKind::Json(_) => TokenError::Claims(error.into()),
        _ => TokenError::Untrusted(error.into()),
    }
}

fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn secret() -> SecretString {
        SecretString::from("a secret that is long enough for HS256")
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn grant() -> Grant {
        Grant { sub: Uuid::from_u128(7), role: Role::Hr, tenant: None, ttl: Duration::hours(1) }
    }

    fn signed(algorithm: Algorithm, claims: &Value) -> String {
        let key = EncodingKey::from_secret(secret().expose_secret().as_bytes());
        encode(&Header::new(algorithm), claims, &key).unwrap()
    }

    fn verify(token: &str) -> Result<Principal, TokenError> {
        JwtKeys::new(&secret()).verify(token, at(NOW))
    }

    fn claims(change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Value {
        let mut claims = json!({"sub": Uuid::from_u128(7), "role": "HR", "exp": NOW + 60});
        change(claims.as_object_mut().unwrap());
        claims
    }

    #[test]
    fn minted_token_speaks_for_its_subject() {
        let token = mint(&secret(), grant(), at(NOW)).unwrap();
        let principal = verify(&token).unwrap();
        assert_eq!((principal.sub, principal.role), (Uuid::from_u128(7), Role::Hr));
        assert_eq!(principal.tenant, TenantId::DEFAULT);
    }

    #[test]
    fn token_ends_with_its_leeway() {
        let token = mint(&secret(), grant(), at(NOW)).unwrap();
        let keys = JwtKeys::new(&secret());
        let end = NOW + 3600 + LEEWAY_S;
        assert!(keys.verify(&token, at(end)).is_ok());
        assert!(matches!(keys.verify(&token, at(end + 1)), Err(TokenError::Expired)));
    }

    #[test]
    fn token_must_be_complete_and_well_typed() {
        let broken = [
            claims(|c| drop(c.remove("exp"))),
            claims(|c| drop(c.remove("sub"))),
            claims(|c| drop(c.remove("role"))),
            claims(|c| drop(c.insert("exp".into(), json!((NOW + 60).to_string())))),
            claims(|c| drop(c.insert("exp".into(), json!(null)))),
            claims(|c| drop(c.insert("exp".into(), json!(-1)))),
            claims(|c| drop(c.insert("nbf".into(), json!("0")))),
            claims(|c| drop(c.insert("sub".into(), json!("somebody")))),
            claims(|c| drop(c.insert("role".into(), json!("GOD")))),
            claims(|c| drop(c.insert("role".into(), json!(["ADMIN"])))),
            claims(|c| drop(c.insert("tenant".into(), json!("everyone")))),
            claims(|c| drop(c.insert("aud".into(), json!("somebody else")))),
        ];
        for claims in broken {
            let error = verify(&signed(Algorithm::HS256, &claims)).unwrap_err();
            assert!(!matches!(error, TokenError::Expired), "{claims}: {error}");
        }
    }

    #[test]
    fn only_the_pinned_algorithm_and_our_key_count() {
        let good = claims(|_| {});
        assert!(verify(&signed(Algorithm::HS256, &good)).is_ok());
        assert!(matches!(verify(&signed(Algorithm::HS512, &good)), Err(TokenError::Untrusted(_))));
        let foreign = JwtKeys::new(&SecretString::from("another"));
        let token = signed(Algorithm::HS256, &good);
        assert!(matches!(foreign.verify(&token, at(NOW)), Err(TokenError::Untrusted(_))));
        // {"alg":"none","typ":"JWT"}, without and with the signature of a good token.
        let (_, rest) = token.split_once('.').unwrap();
        let (body, signature) = rest.split_once('.').unwrap();
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        for forged in [format!("{none}.{body}."), format!("{none}.{body}.{signature}")] {
            let error = verify(&forged).unwrap_err();
            assert!(matches!(error, TokenError::Untrusted(_) | TokenError::Claims(_)), "{error}");
        }
    }

    #[test]
    fn token_for_later_is_refused_now() {
        let token = signed(
            Algorithm::HS256,
            &claims(|c| drop(c.insert("nbf".into(), json!(NOW + LEEWAY_S + 1)))),
        );
        assert!(matches!(verify(&token), Err(TokenError::TooEarly)));
    }

    #[test]
    fn key_is_not_printed() {
        assert_eq!(format!("{:?}", JwtKeys::new(&secret())), "JwtKeys(****)");
    }
}
