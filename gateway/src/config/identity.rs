//! The settings of who may come in, and how often.

use std::path::PathBuf;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::ConfigError;
use super::secrets::Given;
use super::values::secret;
use crate::auth::{JwtKeys, PublicKey, TokenRules};
use crate::rates::{Rate, RateSettings};

/// Whose tokens count, and how often who may ask.
#[derive(Clone, Debug, Args)]
pub struct IdentitySettings {
    /// Public key of who issues people's tokens, as PEM: RSA (RS256) or P-256 (ES256).
    #[arg(long, global = true, env = "JWT_PUBLIC_KEY", value_name = "PEM")]
    #[arg(value_parser = secret, allow_hyphen_values = true)]
    pub jwt_public_key: Option<SecretString>,

    /// File that holds the public key.
    #[arg(long, global = true, env = "JWT_PUBLIC_KEY_FILE", value_name = "FILE")]
    pub jwt_public_key_file: Option<PathBuf>,

    /// Key ids of which a token must carry one, by commas; without them a key id means nothing.
    #[arg(long, global = true, env = "RINGMASTER_JWT_KEY_IDS", value_name = "IDS")]
    #[arg(value_delimiter = ',')]
    pub jwt_key_ids: Vec<String>,

    /// Audience that a token must be for.
    #[arg(long, global = true, env = "JWT_AUDIENCE", value_name = "TEXT")]
    pub jwt_audience: Option<String>,

    /// Issuer that a token must be of.
    #[arg(long, global = true, env = "JWT_ISSUER", value_name = "TEXT")]
    pub jwt_issuer: Option<String>,

    /// Requests a second of one token; 0 for no limit, here and below.
    #[arg(long, global = true, env = "RINGMASTER_RATE_TOKEN", value_name = "NUMBER")]
    #[arg(default_value_t = RateSettings::default().token)]
    pub rate_token: Rate,

    /// Requests a second of one tenant.
    #[arg(long, global = true, env = "RINGMASTER_RATE_TENANT", value_name = "NUMBER")]
    #[arg(default_value_t = RateSettings::default().tenant)]
    pub rate_tenant: Rate,

    /// Webhooks a second of one source.
    #[arg(long, global = true, env = "RINGMASTER_RATE_SOURCE", value_name = "NUMBER")]
    #[arg(default_value_t = RateSettings::default().source)]
    pub rate_source: Rate,

    /// Refused credentials a minute of one address, and unknown ids a minute of one token.
    #[arg(long, global = true, env = "RINGMASTER_RATE_FAILURES", value_name = "NUMBER")]
    #[arg(default_value_t = RateSettings::default().failures)]
    pub rate_failures: Rate,
}

/// Who may come in, and how often.
#[derive(Clone, Debug)]
pub struct Identity {
    /// What tokens are verified with; none when no key is set.
    pub keys: Option<JwtKeys>,
    /// What tokens must say, and what those minted here do say.
    pub rules: TokenRules,
    /// How often who may ask.
    pub rates: RateSettings,
}

impl Identity {
    /// Reads the keys. Empty texts count as unset.
    pub(super) fn read(
        settings: IdentitySettings,
        secret: Option<&SecretString>,
    ) -> Result<Self, ConfigError> {
        let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let key_ids = settings.jwt_key_ids.iter().map(|id| id.trim().to_owned());
        let rules = TokenRules {
            key_ids: key_ids.filter(|id| !id.is_empty()).collect(),
            audience: filled(settings.jwt_audience),
            issuer: filled(settings.jwt_issuer),
        };
        let public = Given {
            name: "JWT_PUBLIC_KEY",
            value: settings.jwt_public_key,
            file: settings.jwt_public_key_file,
        };
        let public = public.read()?.map(|pem| PublicKey::parse(pem.expose_secret())).transpose();
        let public = public.map_err(ConfigError::PublicKey)?;
        let rates = RateSettings {
            token: settings.rate_token,
            tenant: settings.rate_tenant,
            source: settings.rate_source,
            failures: settings.rate_failures,
        };
        Ok(Self { keys: JwtKeys::configured(secret, public, &rules), rules, rates })
    }
}
